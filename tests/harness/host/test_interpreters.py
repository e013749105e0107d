"""Which adapter lives in which interpreter, and what that interpreter lacks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import toys
from conftest import Said, plan_of

from harness.core import UserError
from harness.host import interpreters
from harness.host.interpreters import (
    NAMED,
    VARIABLE,
    carried,
    configure,
    configured,
    interpreter_of,
)
from harness.host.loading import load_adapter
from suites import babyai

TOY = "toys:ToyAdapter"


def test_which_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(interpreters, "CHECKOUT", tmp_path / "none")
    assert interpreter_of("adapters.minigrid:MiniGridAdapter") is None
    (tmp_path / "bench.toml").write_text(
        '[other]\na = 1\n[interpreters]\nmaniskill = "venv/bin/python"\n"toys:ToyAdapter" = "/b"\n'
    )
    assert interpreter_of("adapters.maniskill:ManiSkillAdapter") == str(
        tmp_path / "venv/bin/python"
    )
    assert interpreter_of("adapters.maniskill:ManiSkillBatchedAdapter") == str(
        tmp_path / "venv/bin/python"
    ), "of the same module"
    assert interpreter_of("toys:BatchedToy") == "/b"
    assert interpreter_of("adapters.atari:AtariAdapter") is None
    (tmp_path / "mine").write_text("#!/bin/sh\n")
    (tmp_path / "mine").chmod(0o755)
    monkeypatch.setenv(VARIABLE, "{}")  # for monkeypatch to restore
    configure(["atari=./mine", f"maniskill={sys.executable}"])
    assert interpreter_of("adapters.atari:AtariAdapter") == str(tmp_path / "mine")
    assert interpreter_of("adapters.maniskill:ManiSkillAdapter") == sys.executable
    assert json.loads(carried()[VARIABLE]) == {
        "toys:ToyAdapter": "/b",
        "adapters.atari:AtariAdapter": str(tmp_path / "mine"),
        "adapters.maniskill:ManiSkillAdapter": sys.executable,
    }, "a worker knows no families"


def test_a_file_that_changes_during_a_run_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(interpreters, "CHECKOUT", tmp_path / "none")
    file = tmp_path / "bench.toml"
    file.write_text(f'[interpreters]\natari = "{sys.executable}"\n')
    with configured(()):
        file.write_text('[interpreters]\natary = "/else"\n')
        assert interpreter_of("adapters.atari:AtariAdapter") == sys.executable
        with configured(()):
            assert interpreter_of("adapters.atari:AtariAdapter") == sys.executable
    with pytest.raises(UserError, match="no family 'atary'"):
        interpreter_of("adapters.atari:AtariAdapter")


def test_the_checkouts_file_counts_from_any_folder_and_the_one_here_overrides_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout, here = tmp_path / "checkout", tmp_path / "here"
    for folder in (checkout, here):
        folder.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv(NAMED)
    monkeypatch.setattr(interpreters, "CHECKOUT", checkout)
    lines = '[interpreters]\nprocgen = ".bench/procgen"\nvizdoom = "/v"\n'
    (checkout / "bench.toml").write_text(lines)
    assert interpreters.interpreters() == {}, "an installed wheel has no checkout"
    (checkout / "pyproject.toml").touch()
    theirs = {"procgen": str(checkout / ".bench/procgen"), "vizdoom": "/v"}
    assert interpreters.interpreters() == theirs, "paths are relative to the file"
    (here / "bench.toml").write_text('[interpreters]\nprocgen = "mine"\n')
    assert interpreters.interpreters() == {**theirs, "procgen": str(here / "mine")}
    monkeypatch.setenv(NAMED, str(tmp_path / "named.toml"))
    with pytest.raises(UserError, match="there is no file"):
        interpreters.interpreters()
    (tmp_path / "named.toml").write_text('[interpreters]\natari = "/a"\n')
    assert interpreters.interpreters() == {"atari": "/a", "procgen": str(here / "mine")}
    monkeypatch.delenv(NAMED)
    (here / "run.json").touch()
    assert interpreters.interpreters() == theirs, "a run directory's file is a stranger's"
    monkeypatch.setenv(VARIABLE, "{}")  # for monkeypatch to restore
    configure([f"atari={sys.executable}"])
    assert interpreters.interpreters() == {**theirs, "atari": sys.executable}


@pytest.mark.parametrize(
    "command",
    [
        ("verify", "run"),
        ("verify", "--invariance", "--agent", "uniform", "--suite", "smoke"),
        ("show", "run", "toys/goal:0"),
        ("gate", "--agent", "uniform", "--base", "run"),
    ],
)
def test_whatever_plays_takes_interpreters(
    command: tuple[str, ...], bench_here: Callable[..., Said], play_toys: Callable[..., object]
) -> None:
    play_toys("ExpertAgent", [toys.toy_task()], 2, out="run")
    said = bench_here(*command, "--interpreter", "procgem=/bin/sh")
    assert (said.code, said.out) == (2, "")
    assert "did you mean procgen?" in said.err
    if command[0] == "show":
        # The toy's adapter in a Python of its own: the replay is the recording.
        option = f"toys:ToyAdapter={sys.executable}"
        said = bench_here(*command, "--trust", "--format", "text", "--interpreter", option)
        assert said.code == 0
        assert "success" in said.out


def test_wrong_names_and_paths(
    tmp_path: Path, bench_here: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.delenv(VARIABLE)
    run = ("run", "--agent", "uniform", "--suite", "procgen", "--episodes", 1, "--workers", 0)
    for option, words in (
        ("procgem=/bin/sh", "did you mean procgen?"),
        ("procgen", "write NAME=PATH"),
        ("procgen=/no/such/python", "there is no program /no/such/python"),
    ):
        said = bench_here(*run, "--interpreter", option)
        assert (said.code, said.out) == (2, "")
        assert words in said.err
    for content, words in (
        ("[interpreters", "bench.toml cannot be read"),
        ("interpreters = 3", "must hold lines like"),
        ('[interpreters]\nprocgem = "/bin/sh"', "did you mean procgen?"),
    ):
        Path("bench.toml").write_text(content)
        said = bench_here(*run)
        assert (said.code, said.out) == (2, "")
        assert words in said.err
    Path("bench.toml").write_text('[interpreters]\nprocgen = "gone/python"\n')
    said = bench_here(*run)
    assert said.code == 4, "nothing could run"
    assert "gone/python cannot be started: No such file" in " ".join(said.out.split())


def test_a_python_without_numpy_is_told_what_it_lacks(
    tmp_path: Path, apart: Callable[..., None]
) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path)], check=True)
    python = str(tmp_path / "bin" / "python")
    apart(python)
    missing = load_adapter(TOY).missing()
    assert missing is not None
    assert missing.reason.endswith("lacks the package msgpack")
    assert missing.remedy == f"{python} -m pip install numpy msgpack"


def test_its_versions_are_the_protocols(bare: str, apart: Callable[..., None]) -> None:
    task = babyai.SUITES[0].tasks[0]
    _, here = plan_of("GoodAgent", [task], 1)
    apart(sys.executable, "minigrid")
    _, there = plan_of("GoodAgent", [task], 1)
    assert there.items == here.items, "the same versions, the same protocol"
    assert "-" not in there.items[0].packages.values()
    apart(bare, "minigrid")
    _, elsewhere = plan_of("GoodAgent", [task], 1)
    assert [row.reason for row in elsewhere.not_run] == [
        f"the package minigrid is not installed in {bare}"
    ]
