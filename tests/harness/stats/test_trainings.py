"""Intervals over trainings: textbook formulas, limits, and what a simulation covers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from calibration.methods import World, covered
from scipy.stats import chi2, ttest_ind

from harness.stats.trainings import (
    CrossedCases,
    difference_of_methods,
    mean_of_method,
    spread_between_trainings,
    spread_of,
)


def one_task(cases: int) -> CrossedCases:
    return CrossedCases([cases], np.arange(cases))


def drawn(seed: int, k: int, n: int, trainings: float, cases: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    parts = trainings * rng.normal(size=(k, 1)) + cases * rng.normal(size=n)
    return np.asarray(0.5 + parts + 0.05 * rng.normal(size=(k, n)))


@pytest.mark.parametrize("cases", [0.0, 0.2])
def test_one_method_is_the_two_way_analysis_of_variance(cases: float) -> None:
    values = drawn(1, 5, 12, 0.1, cases)
    k, n = values.shape
    rows, columns = values.mean(1), values.mean(0)
    of_rows = n * ((rows - values.mean()) ** 2).sum() / (k - 1)
    of_columns = k * ((columns - values.mean()) ** 2).sum() / (n - 1)
    apart = values - rows[:, None] - columns + values.mean()
    rest = (apart**2).sum() / ((k - 1) * (n - 1))
    found = spread_of([values], one_task(n))
    # Hillis 2007: the variance of the mean over readers and cases.
    expected = (of_rows + max(of_columns - rest, 0)) / (k * n)
    assert found.variance() == pytest.approx(expected)
    assert found.own[0] == pytest.approx(rest / n)


def test_two_methods_without_a_variance_of_cases_are_welchs_test() -> None:
    base, new = drawn(2, 4, 30, 0.1, 0.0), drawn(3, 6, 30, 0.02, 0.0)
    cases = one_task(30)
    found = spread_of([new.mean(0) - base, new - base.mean(0)], cases)
    known = ttest_ind(new.mean(1), base.mean(1), equal_var=False)
    alone = dataclasses.replace(found, cases=0.0)
    assert alone.p(float(new.mean() - base.mean())) == pytest.approx(known.pvalue)
    assert alone.freedom() == pytest.approx(known.df)


def test_cases_that_all_trainings_share_widen_the_interval() -> None:
    rng = np.random.default_rng(4)
    base, new = drawn(5, 5, 40, 0.02, 0.1), drawn(6, 5, 40, 0.02, 0.1)
    apart = spread_of([new.mean(0) - base, new - base.mean(0)], one_task(40))
    assert apart.cases > 0.1**2 / 40
    assert apart.reach(0.95) > apart.reach(0.95, cases=4)
    room = np.repeat(rng.normal(0, 0.1, 40), 2)
    both = CrossedCases([40, 40], np.tile(np.arange(40), 2))
    two = CrossedCases([40, 40], np.arange(80))
    rooms = room.reshape(40, 2).T.reshape(-1)
    values = 0.5 + rooms + 0.02 * rng.normal(size=(4, 80))
    # A room that two tasks show is one case and not two.
    assert spread_of([values], both).cases == pytest.approx(
        2 * spread_of([values], two).cases, rel=0.05
    )


def test_tasks_weigh_the_same_whatever_their_number_of_cases() -> None:
    values = np.tile(np.r_[np.ones(2), np.zeros(30)], (3, 1))
    found = mean_of_method(values, CrossedCases([2, 30], np.arange(32)))
    assert found.value == 0.5


def test_values_that_do_not_vary_have_the_bounds_of_their_cases() -> None:
    cases = one_task(20)
    found = mean_of_method(np.ones((5, 20)), cases)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.8389, abs=1e-4)  # Wilson's bound of 20 of 20
    none = np.zeros((4, 20))
    difference, p = difference_of_methods(none, none, cases)
    assert difference.low == pytest.approx(-(difference.high or 0.0))
    assert (difference.high or 0.0) > 0.1
    assert p == 1.0


def test_two_trainings_have_no_interval() -> None:
    cases, values = one_task(20), np.ones((2, 20))
    assert mean_of_method(values, cases).low is None
    assert spread_between_trainings(values, cases).high is None
    assert difference_of_methods(values, np.ones((9, 20)), cases)[1] is None


def test_the_spread_between_trainings_has_the_bounds_of_the_chi_square_distribution() -> None:
    values = np.repeat(np.array([[0.2], [0.4], [0.5], [0.9]]), 10, axis=1)
    found = spread_between_trainings(values, one_task(10))
    variance = np.var([0.2, 0.4, 0.5, 0.9], ddof=1)
    assert found.value**2 == pytest.approx(variance)
    assert (found.low or 0) ** 2 == pytest.approx(3 * variance / chi2.ppf(0.975, 3))
    assert (found.high or 0) ** 2 == pytest.approx(3 * variance / chi2.ppf(0.025, 3))


def test_the_intervals_cover_where_trainings_and_cases_differ() -> None:
    runs = 120
    world = World(number=2, cases=10, case=0.0, method_in_case=3.0, training=(0.3, 0.3))
    found = covered(world, (4, 4), runs)
    noise = 3 * 100 * np.sqrt(0.05 * 0.95 / runs)
    assert found["difference"] > 95 - noise
    assert found["mean"] > 95 - noise
    assert found["by trainings alone"] < 85, "the simulation would see cases that are left out"
