"""Figures of perturbed runs: on small runs written by hand, where every number can be counted."""

from __future__ import annotations

import math

import numpy as np
import pytest
from perturbedruns import BOTH, NOISE, PLAN, WINS, fill, item, row

from harness.core import Perturbation
from harness.records.plan import NotRun, Plan
from harness.stats import Estimate, mean_of_rates, paired_difference, value_of, wilson
from leaderboards.ratio import ratio_of_counts
from leaderboards.robustness import robustness


def test_rates_drops_and_what_is_kept() -> None:
    rows = robustness(fill(PLAN, WINS))
    reach = row(rows, "action_noise", 4, "manipulation", "toy/reach@1")
    assert (reach.success_rate, reach.control_rate, reach.n, reach.pairs, reach.tasks) == (
        0.2,
        1.0,
        10,
        10,
        1,
    )
    assert value_of(reach.relative_drop) == pytest.approx(0.8)
    assert value_of(reach.retention) == pytest.approx(0.2)
    assert reach.interval == wilson(2, 10)
    assert reach.difference is not None
    assert reach.difference.value == pytest.approx(-0.8)
    assert -1 <= reach.difference.low < -0.8 < reach.difference.high < 0
    overall = row(rows, "action_noise", 4)
    assert overall.success_rate == pytest.approx(0.1)  # the mean over tasks
    assert overall.control_rate == pytest.approx(0.75)
    assert value_of(overall.retention) == pytest.approx(0.1 / 0.75)
    assert value_of(row(rows, "action_noise", 4, "navigation").retention) == 0


def test_the_area_and_the_corruption_error() -> None:
    mine, baseline = fill(PLAN, WINS), fill(PLAN, {**WINS, ("reach", 1): 5, ("reach", 2): 5})
    curve = row(robustness(mine, baseline), "action_noise", None, "manipulation", "toy/reach@1")
    # Points (0, 1), (1, .8), (4, .2): .9 * 1 + .5 * 3, over 4.
    assert curve.area == pytest.approx(2.4 / 4)
    assert curve.corruption_error == pytest.approx((0.2 + 0.8) / (0.5 + 0.5))
    assert row(robustness(mine), "action_noise", None).corruption_error is None
    perfect = fill(PLAN, {("reach", 0): 10, ("reach", 1): 10, ("reach", 2): 10})
    assert (
        row(
            robustness(mine, perfect), "action_noise", None, "manipulation", "toy/reach@1"
        ).corruption_error
        is None
    )


def test_recovery_counts_bursts_that_took_place_where_the_control_won() -> None:
    rows = robustness(fill(PLAN, WINS))
    walk = row(rows, "burst", 3, "navigation", "toy/walk@1")
    assert walk.recovery_n == 5
    assert_like(walk.recovery, wilson(4, 5))
    assert row(rows, "burst", 3).recovery_n == 15
    assert row(rows, "action_noise", 1).recovery_n is None
    none = row(robustness(fill(PLAN, WINS, burst_steps=0.0)), "burst", 3)
    assert (none.recovery_n, none.recovery) == (0, None)


def test_the_interaction_of_two() -> None:
    rows = robustness(fill(PLAN, WINS))
    both = row(rows, "action_noise:1+action_delay", 2, "manipulation", "toy/reach@1")
    assert both.interaction is not None
    assert both.interaction.value == pytest.approx((0.1 - 1) - (0.8 - 1) - (0.6 - 1))
    assert both.interaction.low < both.interaction.value < both.interaction.high
    assert row(rows, "action_delay", 2).interaction is None
    alone = Plan(PLAN.items, perturbations=(NOISE, BOTH))
    found = robustness(fill(alone, {("reach", 0): 5, ("reach", 1): 5, ("reach", 2): 5}))
    assert (
        row(found, "action_noise:1+action_delay", 2).interaction is None
    )  # the delay alone was not played


def test_where_the_control_is_0_nothing_can_be_lost() -> None:
    rows = robustness(fill(PLAN, {**WINS, ("reach", 0): 0, ("reach", 1): 0}))
    reach = row(rows, "action_noise", 1, "manipulation", "toy/reach@1")
    assert value_of(reach.difference) == 0.0
    assert (reach.relative_drop, reach.retention) == (None, None)
    assert row(rows, "action_noise", 1).relative_drop is not None  # overall the control is not 0


