"""The child in which foreign code runs, and the parent that outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import SLOW_RUN, bench_process, bench_there, results_of, wait_for_lines

from harness.cli import supervisor
from harness.cli.supervisor import ChildEnded, ChildFault, Note, relay, supervised
from harness.core import UserError
from harness.play.private_folder import LOCK, owned, remove_left


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Supervised, with a temporary folder that is empty afterwards."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    monkeypatch.setenv("TMPDIR", str(place))
    supervisor.enable(True)
    yield place
    supervisor.enable(False)
    assert not list(place.iterdir())


def test_what_the_work_returns_arrives() -> None:
    def work(note: Note) -> Mapping[str, Any]:
        note("path", "x")
        return {"here": os.getpid(), "text": "\ud800 é"}

    said = supervised(work)
    assert said["text"] == "\ud800 é"
    assert said["here"] != os.getpid()


def test_exceptions_arrive(capfd: pytest.CaptureFixture[str]) -> None:
    def wrong(note: Note) -> Mapping[str, Any]:
        raise UserError("name another folder")

    def fault(note: Note) -> Mapping[str, Any]:
        raise ValueError("a bug")

    def interrupted(note: Note) -> Mapping[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(UserError, match="another folder"):
        supervised(wrong)
    with pytest.raises(ChildFault):
        supervised(fault)
    assert "ValueError: a bug" in capfd.readouterr().err
    with pytest.raises(KeyboardInterrupt):
        supervised(interrupted)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (lambda: os._exit(0), "exit code 0"),
        (lambda: os._exit(7), "exit code 7"),
        (lambda: sys.exit(0), "sys.exit(0)"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "SIGKILL"),
    ],
)
def test_an_end_without_a_last_word(how: Any, said: str) -> None:
    def work(note: Note) -> Mapping[str, Any]:
        note("path", "runs/x")
        how()
        return {}

    with pytest.raises(ChildEnded) as ended:
        supervised(work)
    assert (ended.value.how, ended.value.noted) == (said, {"path": "runs/x"})


def test_stdin_is_empty_and_stdout_is_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    def work(note: Note) -> Mapping[str, Any]:
        os.write(1, b"printed by a simulator\n")
        return {"read": sys.stdin.read() if sys.stdin.fileno() == 0 else os.read(0, 10).decode()}

    with open(0, closefd=False) as stdin:
        sys.stdin, before = stdin, sys.stdin
        try:
            assert supervised(work) == {"read": ""}
        finally:
            sys.stdin = before
    out, err = capfd.readouterr()
    assert (out, err) == ("", "printed by a simulator\n")


def test_processes_and_files_of_the_child_are_gone(apart: Path) -> None:
    def work(note: Note) -> Mapping[str, Any]:
        import tempfile

        left = tempfile.mkdtemp()
        far = subprocess.Popen(["sh", "-c", "sleep 1000 & sleep 1000"], start_new_session=True)
        return {"left": left, "far": far.pid}

    said = supervised(work)
    assert Path(said["left"]).parent.parent == apart
    assert not psutil.pid_exists(said["far"])


def test_processes_of_before_live_on() -> None:
    with subprocess.Popen(["sleep", "1000"]) as before:
        supervised(lambda note: {})
        assert before.poll() is None
        before.kill()


def test_a_copy_that_the_work_forks_says_nothing() -> None:
    def work(note: Note) -> Mapping[str, Any]:
        if os.fork() == 0:
            return {"from": "the copy"}
        os.wait()
        return {"from": "the original"}

    assert supervised(work) == {"from": "the original"}


def test_folders_of_killed_runs_are_removed(apart: Path) -> None:
    left, young = apart / "bench-left", apart / "bench-young"
    for folder in (left, young):
        folder.mkdir()
        (folder / LOCK).touch()
    os.utime(left / LOCK, (0, 0))
    supervised(lambda note: {})
    assert [each.name for each in apart.iterdir()] == ["bench-young"]
    (young / LOCK).unlink()
    young.rmdir()


def test_a_folder_that_is_still_owned_is_not_removed(apart: Path) -> None:
    """Not by its own process either, whose locks do not stop it."""
    mine = apart / "bench-mine"
    with owned(mine):
        os.utime(mine / LOCK, (0, 0))
        supervised(lambda note: {})
        remove_left(apart)
        other = "from pathlib import Path; from harness.play.private_folder import remove_left\n"
        other += f"remove_left(Path({str(apart)!r}))"
        subprocess.run([sys.executable, "-c", other], check=True)
        assert mine.exists()
    remove_left(apart)
    assert not mine.exists()


def test_a_text_is_relayed(capfd: pytest.CaptureFixture[str]) -> None:
    assert relay(lambda: ("the table", "a remark", 4)) == 4
    assert capfd.readouterr() == ("the table\n", "a remark\n")


STUBBORN = """
from harness.core import Agent
import time
class Stubborn(Agent):
    '''Swallows interrupts, and goes on for a minute.'''
    def act(self, turns):
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                time.sleep(60)
            except KeyboardInterrupt:
                open("swallowed", "w").close()
        return [turn.brief.action.noop() for turn in turns]
"""


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, signal.SIGINT, pytest.param(signal.SIGHUP, marks=pytest.mark.heavy)],
)
def test_requests_to_end_are_answered_like_ctrl_c(
    tmp_path: Path, slow_results: list[dict[str, Any]], number: int
) -> None:
    words = (*SLOW_RUN, "--workers", 0, "--out", "run")
    with bench_process(*words, cwd=tmp_path) as process:
        wait_for_lines(tmp_path / "run", 3, process)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "the same command continues the run" in err
    said = bench_there(*words, cwd=tmp_path)
    assert said.code == 0, said.err
    assert results_of(tmp_path / "run") == slow_results


def test_the_second_ctrl_c_ends_an_agent_that_swallows_the_first(tmp_path: Path) -> None:
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    words = ("run", "--agent", "stubborn:Stubborn", "--suite", "toysuite:QUICK", "--workers", 0)
    with bench_process(*words, "--out", "run", cwd=tmp_path) as process:
        until = time.monotonic() + 60
        while not (tmp_path / "run" / "run.json").exists():
            assert time.monotonic() < until
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        while not (tmp_path / "swallowed").exists():
            assert time.monotonic() < until
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == 130


def test_the_child_does_not_outlive_a_parent_that_is_killed(apart: Path, tmp_path: Path) -> None:
    words = (*SLOW_RUN, "--workers", 0, "--out", "run")
    with bench_process(*words, cwd=tmp_path) as process:
        wait_for_lines(tmp_path / "run", 2, process)
        (child,) = psutil.Process(process.pid).children()
        process.kill()
        process.communicate(timeout=60)
    assert not psutil.wait_procs([child], timeout=10)[1]
    assert not list(apart.iterdir())
