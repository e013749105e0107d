"""Entries as somebody might make them who means harm: refused, with nothing imported or written."""

from __future__ import annotations

import json
import lzma
import os
import shutil
import sys
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hostile import make_socket
from submitting import Forger, check_entry

from harness.core import UserError
from leaderboards.submissions.entry import FILES
from leaderboards.submissions.verdict import REFUSED, Verdict

Spoil = Callable[[Path], Any]


def changed(change: Callable[[dict[str, Any]], Any]) -> Spoil:
    """Another entry.json."""

    def spoil(entry: Path) -> None:
        document = json.loads((entry / "entry.json").read_text())
        change(document)
        (entry / "entry.json").write_text(json.dumps(document))

    return spoil


def packed(kind: str, content: Callable[[bytes], bytes], says: int | None = None) -> Spoil:
    """A packed file with other content, whose size and hash entry.json tells."""

    def spoil(entry: Path) -> None:
        file = entry / FILES[kind]
        data = content(lzma.decompress(file.read_bytes()))
        raw(kind, lzma.compress(data), len(data) if says is None else says)(entry)

    return spoil


def raw(kind: str, data: bytes, unpacked: int) -> Spoil:
    """These bytes as a packed file."""

    def tell(document: dict[str, Any]) -> None:
        document["files"][kind] |= {
            "bytes": len(data),
            "unpacked_bytes": unpacked,
            "sha256": sha256(data).hexdigest(),
        }

    def spoil(entry: Path) -> None:
        (entry / FILES[kind]).write_bytes(data)
        changed(tell)(entry)

    return spoil


def replaced(name: str, make: Callable[[Path], Any]) -> Spoil:
    def spoil(entry: Path) -> None:
        (entry / name).unlink(missing_ok=True)
        make(entry / name)

    return spoil


def put(*way: Any, value: Any) -> Spoil:
    def change(document: dict[str, Any]) -> None:
        for key in way[:-1]:
            document = document[key]
        document[way[-1]] = value

    return changed(change)


def text(content: str) -> Spoil:
    return lambda entry: (entry / "entry.json").write_text(content)


def in_run(change: Callable[[dict[str, Any]], Any]) -> Spoil:
    """Another run.json."""

    def edit(content: bytes) -> bytes:
        document = json.loads(content)
        change(document)
        return json.dumps(document).encode()

    return packed("run", edit)


def _line(**fields: Any) -> Spoil:
    def edit(content: bytes) -> bytes:
        first, rest = content.split(b"\n", 1)
        return json.dumps({**json.loads(first), **fields}).encode() + b"\n" + rest

    return packed("episodes", edit)


