"""`bench doctor --deep`: steps one task of each family that is installed.

Each family has its own process, so that a simulator that crashes or hangs spoils one row only.
"""

from __future__ import annotations

import itertools
import multiprocessing
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as Late
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from harness.core import Case, Task
from harness.core.lane import build_adapter
from harness.host.loading import load_adapter
from harness.play.text_table import text_table
from harness.testing.checked_lane import CheckedLane, ScriptedPlayer
from harness.testing.checks import ContractError, call
from harness.testing.trajectory import demand_equal

__all__ = ["DeepCheckReport", "deep_check"]

STEPS = 20
RATE_S = 1.0
PATIENCE_S = 180.0
HEAD = ["family", "task", "same twice, to the spec", "steps/s", "all read", "reset s"]
"""Steps per second with no view read, and with all of them; seconds of the first reset."""


class DeepCheckReport:
    """A row per family, and whether all that was tried passed."""

    def __init__(self, rows: Sequence[Sequence[str]], passed: bool) -> None:
        self.rows, self.passed = rows, passed

    def __str__(self) -> str:
        return text_table(HEAD, self.rows, figures=True)


def deep_check(adapters: Mapping[str, str], tasks: Sequence[Task]) -> DeepCheckReport:
    """Try the first of `tasks` of each installed family of `adapters` (family -> entry).

    Takes some seconds per family.
    """
    rows: list[list[str]] = []
    passed = True
    for family, entry in adapters.items():
        task = next((task for task in tasks if task.adapter == entry), None)
        if load_adapter(entry).missing() is not None:
            continue
        if task is None:
            rows.append([family, "", "the suite smoke has no task of it", "", "", ""])
            continue
        found = _in_own_process(task)
        passed = passed and found[0] == "yes"
        rows.append([family, task.name, *found])
    return DeepCheckReport(rows, passed)


def _in_own_process(task: Task) -> list[str]:
    """The cells of `check_and_time`, from a fresh process that may crash or hang."""
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
    try:
        return pool.submit(check_and_time, task).result(PATIENCE_S)
    except Late:
        return [f"no: nothing came back in {PATIENCE_S:.0f} s", "", "", ""]
    except BrokenProcessPool:
        return ["no: the process died", "", "", ""]
    finally:
        for process in list((pool._processes or {}).values()):
            process.kill()
        pool.shutdown()


def check_and_time(task: Task) -> list[str]:
    """Cells of a row: is a case equal when played twice, two rates in steps/s, a reset in s.

    It is played twice in one environment and once in a new one, with the same random actions; every
    view is read and checked against the brief.
    """
    kind: Any = load_adapter(task.adapter)
    player = ScriptedPlayer(task, STEPS, None)
    case = Case(task, task.first_seed)
    try:
        adapter = call("the constructor", build_adapter, kind, task)
        try:
            lane = CheckedLane(adapter)
            begun = time.perf_counter()
            lane.reset(case)
            first = time.perf_counter() - begun
            once = player.play(lane, case, read=True)
            demand_equal(
                player.play(lane, case, read=True),
                once,
                "the same case plays another episode the second time",
            )
            rates = [_rate(lane, player, task, read) for read in (False, True)]
        finally:
            adapter.close()
        other = call("the constructor", build_adapter, kind, task)
        try:
            demand_equal(
                player.play(CheckedLane(other), case, read=True),
                once,
                "a new environment plays another episode of the same case",
            )
        finally:
            other.close()
    except ContractError as broken:
        return [f"no: {broken}", "", "", ""]
    return ["yes", *(f"{rate:.0f}" for rate in rates), f"{first:.1f}"]


def _rate(lane: CheckedLane, player: ScriptedPlayer, task: Task, read: bool) -> float:
    """Steps per second over RATE_S, resets left out."""
    seconds, steps = 0.0, 0
    for number in itertools.count():
        timestep = lane.reset(Case(task, task.first_seed + number))
        actions = player.drawn(lane.brief.action)
        for _ in range(STEPS):
            action = next(actions)
            begun = time.perf_counter()
            timestep = lane.step(action)
            if read:
                for view in timestep.observation.values():
                    if callable(view):
                        view()
            seconds += time.perf_counter() - begun
            steps += 1
            if timestep.terminated or timestep.truncated or timestep.success:
                break
        if seconds >= RATE_S or number >= 200:
            return steps / seconds
    raise AssertionError
