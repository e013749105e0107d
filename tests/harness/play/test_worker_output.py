"""What is printed in a worker goes to a bounded file of the run; what our log says, to the user."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import toys
from chatty import PRINTED
from conftest import ROOT, Run

from harness.core import UserError
from harness.play.worker_output import (
    FULL,
    LONGEST_NOTICE,
    MOST_NOTICES,
    Notices,
    bound_files,
    tidy,
)

PRINTS = """
import os, subprocess, sys, time
from pathlib import Path
import harness.play.worker_output as output
output.MOST_BYTES = int(sys.argv[2])
output.keep_output(Path(sys.argv[1]), "worker-0")
print("from Python")
sys.stderr.write("to stderr\\n")
os.write(1, b"from native code\\n")
subprocess.run(["echo", "from another process"])
for _ in range(int(sys.argv[3])):
    os.write(1, b"x" * 99 + b"\\n")
    time.sleep(0.001)
sys.stdout.flush()
"""


def prints(log: Path, most: int = 10_000, lines: int = 0) -> str:
    """What a process that keeps its output prints all the same."""
    words = [sys.executable, "-c", PRINTS, str(log), str(most), str(lines)]
    said = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    return said.stdout + said.stderr


def test_all_ways_of_printing_are_kept_and_appended_to(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert prints(log) == ""
    assert prints(log) == ""
    lines = ["from Python", "to stderr", "from native code", "from another process"]
    assert sorted((log / "worker-0.txt").read_text().splitlines()) == sorted(2 * lines)


def test_a_chatty_process_does_not_fill_the_disk(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert prints(log, 2000, 1000) == ""
    kept = (log / "worker-0.txt").read_bytes()
    assert len(kept) == 2000
    assert kept.endswith(FULL)
    prints(log, 2000, 10)
    assert len((log / "worker-0.txt").read_bytes()) < 4000, "nor does it over many calls"


def test_without_the_run_directory_nothing_changes(tmp_path: Path) -> None:
    assert "from Python" in prints(tmp_path / "elsewhere" / "log")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["link", "fifo", "folder"])
def test_what_a_stranger_put_there_is_not_written_to(tmp_path: Path, what: str) -> None:
    log, target = tmp_path / "log", tmp_path / "precious"
    log.mkdir()
    target.write_text("as it was")
    file = log / "worker-0.txt"
    {
        "link": lambda: file.symlink_to(target),
        "fifo": lambda: os.mkfifo(file),
        "folder": file.mkdir,
    }[what]()
    assert "from Python" in prints(log)
    bound_files(log)
    assert target.read_text() == "as it was"


def test_the_driver_cuts_what_a_worker_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.play.worker_output.MOST_BYTES", 1000)
    (tmp_path / "worker-0.txt").write_bytes(b"x" * 5000)
    (tmp_path / "worker-1.txt").write_bytes(b"y" * 1000)
    bound_files(tmp_path)
    assert (tmp_path / "worker-0.txt").read_bytes() == b"x" * (1000 - len(FULL)) + FULL
    assert (tmp_path / "worker-1.txt").read_bytes() == b"y" * 1000
    bound_files(tmp_path / "nowhere")


def test_empty_files_are_removed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    tidy(log)
    log.mkdir()
    (log / "worker-0.txt").touch()
    (log / "worker-1.txt").write_text("said")
    tidy(log)
    assert [file.name for file in log.iterdir()] == ["worker-1.txt"]
    (log / "worker-1.txt").unlink()
    tidy(log)
    assert not log.exists()


def test_each_notice_is_taken_once_and_they_are_few_and_short() -> None:
    notices = Notices()
    log = logging.Logger("bench")
    log.addHandler(notices)
    log.info("of no interest")
    for _ in range(3):
        log.warning("no video of %s", "toys/goal@1")
    assert notices.take() == ["no video of toys/goal@1"]
    log.warning("no video of %s", "toys/goal@1")
    assert notices.take() == []
    notices.add(["of the served agent"])
    for number in range(10 * MOST_NOTICES):
        log.warning("%d %s", number, "x" * 10_000)
    taken = notices.take()
    assert taken[0] == "of the served agent"
    assert len(taken) == MOST_NOTICES - 1
    assert max(map(len, taken)) == LONGEST_NOTICE


def test_a_foreign_record_that_cannot_be_formatted_harms_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    notices = Notices()
    notices.handle(logging.LogRecord("bench", logging.WARNING, "", 0, "%d", ("x",), None))
    assert notices.take() == []


@pytest.mark.parametrize("agent", ["Chatty", "ServedChatty"])
def test_a_run_keeps_what_its_workers_print_and_shows_their_notices(
    play_toys: Callable[..., Run], ray_here: None, agent: str
) -> None:
    run = play_toys(f"chatty:{agent}", [toys.toy_task()], 6, workers=2)
    assert run.summary.missing == 0
    files = {file.name: file.read_text() for file in (run.path / "log").iterdir()}
    printed = "".join(files.values())
    if agent == "Chatty":
        assert files.keys() <= {"worker-0.txt", "worker-1.txt"}
    else:
        assert files.keys() == {"agent.txt"}
    for text in PRINTED:
        assert text in printed
    assert run.notes.said.count("this agent has a notice") == 1, "once, from however many workers"
    assert "of no interest" not in run.notes.said


@pytest.mark.parametrize("agent", ["Unbuilt", "ServedUnbuilt"])
def test_an_agent_that_cannot_be_built_is_told_and_what_it_printed_stays(
    play_toys: Callable[..., Run], ray_here: None, tmp_path: Path, agent: str
) -> None:
    file = tmp_path / "weights"
    words = {"tasks": [toys.toy_task()], "episodes": 2, "args": {"file": str(file)}, "workers": 2}
    with pytest.raises(UserError, match=r"^there are no weights at \S+$"):
        play_toys(f"chatty:{agent}", **words)
    (log,) = (tmp_path / "run").iterdir()
    said = {file.read_text().strip() for file in log.iterdir()}
    # The file of a worker that began while the first one's fault ended the run is empty.
    assert said - {""} == {"looking for the weights"}
    file.touch()
    assert play_toys(f"chatty:{agent}", **words).summary.missing == 0


def test_a_quiet_run_has_no_log(play_toys: Callable[..., Run], ray_here: None) -> None:
    run = play_toys("GoodAgent", [toys.toy_task()], 3, workers=2)
    assert not (run.path / "log").exists()


def test_why_there_is_no_video_is_told_with_workers_too(
    play_toys: Callable[..., Run], ray_here: None
) -> None:
    run = play_toys("GoodAgent", [toys.toy_task(adapter="chatty:Dark")], 3, workers=2, video="all")
    assert not list((run.path / "videos").glob("*.mp4"))
    (told,) = [text for text in run.notes.said if text.startswith("no video of")]
    assert "the lamp is broken" in told
