"""`gym:ID` where the family gym lives in another interpreter: it is tried and played there."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Said

from harness.cli.names import GYM, GYM_TASK
from harness.core import UserError
from harness.host.hosted import end_probes
from harness.records.catalogue import find_suites
from harness.records.stored_run import load_run
from suites import SUITES

pytest.importorskip("gymnasium")

NAME = "gym:CartPole-v1?max_steps=20&success=none"
Apart = Callable[..., None]


def test_the_task_is_the_one_that_is_made_here(apart: Apart) -> None:
    here = find_suites(NAME, SUITES, GYM_TASK)
    apart(sys.executable, GYM)
    assert find_suites(NAME, SUITES, GYM_TASK) == here
    with pytest.raises(UserError, match="did you mean gym:CartPole-v1"):
        find_suites("gym:CartPole-v", SUITES, GYM_TASK)


def test_it_is_played_there_as_here(
    apart: Apart, bench_here: Callable[..., Said], tmp_path: Path
) -> None:
    words = ("run", "--agent", "uniform", "--suite", NAME, "--workers", 0, "--episodes", 3)
    assert bench_here(*words, "--out", "here").code == 0
    said = bench_here(*words, "--out", "there", "--interpreter", f"gym={sys.executable}")
    assert said.code == 0, said.err
    here, there = ([each.digest for each in load_run(name).results()] for name in ("here", "there"))
    assert here == there
    said = bench_here("verify", "there", "--interpreter", f"gym={sys.executable}")
    assert said.code == 0, said.out


def test_what_is_missing_there_is_said_in_one_line(apart: Apart, bare: str, tmp_path: Path) -> None:
    apart(bare, GYM)
    with pytest.raises(UserError, match=r"gym:CartPole-v1: the package gymnasium is not installed"):
        find_suites("gym:CartPole-v1", SUITES, GYM_TASK)
    end_probes()
    apart(str(tmp_path / "none"), GYM)
    with pytest.raises(UserError, match=r"none cannot be started: .*; correct the path: bench\.t"):
        find_suites("gym:CartPole-v1", SUITES, GYM_TASK)
