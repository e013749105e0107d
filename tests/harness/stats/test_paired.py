"""Paired intervals and tests, against published examples, other libraries and definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats import (
    benjamini_hochberg,
    detectable_difference,
    episodes_for_rates,
    holm,
    mcnemar,
    newcombe,
    paired_difference,
    paired_p,
    pairs_needed,
    power_of_pairs,
    sign_flip,
)
from harness.stats.paired import paired_p_values


def pairs(wins: int, losses: int, n: int) -> np.ndarray:
    return np.repeat([1.0, -1.0, 0.0], [wins, losses, n - wins - losses])


# Fagerland, Lydersen & Laake (2014), Stat. Med. 33:2850, table V: airways before and after a
# transplantation, 1 against 7 of 21.
# Newcombe (1998), Stat. Med. 17:873, table II: 56/70 against 48/80, and 9/10 against 3/10, by
# method 10.
def test_published_intervals_of_a_difference():
    found = paired_difference([pairs(1, 7, 21)])
    assert (found.value, round(found.low, 3), round(found.high, 3)) == (
        pytest.approx(-6 / 21),
        -0.517,
        -0.026,
    )
    for second, first, low, high in (
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
    ):
        found = newcombe((first[0], second[0]), (first[1], second[1]))
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.integers(0, 60),
    st.sampled_from([0.8, 0.95]),
)
def test_one_task_is_tangos_interval(count, losses, level):
    """Tango (1998): |difference - bound| = z sqrt(n (2 q + bound (1 - bound))) / n.

    q solves a quadratic equation.
    """
    wins, n = count
    losses = min(losses, n - wins)
    found = paired_difference([pairs(wins, losses, n)], level)
    from statistics import NormalDist

    z = NormalDist().inv_cdf((1 + level) / 2)
    assert -1 <= found.low <= found.value <= found.high <= 1
    for bound in (found.low, found.high):
        if abs(bound) > 0.9999:
            continue
        # q: the chance of a loss, by likelihood, where the difference is `bound`
        a, b, c = (
            2 * n,
            -losses - wins + (2 * n - wins + losses) * bound,
            -losses * bound * (1 - bound),
        )
        q = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
        variance = (2 * q + bound * (1 - bound)) / n
        assert abs(found.value - bound) == pytest.approx(z * math.sqrt(variance), abs=1e-6)


def test_tasks_alike_pool_and_sides_mirror():
    one, three = paired_difference([pairs(9, 3, 63)]), paired_difference([pairs(3, 1, 21)] * 3)
    assert (three.value, three.low, three.high) == pytest.approx(
        (one.value, one.low, one.high), abs=1e-9
    )
    mixed = [pairs(3, 9, 20), pairs(0, 1, 50), np.array([0.25, -0.5, 0.0])]
    there, back = paired_difference(mixed), paired_difference([-each for each in mixed])
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-9)


def test_no_difference_at_all_has_an_interval_and_few_pairs_a_wider_one():
    many, few = (
        paired_difference([pairs(0, 0, 50)]),
        paired_difference([pairs(0, 0, 50), pairs(0, 0, 5)]),
    )
    assert many.high == pytest.approx(1.96**2 / (50 + 1.96**2), abs=1e-4)
    assert few.high > 0.2  # the task of five pairs could lose 43 points, half of which count


def test_the_p_value_is_where_the_interval_ends_at_zero():
    tasks = [pairs(3, 9, 21), pairs(4, 6, 50)]
    p = paired_p(tasks)
    assert paired_difference(tasks, 1 - p).high == pytest.approx(0, abs=1e-6)
    assert paired_p([pairs(1, 7, 21)]) == pytest.approx(
        0.0339, abs=1e-4
    )  # McNemar's asymptotic test: z = 6 / sqrt(8)
    assert paired_p([pairs(5, 5, 20)]) == 1.0


def test_a_task_without_pairs_is_refused():
    for wrong in ([], [np.zeros(0)]):
        with pytest.raises(ValueError, match="one pair"):
            paired_difference(wrong)


@pytest.mark.parametrize(("losses", "wins"), [(0, 0), (7, 1), (1, 7), (5, 5), (16, 6)])
def test_mcnemar_agrees_with_statsmodels(losses, wins):
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    assert mcnemar(losses, wins) == pytest.approx(
        tables.mcnemar([[3, losses], [wins, 4]], exact=True).pvalue
    )
    from scipy.stats import binomtest

    if losses + wins:
        assert mcnemar(losses, wins, worse_only=True) == pytest.approx(
            binomtest(wins, losses + wins, 0.5, "less").pvalue
        )


def test_flipped_signs_are_mcnemar_on_outcomes_and_exact_on_few_scores():
    assert sign_flip(pairs(2, 9, 30)) == mcnemar(9, 2)
    assert sign_flip(np.zeros(5)) == 1.0
    assert sign_flip(-np.arange(1.0, 41.0)) == 2 / 2**40, "lost in all cases, also of many tasks"
    scores = np.array([0.1, 0.3, 0.25, -0.05, 0.4, 0.2, 0.15])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 7)).reshape(7, -1)
    exact = np.mean(np.abs(scores @ signs) >= abs(scores.sum()) - 1e-12)
    assert sign_flip(scores) == pytest.approx(exact, abs=0.004)


def test_corrections_agree_with_statsmodels():
    tests = pytest.importorskip("statsmodels.stats.multitest")
    p = [0.01, 0.04, 0.03, 0.005, 0.9, 0.02]
    assert holm(p) == pytest.approx(tests.multipletests(p, method="holm")[1])
    assert benjamini_hochberg(p) == pytest.approx(tests.multipletests(p, method="fdr_bh")[1])
    assert (holm([]), benjamini_hochberg([])) == ([], [])


def test_planning_agrees_with_statsmodels_and_with_itself():
    power, rates = (
        pytest.importorskip("statsmodels.stats.power"),
        pytest.importorskip("statsmodels.stats.proportion"),
    )
    theirs = power.NormalIndPower().solve_power(
        rates.proportion_effectsize(0.8, 0.7), alpha=0.05, power=0.8
    )
    assert episodes_for_rates(0.8, 0.7) == 294 == pytest.approx(theirs, rel=0.02)
    # Connor (1987): to find .2 against .1 discordant, two-sided 5 %, 90 %
    reach = 1.959964 * math.sqrt(0.3) + 1.281552 * math.sqrt(0.3 - 0.01)
    assert pairs_needed(0.1, 0.3, 0.9) == math.ceil(reach**2 / 0.01) == 312
    assert power_of_pairs(0.1, 0.3, 312) == pytest.approx(0.9, abs=0.002)
    assert detectable_difference(0.3, 312, 0.9) == pytest.approx(0.1, abs=1e-3)
    assert detectable_difference(0.3, 3) > 0.8
    assert 0.05 < detectable_difference(0.02, 60) < 0.15, (
        "a larger difference makes more pairs discordant"
    )
    for wrong in ((0.3, 0.2), (0.0, 0.2)):
        with pytest.raises(ValueError, match="needs"):
            pairs_needed(*wrong)


def test_many_p_values_at_once_are_those_of_single_comparisons() -> None:
    rng = np.random.default_rng(5)
    alone, sums = [], []
    for _ in range(40):
        first, second = rng.random(2)
        changes = (rng.random((9, 6)) < second).astype(float) - (rng.random((9, 6)) < first)
        changes *= rng.choice([1.0, 0.4])
        alone.append(paired_p(list(changes)))
        parts = (-np.minimum(changes, 0), np.maximum(changes, 0), changes**2, np.ones((9, 6)))
        sums.append([each.sum(axis=1) for each in parts])
    together = paired_p_values(*(np.array(each) for each in zip(*sums)))
    assert together == pytest.approx(alone, rel=1e-5)
