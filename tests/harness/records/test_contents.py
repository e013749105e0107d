"""The fingerprint covers the files that make an agent what it is, and not what it writes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Said

from harness.core import UserError
from harness.records.contents import Contents, changed
from harness.records.identity import AgentSpec

PLAY = ("run", "--suite", "toysuite:SHORT", "--workers", 0, "--agent")


def named(path: Path, agent: str = "meddlers:Writes") -> AgentSpec:
    return AgentSpec("it", agent, {"log": str(path)})


@pytest.mark.parametrize("out", [("--out", "mine"), ()], ids=["named", "default place"])
@pytest.mark.parametrize("before", ["absent", "empty"])
def test_a_folder_that_the_agent_fills_is_no_part_of_it(
    bench_here: Callable[..., Said], tmp_path: Path, before: str, out: tuple[str, ...]
) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "a.bin").write_text("1")
    if before == "empty":
        (tmp_path / "log").mkdir()
    words = ("--agent-arg", "log=log", "--agent-arg", "weights=weights", "--agent-arg", "most=2")
    assert bench_here(*PLAY, "meddlers:Writes", *words, *out).code == 130
    said = bench_here(*PLAY, "meddlers:Writes", *words, *out)
    assert (said.code, len(list((tmp_path / "log").iterdir()))) == (0, 6)
    if not out:
        assert len(list((tmp_path / "runs").iterdir())) == 1
    (tmp_path / "weights" / "a.bin").write_text("2")
    changed = bench_here(*PLAY, "meddlers:Writes", *words, "--out", "mine")
    if out:
        assert changed.code == 2
        assert "the agent's source or weights changed: weights=weights/a.bin" in changed.err


def test_what_the_agent_adds_to_a_folder_is_named_with_the_remedy(
    bench_here: Callable[..., Said], tmp_path: Path
) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "old").write_text("")
    words = ("--agent-arg", "log=log", "--agent-arg", "most=3", "--out", "mine")
    assert bench_here(*PLAY, "meddlers:Writes", *words).code == 130
    said = bench_here(*PLAY, "meddlers:Writes", *words)
    assert said.code == 2
    assert "log=log/" in said.err
    assert "is new" in said.err
    assert "outputs = ('log',)" in said.err


def test_declared_outputs_are_no_part_of_it(
    bench_here: Callable[..., Said], tmp_path: Path
) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "old").write_text("")
    words = ("--agent-arg", "log=log", "--agent-arg", "most=3")
    assert bench_here(*PLAY, "meddlers:DeclaresOutputs", *words).code == 130
    assert bench_here(*PLAY, "meddlers:DeclaresOutputs", *words).code == 0
    assert len(list((tmp_path / "runs").iterdir())) == 1


def test_a_source_that_changed_is_named(bench_here: Callable[..., Said], tmp_path: Path) -> None:
    source = "import toys\nclass Agent(toys.GoodAgent):\n    pass\n"
    (tmp_path / "edited.py").write_text(source)
    assert bench_here(*PLAY, "edited:Agent", "--out", "mine").code == 0
    (tmp_path / "edited.py").write_text(source + "# other\n")
    said = bench_here(*PLAY, "edited:Agent", "--out", "mine")
    assert said.code == 2
    assert "the agent's source or weights changed: source/edited.py." in said.err


def test_what_never_ends_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    before = named(tmp_path).fingerprint()
    (tmp_path / "file").write_text("1")
    assert named(tmp_path).fingerprint() != before
    assert named(tmp_path / "pipe").to_json()["files"]["log=" + str(tmp_path / "pipe")]


def test_a_folder_of_too_many_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        (tmp_path / str(number)).write_text("")
    monkeypatch.setattr("harness.records.contents.MOST_NAMED", 4)
    assert [name for name in named(tmp_path).to_json()["files"] if name.startswith("log")] == [
        f"log={tmp_path}/ (5 files)"
    ]
    monkeypatch.setattr("harness.records.contents.MOST_FILES", 4)
    with pytest.raises(UserError, match=r"more than 4 files.*outputs = \('log',\)"):
        named(tmp_path).fingerprint()


def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, *args: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    (tmp_path / "file").write_text("")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match="file is part of the agent's fingerprint"):
        Contents(b"").add("log", tmp_path, "")


def test_differences_in_words() -> None:
    old, new = {"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"}
    assert changed(old, new) == "b, c is gone, d is new"
    assert changed(old, {}, most=1) == "a is gone and 2 more"
    assert changed(old, old) == ""
