from __future__ import annotations

import math
import subprocess
import sys
import warnings
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats import (
    Estimate,
    aggregates,
    clopper_pearson,
    exact_mean_of_rates,
    iqm,
    mean_of_rates,
    mean_of_scores,
    optimality_gap,
    wilson,
)

counts = st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


# Newcombe (1998), Statistics in Medicine 17:857, table I: methods 3 and 5
@pytest.mark.parametrize(
    ("successes", "n", "score", "exact"),
    [
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0.0000, 0.1611), (0.0000, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_published_intervals_of_one_rate(successes, n, score, exact):
    for interval, published in (
        (wilson(successes, n), score),
        (clopper_pearson(successes, n), exact),
    ):
        assert interval.value == successes / n
        assert (round(interval.low, 4), round(interval.high, 4)) == published


@settings(deadline=None)
@given(counts, st.sampled_from([0.8, 0.95, 0.99]))
def test_one_rate_agrees_with_scipy(count, level):
    from scipy.stats import binomtest

    for ours, method in ((wilson, "wilson"), (clopper_pearson, "exact")):
        theirs = binomtest(*count).proportion_ci(level, method)
        found = ours(*count, level)
        assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_wilson_and_exact_cover_what_they_promise():
    n = 25
    covered = {wilson: [], clopper_pearson: []}
    for rate in np.linspace(0.01, 0.99, 99):
        chances = [math.comb(n, k) * rate**k * (1 - rate) ** (n - k) for k in range(n + 1)]
        for method, values in covered.items():
            intervals = [method(k, n) for k in range(n + 1)]
            values.append(sum(c for c, i in zip(chances, intervals) if i.low <= rate <= i.high))
    assert 0.945 < np.mean(covered[wilson]) < 0.965  # on average: it may fall short here and there
    assert min(covered[clopper_pearson]) >= 0.95  # never


@settings(deadline=None)
@given(counts)
def test_a_mean_of_one_task_is_wilsons(count):
    one, mean = wilson(*count), mean_of_rates([count[0]], [count[1]])
    assert (mean.value, mean.low, mean.high) == pytest.approx(
        (one.value, one.low, one.high), abs=1e-9
    )


@settings(deadline=None)
@given(st.integers(0, 9), st.integers(1, 30))
def test_a_mean_of_equal_tasks_is_wilsons_of_the_pooled_count(successes, tasks):
    pooled, mean = (
        wilson(successes * tasks, 9 * tasks),
        mean_of_rates([successes] * tasks, [9] * tasks),
    )
    assert (mean.low, mean.high) == pytest.approx((pooled.low, pooled.high), abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 9), st.integers(1, 30))
def test_an_exact_mean_of_equal_tasks_is_clopper_and_pearsons_of_the_pooled_count(won, tasks):
    pooled = clopper_pearson(won * tasks, 9 * tasks)
    mean = exact_mean_of_rates([won] * tasks, [9] * tasks)
    assert (mean.low, mean.high) == pytest.approx((pooled.low, pooled.high), abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.lists(counts, min_size=1, max_size=12))
def test_an_exact_mean_holds_the_mean_and_failures_mirror_successes(tasks):
    successes, episodes = zip(*tasks)
    mean = exact_mean_of_rates(successes, episodes)
    mirrored = exact_mean_of_rates([n - k for k, n in tasks], episodes)
    assert 0 <= mean.low <= mean.value + 1e-12
    assert mean.value - 1e-12 <= mean.high <= 1
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((mean.low, mean.high), abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.lists(counts, min_size=1, max_size=12))
def test_a_mean_lies_in_its_interval_and_failures_mirror_successes(tasks):
    successes, episodes = zip(*tasks)
    mean = mean_of_rates(successes, episodes)
    mirrored = mean_of_rates([n - k for k, n in tasks], episodes)
    assert 0 <= mean.low <= mean.value + 1e-12
    assert mean.value - 1e-12 <= mean.high <= 1
    assert mean.high > mean.low
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((mean.low, mean.high), abs=1e-9)


def test_the_bounds_of_a_mean_solve_their_equation():
    """An independent solution: a general optimiser maximises the constrained likelihood."""
    from scipy.optimize import minimize

    successes, episodes = np.array([2.0, 9.0, 17.0]), np.array([20.0, 12.0, 20.0])
    mean = mean_of_rates([2, 9, 17], [20, 12, 20])

    def loss(p):
        return -(successes * np.log(p) + (episodes - successes) * np.log(1 - p)).sum()

    for bound in (mean.low, mean.high):
        held = {"type": "eq", "fun": lambda p, bound=bound: p.mean() - bound}
        p = minimize(
            loss,
            np.full(3, bound),
            bounds=[(1e-6, 1 - 1e-6)] * 3,
            constraints=[held],
            options={"ftol": 1e-14},
        ).x
        variance = (p * (1 - p) / (episodes - 1)).sum() / 9
        assert abs(bound - mean.value) == pytest.approx(
            NormalDist().inv_cdf(0.975) * math.sqrt(variance), rel=1e-3
        )


def test_a_mean_of_two_rates_covers_what_it_promises():
    """Exact: over all outcomes of two tasks of 15 and 10 episodes, for a grid of true rates."""
    sizes = (15, 10)
    intervals = {(a, b): mean_of_rates([a, b], sizes) for a in range(16) for b in range(11)}
    lows = np.array([[intervals[a, b].low for b in range(11)] for a in range(16)])
    highs = np.array([[intervals[a, b].high for b in range(11)] for a in range(16)])

    def chances(n, rate):
        return np.array([math.comb(n, k) * rate**k * (1 - rate) ** (n - k) for k in range(n + 1)])

    covered = []
    for first in np.linspace(0.02, 0.98, 25):
        for second in np.linspace(0.02, 0.98, 25):
            true = (first + second) / 2
            covered.append(
                float(
                    (
                        np.outer(chances(15, first), chances(10, second))
                        * ((lows <= true) & (true <= highs))
                    ).sum()
                )
            )
    assert 0.945 < np.mean(covered) < 0.985
    assert min(covered) > 0.88


@pytest.mark.parametrize(
    ("rates", "episodes"),
    [
        pytest.param(np.linspace(0.02, 0.98, 20), 20, id="spread"),
        pytest.param(
            np.where(np.arange(20) % 5 == 0, 0.5, 0.99), 20, id="an expert with a few hard tasks"
        ),
        pytest.param(np.full(20, 0.03), 20, id="nearly always 0 of n"),
        pytest.param(np.linspace(0.02, 0.98, 20), 1, id="one episode a task"),
    ],
)
def test_a_mean_of_many_rates_covers_what_it_promises(rates, episodes):
    rng = np.random.default_rng(5)
    intervals = [
        mean_of_rates(rng.binomial(episodes, rates).tolist(), [episodes] * 20) for _ in range(300)
    ]
    assert np.mean([i.low <= rates.mean() <= i.high for i in intervals]) > 0.92


@pytest.mark.parametrize(
    ("successes", "episodes"), [([], []), ([1], [0]), ([3], [2]), ([-1], [2]), ([1, 1], [2])]
)
def test_impossible_counts_are_refused(successes, episodes):
    with pytest.raises(ValueError, match="needs"):
        mean_of_rates(successes, episodes)


def test_an_impossible_level_is_refused():
    with pytest.raises(ValueError, match="level"):
        wilson(1, 2, level=95)


def test_the_mean_of_symmetric_scores_has_students_interval():
    from scipy.stats import ttest_1samp

    half = np.random.default_rng(0).random(60)
    scores = 3 + np.concatenate([half, -half])
    theirs = ttest_1samp(scores, 0).confidence_interval(0.9)
    found = mean_of_scores([scores], 0.9)
    assert (found.value, found.low, found.high) == pytest.approx((3, theirs.low, theirs.high))
    # Of several tasks, half of Welch's interval of a difference.
    from scipy.stats import ttest_ind

    other = np.concatenate([half, -half, half, -half])
    bounds = ttest_ind(scores, other, equal_var=False).confidence_interval()
    both = mean_of_scores([scores, -other])
    assert (both.low, both.high) == pytest.approx((bounds.low / 2, bounds.high / 2))


def test_the_interval_of_a_mean_reaches_further_on_the_side_of_the_long_tail():
    """Worked by hand: 99 scores of 0 and one of 100 have a mean of 1 and a third moment of 98."""
    scores = np.repeat([0.0, 100.0], [99, 1])
    from scipy.special import stdtrit

    error, t = 10 / np.sqrt(100), float(stdtrit(99, 0.975))
    skewness = 100 * (99**3 - 99) / 99 / 98 / 10**3 / np.sqrt(100)
    found = mean_of_scores([scores])
    assert found.value - found.low == pytest.approx(t * error)
    assert found.high - found.value == pytest.approx(
        (t + 2 * skewness * (2 * t * t + 1) / 6) * error
    )
    mirrored = mean_of_scores([-scores])
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))
    huge = mean_of_scores([scores * 1e200])
    assert (huge.low, huge.high) == pytest.approx((found.low * 1e200, found.high * 1e200))


