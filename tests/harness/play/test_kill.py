"""kill -9 half way and a full disk: the same command then gives what an undisturbed run gives."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import (
    SLOW_RUN,
    Run,
    bench_process,
    bench_there,
    read_lines,
    results_of,
    wait_for_lines,
)

from harness.records.traces import read_traces

GONE_S = 20.0
FULL = (
    "run",
    "--agent",
    "uniform",
    "--suite",
    "toysuite:QUICK",
    "--episodes",
    12,
    "--workers",
    0,
    "--out",
    "run",
)


def lines(path: Path) -> int:
    return (path / "episodes.jsonl").read_bytes().count(b"\n")


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_half_way(tmp_path: Path, slow_results: list[dict[str, Any]], workers: int) -> None:
    words = (*SLOW_RUN, "--workers", workers, "--out", "run")
    with bench_process(*words, cwd=tmp_path) as process:
        wait_for_lines(tmp_path / "run", 6, process)
        children = psutil.Process(process.pid).children(recursive=True)
        names = [child.name() for child in children]
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    try:
        assert sum("_Worker" in name for name in names) == workers
        assert not psutil.wait_procs(children, timeout=GONE_S)[1], "a process outlives the run"
        assert 6 <= lines(tmp_path / "run") < 12
        said = bench_there(*words, cwd=tmp_path)
    finally:
        for child in children:
            if child.is_running():
                child.kill()
    assert said.code == 0, said.err
    assert results_of(tmp_path / "run") == slow_results
    assert lines(tmp_path / "run") == 12, "no case was played twice"
    traces = {trace.case: trace for trace in read_traces(tmp_path / "run")}
    for line in slow_results:
        assert traces[line["case"]].digest == line["digest"]
        assert len(traces[line["case"]].decoded()) == line["steps"]


@pytest.mark.slow
def test_killed_half_way_on_real_simulators(tmp_path: Path) -> None:
    words = (
        "run",
        "--agent",
        "uniform",
        "--suite",
        "smoke",
        "--tasks",
        "babyai/*,metaworld/*,pddl/*,smoke/[!cn]*",
        "--episodes",
        2,
        "--out",
    )
    said = bench_there(*words, "whole", "--workers", 0, cwd=tmp_path)
    assert said.code == 0, said.err
    cut = (*words, "cut", "--workers", 0)
    with bench_process(*cut, cwd=tmp_path) as process:
        wait_for_lines(tmp_path / "cut", 9, process)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    assert 9 <= lines(tmp_path / "cut") < 18
    assert bench_there(*cut, cwd=tmp_path).code == 0
    assert results_of(tmp_path / "cut") == results_of(tmp_path / "whole")


def limited(size: int) -> list[str]:
    """Run a command whose files cannot exceed `size` bytes: writing fails as on a full disk.

    It compiles nothing: Python 3.11 keeps a .pyc file of which it could write but a part.
    """
    limit = (
        "import os, resource, sys; os.environ['PYTHONDONTWRITEBYTECODE'] = '1'; "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size})); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    return [sys.executable, "-c", limit]


@pytest.mark.parametrize("size", [5000, 9000, 20000])
def test_a_disk_that_fills_up(tmp_path: Path, play_toys: Callable[..., Run], size: int) -> None:
    said = bench_there(*FULL, cwd=tmp_path, under=limited(size))
    assert said.code == 4, said.err
    assert "Free some space; the same command then continues" in said.err
    assert "Traceback" not in said.err
    assert said.out.startswith("uniform"), "what there is, is shown"
    content = (tmp_path / "run" / "episodes.jsonl").read_bytes()
    assert content.endswith(b"\n"), "no torn line"
    played = read_lines(tmp_path / "run")
    assert 0 < len(played) < 60
    assert {trace.case for trace in read_traces(tmp_path / "run")} >= {
        line["case"] for line in played
    }
    assert f"{60 - len(played)} of 60 cases have no score" in said.err
    assert bench_there(*FULL, cwd=tmp_path).code == 0
    assert (tmp_path / "run" / "episodes.jsonl").read_bytes().startswith(content)
    assert lines(tmp_path / "run") == 60
    undisturbed = play_toys("baselines.simple:Uniform", episodes=12, out="undisturbed")
    assert results_of(tmp_path / "run") == undisturbed.results


def test_a_disk_that_is_full_at_the_start(tmp_path: Path) -> None:
    said = bench_there(*FULL, cwd=tmp_path, under=limited(1000))
    assert "Traceback" not in said.err
    assert said.code in (2, 4)
    assert "Free some space" in said.err
    assert bench_there(*FULL, cwd=tmp_path).code == 0
