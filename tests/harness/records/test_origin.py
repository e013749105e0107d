"""Whether a run directory is where bench wrote it."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import toys
from conftest import Run

from harness.records import origin
from harness.records.origin import is_copy
from leaderboards.render import render
from leaderboards.report import load_report

MARK = "a copy of a run directory"


@pytest.fixture
def run(play_toys: Callable[..., Run]) -> Path:
    return play_toys("GoodAgent", [toys.toy_task()], 2).path


def shift(path: Path, seconds: float) -> None:
    """The results say that they are this much younger than they are."""
    file = path / "episodes.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for line in lines:
        then = datetime.datetime.fromisoformat(line["timing"]["ended_at"])
        line["timing"]["ended_at"] = (then + datetime.timedelta(seconds=seconds)).isoformat()
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_run_is_no_copy_where_it_was_played(run: Path, tmp_path: Path) -> None:
    assert not is_copy(run)
    assert MARK not in render(load_report(run), "text")
    run.rename(tmp_path / "moved")
    assert not is_copy(tmp_path / "moved")


def test_a_later_copy_is_one_whatever_times_it_keeps(run: Path, tmp_path: Path) -> None:
    shift(run, -1000)
    assert is_copy(run), "it was written long after its episodes"
    shutil.copytree(run, tmp_path / "copy")
    then = time.time() - 1000
    os.utime(tmp_path / "copy" / "episodes.jsonl", (then, then))
    assert is_copy(tmp_path / "copy")
    for format in ("text", "markdown"):
        assert MARK in render(load_report(run), format)


def test_one_that_says_that_it_is_yet_to_come_is_a_copy(run: Path) -> None:
    shift(run, 1000)
    assert is_copy(run)


def test_another_users_files_are_a_copy(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: -1)
    assert is_copy(run)


@pytest.mark.parametrize(
    "last",
    [
        b"null\n", b"{}\n", b"[1]\n", b"\xff\n", b"5", b'{"timing": 5}\n',
        b'{"timing": {"ended_at": 5}}\n', b'{"timing": {"ended_at": "soon"}}\n',
        b"[" * 5000 + b"\n", b" " * (2 * origin.TAIL),
    ],
)  # fmt: skip
def test_what_tells_no_time_is_a_copy(tmp_path: Path, last: bytes) -> None:
    (tmp_path / "episodes.jsonl").write_bytes(last)
    assert is_copy(tmp_path)


def test_a_directory_without_results_holds_no_claims(tmp_path: Path) -> None:
    assert not is_copy(tmp_path)
    (tmp_path / "episodes.jsonl").write_bytes(b"")
    assert not is_copy(tmp_path)


def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "episodes.jsonl")
    assert is_copy(tmp_path)