BOMB = lzma.compress(bytes(300_000_000))
GREEDY = lzma.compress(b"{}", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 28}])
HOSTILE: dict[str, tuple[Spoil, str]] = {
    "a script in the name": (put("name", value="<script>alert(1)</script>"), "not a name"),
    "a terminal escape in the name": (put("name", value="x\x1b]0;owned\x07"), "terminal"),
    "text that runs backwards": (put("submission", "contact", value="\u202eyou"), "terminal"),
    "a script in the address": (put("submission", "url", value="javascript:alert(1)"), "address"),
    "a script in a mark": (put("marks", value=["<script>"]), "contradicts the run's files"),
    "another claim": (put("claimed", value="all of it was checked"), "`claimed` says something"),
    "NaN": (put("submission", "cost_per_episode", value=float("nan")), "no number of JSON"),
    "a huge number": (put("submission", "parameters", value=10**300), "whole number"),
    "deep nesting": (text("[" * 100_000), "nested more than"),
    "deep arguments": (
        text('{"agent": {"args": ' + '{"a":' * 5000 + "1" + "}" * 5000 + "}}"),
        "nested more than",
    ),
    "a list": (text("[]"), "is a list"),
    "no JSON": (text("{"), "entry.json"),
    "a field of its own": (put("verdict", value="accepted"), "verdict is unknown"),
    "a huge entry.json": (text('{"a": "' + "x" * 5_000_000 + '"}'), "is larger than"),
    "a path that leads outside": (put("files", "run", "name", value="../../run.json.xz"), "is not"),
    "an absolute path": (put("files", "traces", "name", value="/etc/passwd"), "is not"),
    "a link to a file outside": (
        replaced(FILES["run"], lambda path: path.symlink_to("/etc/passwd")),
        "symbolic link",
    ),
    "entry.json is a link": (
        replaced("entry.json", lambda path: path.symlink_to("/etc/passwd")),
        "symbolic link",
    ),
    "a pipe": (replaced(FILES["episodes"], os.mkfifo), "a pipe"),
    "a device": (replaced("entry.json", lambda path: path.symlink_to("/dev/zero")), "symbolic"),
    "a socket": (replaced(FILES["traces"], make_socket), "a socket"),
    "a folder": (replaced(FILES["traces"], Path.mkdir), "a directory"),
    "another file": (lambda entry: (entry / "setup.py").write_text("x"), "holds other files"),
    "a file whose name is an escape": (
        lambda entry: (entry / "a\x1b[2J").write_text("x"),
        "holds other files",
    ),
    "a file that is missing": (lambda entry: (entry / FILES["traces"]).unlink(), "lacks the file"),
    "another file than was named": (
        lambda entry: (entry / FILES["run"]).write_bytes(lzma.compress(b"{}")),
        "SHA-256",
    ),
    "a bomb": (raw("episodes", BOMB, 1000), "unpacks to more than"),
    "a bomb that says its size": (raw("run", BOMB, 300_000_000), "whole number from 0 to"),
    "a bomb within the bounds": (raw("episodes", BOMB, 300_000_000), "line 1"),
    "a decoder that takes 256 MiB": (
        raw("run", GREEDY, 2),
        "cannot be unpacked",
    ),
    "another compression": (raw("run", b"PK\x03\x04" + bytes(100), 100), "cannot be unpacked"),
    "a cut file": (raw("run", lzma.compress(bytes(range(256)) * 99)[:-40], 25344), "is cut off"),
    "a second stream": (raw("run", lzma.compress(b"{}") + lzma.compress(b"{}"), 2), "behind its"),
    "a smaller file than it says": (raw("run", lzma.compress(b"{}"), 3), "unpacks to 2 bytes"),
    "a million lines": (packed("episodes", lambda content: b"{}\n" * 1_000_000), "more lines than"),
    "one endless line": (packed("episodes", lambda content: b"x" * 3_000_000), "longer than 1 MiB"),
    "NaN in a line": (
        packed(
            "episodes", lambda content: content.replace(b'"steps": ', b'"steps": NaN, "x": ', 1)
        ),
        "steps is",
    ),
    "an infinite score": (
        packed("episodes", lambda content: content.replace(b'"score": 0.0', b'"score": 1e999', 1)),
        "not a finite number",
    ),
    "deep nesting in a line": (
        packed("episodes", lambda content: b"[" * 90_000 + b"\n" + content.split(b"\n", 1)[1]),
        "line 1",
    ),
    "an escape in a task": (_line(task="x\x1b[2J"), "does not plan"),
    "a trace that is no trace": (packed("traces", lambda content: b"\xc1" * 100), "damaged"),
    "a trace of a gigabyte": (
        packed("traces", lambda content: b"\xdd\xff\xff\xff\xff" + bytes(1000)),
        "is damaged",
    ),
    "an adapter that is a command": (
        in_run(lambda run: run["plan"]["items"][0]["task"].update(adapter="os:system")),
        "its content differs",
    ),
    "an adapter of its own": (
        in_run(
            lambda run: run["plan"]["items"][0]["task"].update(
                id="mine/x@1", adapter="canary:Adapter"
            )
        ),
        "is no task of bench's suites",
    ),
    "a Gymnasium id that imports a module": (
        in_run(
            lambda run: run["plan"]["items"][0].update(
                suite="gym:venv.__main__:X",
                task={
                    "id": "gym/X@1",
                    "domain": "games",
                    "adapter": "adapters.gym:GymAdapter",
                    "params": {"id": "venv.__main__:X"},
                },
            )
        ),
        "is no task of bench's suites",
    ),
    "a suite that is a module": (
        in_run(lambda run: run["plan"]["items"][0].update(suite="canary")),
        "is no suite of bench",
    ),
    "no tasks": (
        in_run(lambda run: run["plan"].update(items=[])),
        "it has no tasks",
    ),
    "a perturbation with a path": (
        in_run(
            lambda run: run["plan"].update(
                perturbations=[[{"name": "typos", "severity": 1, "params": {"x": "/etc/passwd"}}]]
            )
        ),
        "no plain words and numbers",
    ),
    "a plan of a billion cases": (
        in_run(lambda run: run["plan"]["items"][0].update(episodes=1_000_000)),
        "cases, and an entry",
    ),
    "an agent that is an escape": (
        in_run(lambda run: run["agent"].update(name="x\x1b[2J")),
        "contradicts",
    ),
}


