"""All-k and any-k success, noise and variance between cases: by hand, and by simulation."""

from __future__ import annotations

import itertools
from math import comb

import numpy as np
import pytest

from harness.stats import mean_of_scores, wilson
from harness.stats.intervals import rate_bounds
from harness.stats.repeated import (
    all_of,
    any_of,
    discordance,
    mean_of_shares,
    variance_between_cases,
)


def test_every_choice_of_plays_counts_once() -> None:
    plays = (True, True, False, True, False)
    for number in range(1, 6):
        chosen = list(itertools.combinations(plays, number))
        assert len(chosen) == comb(5, number)
        (one,) = all_of(np.array([3]), 5, number)
        (other,) = any_of(np.array([3]), 5, number)
        assert one == pytest.approx(np.mean([all(each) for each in chosen]))
        assert other == pytest.approx(np.mean([any(each) for each in chosen]))
    pairs = list(itertools.combinations(plays, 2))
    (noise,) = discordance(np.array([3]), 5)
    assert noise == pytest.approx(np.mean([one != other for one, other in pairs]))


def test_shares_that_are_0_or_1_have_wilsons_interval() -> None:
    found, known = mean_of_shares([np.array([1.0, 0, 0, 1, 1])]), wilson(3, 5)
    assert (found.value, found.low, found.high) == pytest.approx(
        (known.value, known.low, known.high)
    )
    for edge in (0.0, 1.0):
        found = mean_of_shares([np.full(4, edge)])
        assert found.low <= found.value == edge <= found.high
    with pytest.raises(ValueError, match="at least one task"):
        mean_of_shares([])
    with pytest.raises(ValueError, match="a case of each"):
        mean_of_shares([np.array([])])


def test_the_variance_between_cases_is_the_jackknife_of_its_estimator() -> None:
    successes, plays = np.array([0, 1, 4, 4, 2, 3]), 4

    def estimate(counts: np.ndarray) -> float:
        within = counts * (plays - counts) / (plays * (plays - 1))
        return float(np.var(counts / plays, ddof=1) - within.mean() / plays)

    whole, n = estimate(successes), len(successes)
    left_out = [estimate(np.delete(successes, k)) for k in range(n)]
    by_hand = [n * whole - (n - 1) * each for each in left_out]
    found = variance_between_cases(successes, plays)
    assert found == pytest.approx(by_hand)
    assert found.mean() == pytest.approx(whole)


CHANCES = {"even": (1.0, 1.0), "either": (0.2, 0.2), "mostly": (8.0, 1.0), "alike": (50.0, 50.0)}


@pytest.mark.parametrize("name", CHANCES)
@pytest.mark.parametrize(("tasks", "cases", "plays"), [(1, 20, 5), (4, 10, 3)])
def test_intervals_cover(name: str, tasks: int, cases: int, plays: int) -> None:
    runs, (a, b) = 1500, CHANCES[name]
    rng = np.random.default_rng(7)
    chances = rng.beta(a, b, (runs, tasks, cases))
    successes = rng.binomial(plays, chances)

    def moment(number: int) -> float:
        return float(np.prod([(a + k) / (a + b + k) for k in range(number)]))

    wrong_way = float(np.prod([(b + k) / (a + b + k) for k in range(plays)]))
    # The ends, one number between them, and the noise floor.
    for values, truth in (
        (all_of(successes, plays, plays), moment(plays)),
        (all_of(successes, plays, 2), moment(2)),
        (any_of(successes, plays, plays), 1 - wrong_way),
        (discordance(successes, plays), 2 * (moment(1) - moment(2))),
    ):
        low, high = rate_bounds(values.mean(axis=-1), np.full((runs, tasks), float(cases)))
        # Wilson's interval of 20 cases covers 93 % at some rates.
        assert np.mean((low <= truth) & (truth <= high)) >= 0.92


@pytest.mark.parametrize("name", ["even", "either", "mostly", "nearly all"])
def test_the_variance_between_cases_is_covered(name: str) -> None:
    (a, b), plays = {**CHANCES, "nearly all": (20.0, 1.0)}[name], 4
    truth = a * b / ((a + b) ** 2 * (a + b + 1))
    rng = np.random.default_rng(11)
    covered, runs = 0, 300
    for _ in range(runs):
        successes = rng.binomial(plays, rng.beta(a, b, 200))
        found = mean_of_scores([variance_between_cases(successes, plays)])
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth <= found.high
    assert covered / runs >= 0.92
