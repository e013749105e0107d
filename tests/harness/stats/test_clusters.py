"""Tasks that share their seeds: the design effect, and what takes it into account."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats import (
    Clusters,
    anytime_mean,
    design_effect,
    design_effects,
    log_stake,
    mean_of_rates,
    paired_difference,
    paired_p,
    wilson,
)


def test_a_design_effect_worked_by_hand() -> None:
    """Deviations divided by n: 1/4, -1/4 and 1/4, 0, -1/4, 0 over seeds 0, 1 and 0, 1, 2, 3.

    Of seeds 0, 1 and 2 their squares add up to 2/16, 1/16 and 1/16: that is known of
    4^2 / (2^2 + 1 + 1) = 8/3 seeds. Of equal values the weights 1/2 and 1/4 would be added.
    """
    values = [np.array([1.0, 0.0]), np.array([2.0, 1.0, 0.0, 1.0])]
    clusters = [np.array([0, 1]), np.arange(4)]
    found = ((1 / 2) ** 2 + (1 / 4) ** 2 + (1 / 4) ** 2) / (4 / 16)
    most = (2 * (3 / 4) ** 2 + 2 * (1 / 4) ** 2) / (2 / 4 + 4 / 16)
    assert Clusters(np.array([0, 0, 1, 1, 1, 1]), np.concatenate(clusters)).most == most
    assert design_effect(values, clusters) == pytest.approx((8 / 3 * found + most) / (8 / 3 + 1))


def test_tasks_that_are_one_count_once_and_independent_ones_nearly_each() -> None:
    rng = np.random.default_rng(0)
    one = (rng.random(200) < 0.6).astype(float)
    seeds = np.arange(200)
    assert design_effect([one] * 7, [seeds] * 7) == pytest.approx(7)
    assert design_effect([one] * 7, [seeds + 1000 * k for k in range(7)]) == 1
    assert design_effect([one], [seeds]) == 1, "a task alone"
    assert 1 < design_effect([one, 1 - one], [seeds, seeds]) < 1.01, "never narrower"
    apart = [(rng.random(200) < 0.6).astype(float) for _ in range(7)]
    assert design_effect(apart, [seeds] * 7) < 1.5


def test_where_nothing_varies_a_seed_is_one_episode() -> None:
    seeds = [np.arange(5)] * 3
    assert design_effect([np.ones(5), np.full(5, 0.1), np.zeros(5)], seeds) == pytest.approx(3)
    few = [np.array([0.0, 1, 1, 1, 1]), np.ones(5), np.ones(5)]
    assert 1.5 < design_effect(few, seeds) < 2.5, "one failure tells half"


def test_each_family_has_its_own() -> None:
    rng = np.random.default_rng(0)
    one = (rng.random(200) < 0.6).astype(float)
    apart = [(rng.random(200) < 0.6).astype(float) for _ in range(3)]
    found = design_effects([one, *apart, one], [np.arange(200)] * 5, ["a", "b", "b", "c", "a"])
    assert found[[0, 4]] == pytest.approx(2)
    assert 1 < found[1] < 1.3
    assert found[1] == found[2]
    assert found[3] == 1


def test_what_hardly_varies_is_not_doubted_for_what_it_shares() -> None:
    """Every case is lost, by a little more in some rooms."""
    lost = [np.array([-0.84, -0.85, -0.86, -0.84])] * 57
    seeds = [np.arange(4)] * 57
    assert design_effect(lost, seeds) == pytest.approx(57)
    assert design_effect(lost, seeds, 0.1) < 57 / 3
    half = [np.array([-1.0, 0.0, 0.0, -1.0])] * 57
    assert design_effect(half, seeds, 0.1) == pytest.approx(57), "where it does vary, it is"


def test_copies_of_a_task_have_the_interval_of_one() -> None:
    changes = np.repeat([-1.0, 1.0, 0.0], [6, 2, 22])
    one, copies = paired_difference([changes]), paired_difference([changes] * 5, design=5)
    assert (copies.low, copies.high) == pytest.approx((one.low, one.high), abs=1e-9)
    assert paired_p([changes] * 5, 5) == pytest.approx(paired_p([changes]))
    rate, rates = wilson(60, 100), mean_of_rates([60] * 5, [100] * 5, design=5)
    assert (rates.low, rates.high) == pytest.approx((rate.low, rate.high), abs=2e-3)
    values = np.random.default_rng(0).random((30, 1))
    copied = np.repeat(values, 5, axis=1)
    assert log_stake(copied, 0.4, 1 / 5) == pytest.approx(log_stake(values, 0.4))
    assert anytime_mean(copied, families=["a"] * 5) == pytest.approx(anytime_mean(values))
    assert anytime_mean(copied)[0] > anytime_mean(values)[0]
