"""Agreement of a simulator with the robot: published figures, limits, and what is covered."""

from __future__ import annotations

import numpy as np
import pytest
from calibration import agreement as worlds
from scipy.stats import pearsonr, spearmanr

from harness.stats import wilson
from harness.stats.agreement import (
    correlation_difference,
    mean_maximum_rank_violation,
    pearson,
    powered_rate,
    rank_violation,
    spearman,
)

RNG = np.random.default_rng(3)
REAL = RNG.random(9)
SIMULATED = np.clip(REAL + 0.3 * RNG.normal(size=9), 0, 1)


def test_correlations_are_scipys_with_wider_intervals() -> None:
    found, known = pearson(SIMULATED, REAL), pearsonr(SIMULATED, REAL)
    assert found is not None
    assert found.value == pytest.approx(known.statistic)
    # Fisher's bounds, of a variance that is larger by 1 + 2 r^2.
    z = np.arctanh(known.statistic)
    fisher = np.arctanh(known.confidence_interval(0.95)) - z
    wider = np.tanh(z + fisher * np.sqrt(1 + 2 * known.statistic**2))
    assert (found.low, found.high) == pytest.approx(tuple(wider))
    ranks = spearman(SIMULATED, REAL)
    assert ranks is not None
    assert ranks.value == pytest.approx(spearmanr(SIMULATED, REAL).statistic)


def test_the_rank_violation_is_that_of_simpler() -> None:
    real = np.array([0.853, 0.920, 0.760, 0.133])
    found = rank_violation(np.array([0.857, 0.710, 0.567, 0.027]), real)
    # The simulator turns only the first two around.
    assert found == pytest.approx([0.067, 0.067, 0.0, 0.0])
    # Of two that it does not tell apart, the worse one is not below the other there.
    tied = rank_violation(np.array([0.5, 0.5]), np.array([0.2, 0.6]))
    assert tied == pytest.approx([0.4, 0.0])
    assert (rank_violation(real, real) == 0).all()
    assert rank_violation(-real, real) == pytest.approx([0.72, 0.787, 0.627, 0.787])


def test_below_five_policies_there_are_points_only() -> None:
    for measure in (pearson, spearman, mean_maximum_rank_violation):
        assert measure(REAL[:4], SIMULATED[:4]) is None
        assert measure(REAL[:5], SIMULATED[:5]) is not None
    assert pearson(np.full(6, 0.5), REAL[:6]) is None
    line = pearson(REAL * 2, REAL)
    assert line is not None
    assert line.low is None


def test_two_correlations_with_one_robot_by_the_example_of_zou() -> None:
    # Zou 2007, section "Comparing two overlapping correlations": n = 66, r12 = 0.396,
    # r13 = 0.179, r23 = 0.088; difference 0.217 with bounds -0.093 to 0.517.
    wanted = np.array([[1, 0.396, 0.179], [0.396, 1, 0.088], [0.179, 0.088, 1]])
    drawn = np.random.default_rng(0).normal(size=(66, 3))
    drawn -= drawn.mean(0)
    white = drawn @ np.linalg.inv(np.linalg.cholesky(drawn.T @ drawn)).T
    real, first, other = (white @ np.linalg.cholesky(wanted).T).T
    found = correlation_difference(first, other, real, spread=0.0)
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((0.217, -0.093, 0.517), abs=1e-3)


def test_simulated_cases_help_only_where_they_tell_something() -> None:
    rng = np.random.default_rng(1)
    hard = rng.random(580)
    real, there = (hard[:80] < 0.6).astype(float), (hard < 0.5).astype(float)
    helped, power = powered_rate([real], [there[:80]], [there[80:]])
    alone, none = powered_rate([real], [np.ones(80)], [np.ones(500)])
    assert power > 0.5
    assert none == 0
    assert helped.high - helped.low < 0.85 * (alone.high - alone.low)
    # A simulator that tells nothing leaves the trials as they are.
    known = wilson(int(real.sum()), 80)
    assert (alone.value, alone.low, alone.high) == pytest.approx(
        (known.value, known.low, known.high)
    )


def test_the_intervals_cover() -> None:
    runs = 60
    noise = 3 * 100 * np.sqrt(0.05 * 0.95 / runs)
    found = worlds.covered(worlds.WORLDS["the simulator is close"], 6, runs)
    assert min(found.values()) > 95 - noise, found
    covers, _, width, alone = worlds.powered("half succeed, simulated alike", (1, 50, 500), runs)
    assert covers > 95 - noise
    assert width < 0.95 * alone
