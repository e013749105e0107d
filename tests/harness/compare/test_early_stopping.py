"""Runs that stop early: by the gate's rounds, or when an interval is narrow enough."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from conftest import Notes, Run, plan_of
from resultlines import FAILED, line_of

from harness.compare.early_stopping import GateRounds, WidthRounds, round_sizes
from harness.compare.pairs import ScoredRun, read_scored_run
from harness.core import UserError
from harness.play.runner import RunOptions, play
from harness.records.plan import CaseIndex
from harness.records.results import result_from_json

Play = Callable[..., Run]
TASKS = [toys.toy_task(name) for name in ("a", "b", "c")]


@pytest.fixture
def base(play_toys: Play) -> ScoredRun:
    return read_scored_run(play_toys("ExpertAgent", TASKS, 30, out="base").path)


def test_rounds_hold_every_task_and_in_the_end_every_episode() -> None:
    rounds, until = round_sizes([5, 12, 50])
    assert rounds == 5
    assert [until(item, rounds) for item in range(3)] == [5, 12, 50]
    for done in range(rounds):
        assert all(until(item, done + 1) > until(item, done) for item in range(3))


def test_only_whole_rounds_count_whatever_comes_first(base: ScoredRun) -> None:
    """Results arrive task by task, so those of the last task come last.

    The verdict waits for them, and does not depend on the order.
    """
    _, plan = plan_of("GoodAgent", TASKS, 30)
    ends = []
    for order in (range(90), np.random.default_rng(0).permutation(90).tolist()):
        rounds = GateRounds(plan, base.values, margin=0.05, alpha=0.05, sequential=True)
        for place in order:
            if rounds.decided is None:
                assert len(rounds.differences) < 30
            index = CaseIndex(place // 30, 0, place % 30)
            rounds.scored(index, result_from_json(line_of(index, FAILED, plan)))
        ends.append((rounds.decided, rounds.ends()))
    assert ends[0] == ends[1]
    assert ends[0][0] == "regress"


def test_episodes_are_added_until_the_interval_is_narrow(tmp_path: Path) -> None:
    from leaderboards.report import load_report

    spec, plan = plan_of("RandomAgent", [toys.toy_task("a"), toys.toy_task("far", size=30)], 400)

    def go(out: str, **options: Any) -> Path:
        summary = play(
            spec,
            ["toys"],
            plan,
            tmp_path / out,
            RunOptions(**options),
            Notes(),
            WidthRounds(plan, 0.3),
        )
        assert summary.missing == 0
        return summary.path

    one, other = load_report(go("one")), load_report(go("other", lanes=9))
    assert other.tasks == tuple(
        dataclasses.replace(row, simulator_s=o.simulator_s, agent_s=o.agent_s)
        for row, o in zip(one.tasks, other.tasks)
    )
    near, far = one.tasks
    assert 10 < far.n < near.n < 400, "a rate near 0 needs fewer"
    for row in one.tasks:
        assert row.interval is not None
        assert row.interval.low is not None
        assert row.interval.high is not None
        assert 0.28 < row.interval.high - row.interval.low < 0.3
        assert not row.partial
    with pytest.raises(UserError, match="until-width"):
        WidthRounds(plan, 1.5)


def test_the_cap_ends_what_stays_wide(tmp_path: Path) -> None:
    spec, plan = plan_of("RandomAgent", [toys.toy_task("a")], 12)
    summary = play(
        spec, ["toys"], plan, tmp_path / "run", RunOptions(), Notes(), WidthRounds(plan, 0.1)
    )
    assert (summary.planned, summary.missing) == (12, 0)
    assert "stopped" not in json.loads((tmp_path / "run" / "run.json").read_text())