def test_few_or_equal_scores_have_no_interval():
    rng = np.random.default_rng(0)
    for few in (
        [rng.random(99)],
        [rng.random(149), rng.random(150)],
        [rng.random(400), rng.random(2)],
        [np.full(200, 0.1), np.full(200, 0.3)],
    ):
        mean = float(np.mean([each.mean() for each in few]))
        assert mean_of_scores(few) == Estimate(mean, None, None)
    assert mean_of_scores([rng.random(100)]).low is not None
    assert mean_of_scores([rng.random(150), rng.random(150)]).low is not None
    assert mean_of_scores([rng.random(150), rng.random(150)], design=1.1).low is None
    with pytest.raises(ValueError, match="task"):
        mean_of_scores([])


def test_copies_of_a_tasks_scores_have_the_interval_of_one():
    one = np.random.default_rng(0).gamma(1.0, size=150)
    found, copies = mean_of_scores([one]), mean_of_scores([one] * 5, design=5.0)
    assert copies.low is None, "150 scores of several tasks"
    one = np.tile(one, 2)
    found, copies = mean_of_scores([one]), mean_of_scores([one] * 5, design=5.0)
    assert copies.value - copies.low == pytest.approx(found.value - found.low, rel=1e-3)


def test_aggregates_on_a_matrix_worked_by_hand():
    scores = np.array(
        [[0.0, 0.5, 2.0, 0.1], [0.2, 0.5, 1.0, 0.3], [0.1, 0.8, 1.5, 0.2], [0.1, 0.6, 1.5, 0.2]]
    )
    found = aggregates(scores)
    assert found.mean.value == pytest.approx((0.1 + 0.6 + 1.5 + 0.2) / 4)
    assert found.median.value == pytest.approx((0.2 + 0.6) / 2)
    assert found.iqm.value == pytest.approx((0.2 + 0.2 + 0.2 + 0.3 + 0.5 + 0.5 + 0.6 + 0.8) / 8)
    assert found.optimality_gap.value == pytest.approx(1 - (0.4 + 2.4 + 4.0 + 0.8) / 16)
    for few in (found.mean, found.median, found.iqm, found.optimality_gap):
        assert (few.low, few.high) == (None, None), "four tasks of four episodes are too few"
    found = aggregates(np.tile(np.concatenate([scores, scores + 0.1]), (10, 1)))
    for interval in (found.mean, found.iqm, found.optimality_gap):
        assert interval.low < interval.value < interval.high
    assert found.median.low is None, "biased where there are several tasks"
    one = aggregates(scores.reshape(-1, 1).repeat(10, axis=0))
    assert (one.median.low, one.median.high) == (one.mean.low, one.mean.high)
    assert aggregates(np.ones((300, 2))).mean.low is None, "equal scores tell no width"
    shared = aggregates(np.tile(scores, (200, 1)), repeats=100, design=2.0)
    assert shared.mean.low is not None
    assert shared.iqm.low is None, "a bootstrap within tasks does not know what they share"