def test_unpaired_and_failed_cases_are_partial_and_in_no_pair() -> None:
    outcomes = fill(PLAN, {("reach", 0): 10, ("reach", 1): 10})
    outcomes.state[0][1, :3] = -1  # three perturbed cases ended in errors
    outcomes.state[0][0, 9] = -2  # and a control was not played
    reach = row(robustness(outcomes), "action_noise", 1, "manipulation", "toy/reach@1")
    assert (reach.n, reach.errors, reach.pairs, reach.partial) == (7, 3, 6, True)
    assert reach.rate_if_missing_fail == pytest.approx(0.7)
    empty = row(robustness(outcomes), "action_noise", 4)
    assert (empty.success_rate, empty.difference, empty.n, empty.partial) == (None, None, 0, True)


def test_what_is_not_played_in_a_task_is_in_no_figure() -> None:
    other = (Perturbation("hue", 1, {"degrees": 15}),)
    plan = Plan(
        (item("reach", conditions=(0,)), item("walk", "navigation")), perturbations=(NOISE, other)
    )
    assert plan.total == 10 * (2 + 3)
    rows = robustness(
        fill(
            plan,
            {("reach", 0): 10, ("reach", 1): 4, ("walk", 0): 10, ("walk", 1): 10, ("walk", 2): 10},
        )
    )
    assert (row(rows, "hue", 1).planned, row(rows, "hue", 1).tasks) == (10, 1)
    assert not [r for r in rows if r.perturbation == "hue" and r.domain == "manipulation"]
    late = NotRun("toy/walk@1", "navigation", "toy", "no picture", "leave it out", "hue:1")
    found = Plan(plan.items, perturbations=plan.perturbations, not_run=(late,))
    assert found.total == 10 * (2 + 2)
    assert "hue" not in {r.perturbation for r in robustness(fill(found, {("walk", 0): 10}))}


def test_the_ratios_interval_covers() -> None:
    """Donner & Zou's interval with a correlation, over tasks that weigh the same: 90 % at least."""
    rng, inside, total = np.random.default_rng(0), 0, 0
    for _ in range(60):
        truth = np.array([[0.9, 0.6], [0.7, 0.35], [0.95, 0.8]])
        drawn = rng.random((3, 25, 1))
        shared = (drawn < truth[:, None]).astype(float)  # a case and its control share the draw
        alone = (rng.random((3, 25, 2)) < truth[:, None]).astype(float)
        for draw in (shared, alone):
            before, after, both = (
                each.sum(axis=1) for each in (draw[..., 0], draw[..., 1], draw.prod(axis=2))
            )
            ratio, low, high = ratio_of_counts(np.full(3, 25), before, after, both)
            high = math.inf if math.isnan(high) else high
            assert 0 <= low <= ratio <= high
            inside += low <= truth[:, 1].mean() / truth[:, 0].mean() <= high
            total += 1
    assert inside / total > 0.9


def test_what_is_computed_together_is_what_each_would_be_alone() -> None:
    rng = np.random.default_rng(3)
    plan = Plan(
        tuple(item(f"t{k}", ("manipulation", "navigation")[k % 2], 3 + k % 3) for k in range(7)),
        perturbations=(NOISE, BOTH),
    )
    arrays = fill(plan, {})
    for state in arrays.state:
        state[:] = rng.integers(0, 2, state.shape)
    rows = robustness(arrays)
    for domain, step in ((None, slice(None)), ("manipulation", slice(0, None, 2))):
        for condition, (name, severity) in enumerate(
            (("action_noise", 1), ("action_noise:1+action_delay", 2)), 1
        ):
            found = row(rows, name, severity, domain)
            states = arrays.state[step]
            wins, counts = zip(*((int(s[condition].sum()), s.shape[1]) for s in states))
            assert_like(found.interval, mean_of_rates(wins, counts))
            changes = [s[condition].astype(float) - s[0] for s in states]
            assert_like(found.difference, paired_difference(changes))
    for number, state in enumerate(arrays.state):
        domain = plan.items[number].task.domain
        found = row(rows, "action_noise", 1, domain, f"toy/t{number}@1")
        assert found.interval == wilson(int(state[1].sum()), state.shape[1])
        assert_like(found.difference, paired_difference([state[1].astype(float) - state[0]]))


def assert_like(found: Estimate | None, expected: Estimate) -> None:
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx(
        (expected.value, expected.low, expected.high)
    )