@pytest.fixture
def watched(entry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Checks the entry, and that nothing was imported or written beside it."""
    canary = tmp_path / "canaries"
    canary.mkdir()
    (canary / "canary.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(canary)
    monkeypatch.chdir(canary)

    def check() -> Verdict:
        before = sorted(tmp_path.rglob("*"))
        verdict = check_entry(entry, tmp_path / "unpacked")
        inside = tmp_path / "unpacked"
        after = [path for path in tmp_path.rglob("*") if inside not in (path, *path.parents)]
        assert sorted(after) == [path for path in before if inside not in (path, *path.parents)]
        assert not {"canary", "venv.__main__"} & set(sys.modules)
        assert {each.relative_to(inside).as_posix() for each in inside.rglob("*")} <= {
            "run.json", "episodes.jsonl", "traces", "traces/part-0000.msgpack",
        }  # fmt: skip
        return verdict

    return check


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_entry_is_refused(entry: Path, watched: Callable[[], Verdict], name: str) -> None:
    spoil, reason = HOSTILE[name]
    spoil(entry)
    verdict = watched()
    assert verdict.outcome == REFUSED
    assert reason in verdict.reasons[0], verdict.reasons
    assert all(each.isprintable() and len(each) < 600 for each in verdict.reasons)


def test_a_link_to_an_entry_is_refused_and_not_written_to(
    entry: Path, good: Path, tmp_path: Path
) -> None:
    shutil.rmtree(entry)
    entry.symlink_to(good)
    verdict = check_entry(entry, tmp_path / "unpacked")
    assert verdict.outcome == REFUSED
    assert "symbolic link" in verdict.reasons[0]
    assert verdict.write(entry) is None
    assert not (good / "check.json").exists()


def test_a_verdict_replaces_a_link_and_not_what_it_leads_to(entry: Path, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    (entry / "check.json").symlink_to(target)
    assert Verdict(outcome=REFUSED, statement="nothing was replayed").write(entry) is not None
    assert target.read_text() == "precious"
    assert not (entry / "check.json").is_symlink()
    (entry / "check.json").unlink()
    (entry / "check.json").mkdir()
    with pytest.raises(UserError, match="cannot write"):
        Verdict(outcome=REFUSED, statement="nothing was replayed").write(entry)


def test_actions_without_end_are_not_played(run: Path, tmp_path: Path) -> None:
    """A trace of a million actions for an episode that takes few."""
    forged = Forger(run, tmp_path / "run", 0)
    line = forged.pick()
    actions = forged.trace(line)["actions"]
    count = 1_000_000
    actions |= {"shape": [count], "data": zlib.compress(bytes(count)), "dtype": "|u1"}
    line["steps"] = count
    verdict = check_entry(forged.submit(tmp_path / "entries"), tmp_path / "unpacked")
    assert verdict.outcome == REFUSED
