"""Processes of Ray that die: the run stops or goes on, nothing is lost, nothing stays."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import SLOW_RUN, bench_process, bench_there, read_lines, results_of, wait_for_lines
from processes import command_of

RUN = (*SLOW_RUN, "--workers", 2, "--out", "run")


def strike(process: psutil.Process, name: str, number: int) -> list[psutil.Process]:
    """Send a signal to the first process of the run with this name; returns all of the run's."""
    family = process.children(recursive=True)
    for each in family:
        try:
            if name in each.name() or any(name in word for word in command_of(each)[:4]):
                each.send_signal(number)
                return family
        except psutil.Error:
            continue
    raise AssertionError(f"there is no {name} among {family}")


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files of its own, with a short path."""
    folder = Path(f"/tmp/{os.getpid():x}")
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    shutil.rmtree(folder)


def wait_until_empty(folder: Path) -> None:
    until = time.monotonic() + 10
    while any(folder.iterdir()):
        assert time.monotonic() < until, f"{list(folder.rglob('*'))} stay"
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("name", "number", "words"),
    [
        ("/raylet/raylet", signal.SIGKILL, "Ray's raylet ended unexpectedly (SIGKILL)"),
        pytest.param(
            "gcs_server",
            signal.SIGKILL,
            "Ray's gcs_server ended unexpectedly (SIGKILL)",
            marks=pytest.mark.heavy,
        ),
        pytest.param(
            "ray_stand_in.py",
            signal.SIGKILL,
            "Ray's raylet ended unexpectedly",
            marks=pytest.mark.slow,
        ),
        pytest.param("ray::_Worker", signal.SIGSEGV, None, marks=pytest.mark.slow),
    ],
    ids=["raylet", "gcs", "agent", "worker"],
)
def test_a_process_of_ray_dies(
    tmp_path: Path,
    temporary: Path,
    slow_results: list[dict[str, Any]],
    name: str,
    number: int,
    words: str | None,
) -> None:
    with bench_process(*RUN, cwd=tmp_path) as process:
        wait_for_lines(tmp_path / "run", 3, process)
        assert any(temporary.iterdir())
        family = strike(psutil.Process(process.pid), name, number)
        struck = time.monotonic()
        out, err = process.communicate(timeout=120)
    if words is None:
        assert process.returncode == 0, err
    else:
        assert time.monotonic() - struck < 60, "Ray alone would wait for minutes"
        assert process.returncode == 4, err
        assert f"{words}" in err
        assert "the same command continues" in err
        assert "the same command plays them again" in err
        assert "Traceback" not in err
        assert "state-dump" not in out + err, "no page of a raylet's log"
        played = read_lines(tmp_path / "run")
        assert all(line["status"] == "finished" for line in played), "no case is to blame"
    assert not psutil.wait_procs(family, timeout=10)[1], "a process of Ray stays"
    wait_until_empty(temporary)
    if words is not None:
        assert bench_there(*RUN, cwd=tmp_path).code == 0
    assert results_of(tmp_path / "run") == slow_results


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_leaves_nothing(tmp_path: Path, temporary: Path, number: int) -> None:
    memory = set(os.listdir("/dev/shm"))
    with bench_process(*RUN, cwd=tmp_path) as process:
        wait_for_lines(tmp_path / "run", 3, process)
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        process.communicate(timeout=60)
    assert not psutil.wait_procs(family, timeout=10)[1], "a process stays"
    wait_until_empty(temporary)
    assert not {name for name in set(os.listdir("/dev/shm")) - memory if "plasma" in name}
