"""The shares of stages and modes cover, and a mode is named only where it is frequent."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from calibration import stages as simulated
from conftest import Notes
from planted_failures import DropsSometimes

from harness.cli.names import suites_named
from harness.play.episode import agent_key
from harness.play.planning import make_plan
from harness.play.runner import RunOptions, play
from harness.records.catalogue import select_tasks
from harness.records.identity import AgentSpec
from harness.records.stored_run import StoredRun, load_run
from harness.stats import clopper_pearson
from harness.verify.stages import stages_of_run
from leaderboards.stage_shares import CAUSES, Outcomes, is_named, mean_share
from leaderboards.stage_tables import render_stages
from leaderboards.stages import ModeShare, StageReport, stage_report

RUNS = 300
NOISE = 3 * 100 * np.sqrt(0.05 * 0.95 / RUNS)
"""Three standard errors of a share of 5 %, in points."""


def outcomes(won: int, episodes: int, *, unknown: int = 0, family: object = "own") -> Outcomes:
    """A task of which the first episodes hold."""
    values = (np.arange(episodes) < won).astype(float)
    return Outcomes(
        share=won / episodes, values=values, seeds=np.arange(episodes), unknown=unknown,
        family=family,
    )  # fmt: skip


def test_one_task_has_the_exact_interval() -> None:
    found, expected = mean_share([outcomes(3, 20)]), clopper_pearson(3, 20)
    assert (found.value, found.low, found.high) == (0.15, expected.low, expected.high)


def test_several_tasks_have_that_of_the_simulations() -> None:
    counts = (0, 2, 5)
    tasks = [outcomes(k, 10, family=str(k)) for k in counts]
    low, high = simulated.bounds(np.array([counts]) / 10, np.full((1, 3), 10.0))
    assert (mean_share(tasks).low, mean_share(tasks).high) == pytest.approx((low[0], high[0]))
    together = [outcomes(k, 10) for k in (3, 3, 3)]
    held = np.stack([each.values for each in together], axis=1)[None]
    counted = np.full((1, 3), 10.0) / simulated.designs(held)[:, None]
    low, high = simulated.bounds(np.full((1, 3), 0.3), counted)
    assert (mean_share(together).low, mean_share(together).high) == pytest.approx((low[0], high[0]))
    assert mean_share(together).high > clopper_pearson(9, 30).high + 0.1


def test_what_is_not_known_counts_for_neither_bound() -> None:
    for tasks in ([outcomes(3, 20, unknown=2)], [outcomes(3, 20, unknown=2), outcomes(9, 20)]):
        known = [dataclasses.replace(each, unknown=0) for each in tasks]
        assert mean_share(tasks).low < mean_share(known).low
        assert mean_share(tasks).high > mean_share(known).high


def test_shares_cover_where_those_of_success_rates_do_not() -> None:
    worlds = (
        *simulated.ONE[:4], *simulated.SEVERAL[:9], *simulated.SEVERAL[11:14], *simulated.ROOMS[::5]
    )  # fmt: skip
    rows = simulated.coverage(worlds, RUNS)
    for world, covered, _, _, _ in rows:
        assert float(covered) > 95 - NOISE, world
    assert min(float(row[3]) for row in rows) < 92, "the simulation would see too narrow ones"


@pytest.mark.parametrize(("tasks", "episodes"), [(1, 20), (1, 40), (4, 10)])
def test_rare_modes_are_seldom_named_and_frequent_ones_are(tasks: int, episodes: int) -> None:
    rng = np.random.default_rng(0)
    rare = simulated.named((0.05,) * simulated.MODES, tasks, episodes, RUNS, rng)
    assert 100 * rare.any(axis=1).mean() < 5 + NOISE
    often = simulated.named((0.5, 0.02), tasks, episodes, RUNS, rng)
    assert often[:, 0].mean() > 0.95
    assert often[:, 1].mean() < 0.02


def test_the_rule_is_that_of_the_simulations() -> None:
    for won in range(12):
        low, _ = simulated.bounds(np.array([[won / 40]]), np.array([[40.0]]), 1 - 0.1 / 8)
        assert is_named([outcomes(won, 40)], 8) == (low[0] > 0.05)
    assert "out_of_time" not in CAUSES


def reported(folder: Path, share: float) -> tuple[StageReport, list[bool], StoredRun]:
    """The report on an agent that drops, and the outcomes of the episodes in which it let go."""
    pytest.importorskip("metaworld")
    chosen = [
        (suite, dataclasses.replace(task, max_steps=100))
        for suite, task in select_tasks(suites_named("metaworld"), "metaworld/pick-place-v3")
    ]
    spec = AgentSpec("drops", "planted_failures:DropsSometimes", {"share": share})
    plan = make_plan(chosen, spec, episodes=8, seed=0)
    DropsSometimes.let_go.clear()
    play(spec, ["metaworld"], plan, folder, RunOptions(workers=0), Notes())
    run = load_run(folder)
    let_go = [
        bool(result.success)
        for index, result in run.cases()
        if agent_key(run.plan.case(index)) in DropsSometimes.let_go
    ]
    return stage_report(run, stages_of_run(run)), let_go, run


def modes(report: StageReport) -> Iterator[ModeShare]:
    return (row for domain in report.modes for row in domain.modes)


def test_an_agent_that_drops_is_named_and_one_that_does_not_is_not(tmp_path: Path) -> None:
    report, let_go, run = reported(tmp_path / "drops", 0.8)
    assert let_go
    assert not any(let_go)
    (dropped,) = [row for row in modes(report) if row.mode == "dropped"]
    assert dropped.episodes == len(let_go)
    assert dropped.named
    expected = clopper_pearson(len(let_go), 8)
    assert (dropped.share.low, dropped.share.high) == (expected.low, expected.high)
    text = render_stages(report, "text")
    assert "named, for sure in more than one episode of twenty: manipulation: dropped" in text
    healthy, none, _ = reported(tmp_path / "healthy", 0.0)
    assert none == []
    assert not any(row.named for row in modes(healthy))
    assert "named: no failure mode" in render_stages(healthy, "text")
    stopped = dataclasses.replace(run, description={**run.description, "stopped": "all"})
    unbounded = stage_report(stopped, stages_of_run(run))
    assert not any(row.named for row in modes(unbounded))
    assert "named" not in render_stages(unbounded, "text")