def test_aggregates_agree_with_rliable():
    library, metrics = (
        pytest.importorskip("rliable.library"),
        pytest.importorskip("rliable.metrics"),
    )
    scores = np.random.default_rng(3).gamma(1.0, 0.7, size=(10, 30))
    assert float(iqm(scores)) == pytest.approx(metrics.aggregate_iqm(scores))
    assert float(optimality_gap(scores)) == pytest.approx(metrics.aggregate_optimality_gap(scores))

    def all_four(x):
        return np.array(
            [
                f(x)
                for f in (
                    metrics.aggregate_mean,
                    metrics.aggregate_median,
                    metrics.aggregate_iqm,
                    metrics.aggregate_optimality_gap,
                )
            ]
        )

    np.random.seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # of arch, about the random state that rliable passes on and does not use
        points, intervals = library.get_interval_estimates({"a": scores}, all_four, reps=2000)
    found = aggregates(scores)
    for ours, point, low, high in zip(
        (found.mean, found.median, found.iqm, found.optimality_gap), points["a"], *intervals["a"]
    ):
        assert ours.value == pytest.approx(point)
        if ours is not found.median:
            wider = (ours.high - ours.low) / (high - low)
            assert 0.97 < wider < 1.25, "for few episodes, by about sqrt(10 / 9)"
            assert (ours.low + ours.high) / 2 == pytest.approx((low + high) / 2, abs=0.05)


def test_aggregates_depend_on_neither_order_nor_global_state():
    scores = np.random.default_rng(0).random((6, 50))
    np.random.seed(1)
    before = np.random.get_state()[1].tolist()  # type: ignore[index,union-attr]
    first = aggregates(scores, repeats=100)
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index,union-attr]
    np.random.seed(2)
    assert aggregates(scores[::-1], repeats=100) == first
    assert aggregates(scores, repeats=100, seed=1) != first


def test_importing_does_not_import_scipy():
    code = (
        "import sys, harness.stats as s; s.wilson(3, 4); s.mean_of_rates([1, 2], [3, 4]); "
        "sys.exit('scipy' in sys.modules)"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2]
        ).returncode
        == 0
    )
