"""Estimates and intervals: one rate, the mean of several rates, the difference of two."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

__all__ = [
    "Estimate",
    "Interval",
    "clopper_pearson",
    "exact_mean_of_rates",
    "mean_of_rates",
    "newcombe",
    "rate_bounds",
    "value_of",
    "wilson",
    "z_of",
]


@dataclass(frozen=True)
class Estimate:
    """A figure and its confidence bounds, low <= value <= high; None: there is no such bound."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Interval(Estimate):
    """An estimate that has both bounds."""

    low: float
    high: float


def value_of(found: Estimate | None) -> float | None:
    """The figure without its bounds; None where there is none."""
    return None if found is None else found.value


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """The score interval of one proportion, without continuity correction.

    Wilson 1927; method 3 of Newcombe 1998, Stat. Med. 17:857. With z the normal quantile of
    `level` and p = successes / n, the bounds are

        (successes + z^2 / 2 +- z sqrt(n p (1 - p) + z^2 / 4)) / (n + z^2)

    so 0 of n and n of n have an interval, too. On average over rates it covers what it says, but
    84 % in place of 95 at some near 0 and 1, about 0.18 / n from there. Raises ValueError unless
    0 <= successes <= n and n >= 1.
    """
    _check_counts([successes], [n])
    z = z_of(level)
    rate = successes / n
    centre = (successes + z * z / 2) / (n + z * z)
    half = z * math.sqrt(n * rate * (1 - rate) + z * z / 4) / (n + z * z)
    # Exact at the ends, where the formula is so only up to rounding.
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return Interval(rate, low, high)


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> Interval:
    """The exact interval of one proportion: it covers at least `level`, and is wider for it.

    Clopper & Pearson 1934; method 5 of Newcombe 1998, Stat. Med. 17:857. Raises ValueError unless
    0 <= successes <= n and n >= 1.
    """
    # Not from scipy.stats, which takes three times as long to import.
    from scipy.special import betaincinv

    _check_counts([successes], [n])
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return Interval(successes / n, low, high)


def mean_of_rates(
    successes: Sequence[int],
    episodes: Sequence[int],
    level: float = 0.95,
    design: float | np.ndarray = 1.0,
) -> Interval:
    """The mean over tasks of their success rates, with a score interval for these tasks.

    successes, episodes: one count for each task, shape (tasks,). Each task weighs the same. design:
    a harness.stats.design_effect, or one for each task, by which both are divided.

    The bounds are the means M that solve |M - mean| = z sqrt(V(M)). V(M) is the variance of the
    mean at the constrained maximum-likelihood rates p_t, those whose mean is M (score method for a
    linear combination of proportions: Martin Andres, Herranz & Alvarez 2012, J. Stat. Comput.
    Simul., doi 10.1080/00949655.2010.530601). With n_t episodes of task t,

        V(M) = sum_t p_t (1 - p_t) / (n_t - 1) / tasks^2

    which is unbiased within tasks, with 1 / 4 n_t for a task of at most one episode, and capped at
    the largest variance that rates of mean M can have. The interval therefore exists from one
    episode a task on, and does not shrink to nothing where all tasks are 0 of n or n of n. For one
    task, or several with the same counts, it is Wilson's interval of the pooled count.

    In simulations of 2 to 60 tasks with 5 to 50 episodes it covered at least 90 %, mostly 95 %, at
    a level of 95 %; of ten tasks or more with 1 to 5 episodes at least 91, of two with 1 to 3 at
    least 87. Combining the tasks' Wilson intervals covered as little as 82 % (MOVER) or
    63 % (stratified, Yan & Su 2010), worst at rates near 0 or 1.

    Raises ValueError for no task, or for counts that do not fit.
    """
    return _mean(successes, episodes, level, design, rate_bounds)


def rate_bounds(
    rates: np.ndarray, counts: np.ndarray, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """The bounds of mean_of_rates, from the success rates and their numbers of episodes.

    rates, counts: shape (..., tasks); the two bounds have shape (...).
    """
    z = z_of(level)

    def is_far(mean: np.ndarray, bound: np.ndarray, variance: np.ndarray) -> np.ndarray:
        far: np.ndarray = (bound - mean) ** 2 >= z * z * variance
        return far

    return _bounds(rates, counts, is_far)


def exact_mean_of_rates(
    successes: Sequence[int],
    episodes: Sequence[int],
    level: float = 0.95,
    design: float | np.ndarray = 1.0,
) -> Interval:
    """The mean over tasks of their rates, with an interval that holds for rare events, too.

    As mean_of_rates, but the bounds are the means M at which what was seen, or less (more), has a
    chance of (1 - level) / 2. That chance is a binomial one of N = M (1 - M) / V(M) episodes:
    Clopper and Pearson's interval of the effective number of episodes (Korn & Graubard 1998, Surv.
    Methodol. 24:193), with V(M) of mean_of_rates, and so Clopper and Pearson's own for one task.

    In simulations of 1 to 50 tasks with 1 to 100 episodes, tasks alike and different, rates from 0
    to 1, it covered at least 93 %, mostly 97 (mean_of_rates: 87 and 96), and was wider by 2 to
    25 %. Raises ValueError as mean_of_rates.
    """
    return _mean(successes, episodes, level, design, exact_rate_bounds)


def exact_rate_bounds(
    rates: np.ndarray, counts: np.ndarray, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """The bounds of exact_mean_of_rates; shapes as rate_bounds takes and gives them."""
    from scipy.special import betainc

    tail = (1 - level) / 2

    def is_far(mean: np.ndarray, bound: np.ndarray, variance: np.ndarray) -> np.ndarray:
        episodes = bound * (1 - bound) / np.maximum(variance, 1e-300)
        few = 1 - betainc(episodes * mean + 1, np.maximum(episodes * (1 - mean), 1e-300), bound)
        far: np.ndarray = few <= tail
        return far

    return _bounds(rates, counts, is_far)


Bounds = Callable[[np.ndarray, np.ndarray, float], tuple[np.ndarray, np.ndarray]]
"""From rates, numbers of episodes and a level: rate_bounds or exact_rate_bounds."""


def _mean(
    successes: Sequence[int],
    episodes: Sequence[int],
    level: float,
    design: float | np.ndarray,
    bounds: Bounds,
) -> Interval:
    _check_counts(successes, episodes)
    played = np.asarray(episodes, dtype=np.float64)
    rates = np.asarray(successes, dtype=np.float64) / played
    low, high = bounds(rates, played / design, level)
    return Interval(float(rates.mean()), float(low), float(high))


IsFar = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""From the observed mean, a larger one and the variance of the estimate there: is it beyond?"""


def _bounds(rates: np.ndarray, counts: np.ndarray, is_far: IsFar) -> tuple[np.ndarray, np.ndarray]:
    below, above = _upper_mean(np.stack([1 - rates, rates]), counts, is_far)
    return 1 - below, above


def _upper_mean(rates: np.ndarray, counts: np.ndarray, is_far: IsFar) -> np.ndarray:
    """The upper bound of rate_bounds."""
    mean = rates.mean(axis=-1)

    def beyond(multiplier: np.ndarray) -> np.ndarray:
        likeliest = _constrained(rates, counts, multiplier)
        bound = np.minimum(1.0, likeliest.mean(axis=-1))
        there: np.ndarray = (bound > mean) & is_far(mean, bound, _variance(likeliest, counts))
        return there

    # M grows with the Lagrange multiplier of its constraint: bracket that, then bisect.
    far = np.ones(mean.shape)
    certain = (rates == 1).all(axis=-1)
    while not (beyond(far) | certain | (far > 1e15)).all():
        far = np.where(beyond(far), far, far * 2)
    near = np.where(far > 1, far / 2, 0.0)
    for _ in range(60):
        middle = (near + far) / 2
        there = beyond(middle)
        near, far = np.where(there, near, middle), np.where(there, middle, far)
    bound = np.minimum(1.0, _constrained(rates, counts, far).mean(axis=-1))
    return np.where(certain | (far > 1e15), 1.0, bound)


def _constrained(rates: np.ndarray, counts: np.ndarray, multiplier: np.ndarray) -> np.ndarray:
    """The maximum-likelihood rates under the constraint on their mean, shape (..., tasks).

    They are the roots in [0, 1] of counts (p - rates) = multiplier p (1 - p), multiplier > 0, of
    shape (...).
    """
    m = np.asarray(multiplier)[..., None]
    b = counts - m
    root = np.sqrt(b * b + 4 * m * counts * rates)
    # Two forms of the same root, each where it subtracts nothing of nearly the same size.
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.where(b > 0, 2 * counts * rates / (b + root), (root - b) / (2 * m))
    return np.clip(p, 0.0, 1.0)


def _variance(rates: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """V(M) of mean_of_rates, where M is the mean of `rates`, shape (...)."""
    tasks = counts.shape[-1]
    off = (0.5 - rates.mean(axis=-1)) ** 2
    ceiling = ((1 / counts).mean(axis=-1) / 4 - off / counts.mean(axis=-1)) / tasks
    # Below one episode: counts that were divided by a design effect.
    many = counts > 1
    spread = rates * (1 - rates) / np.where(many, counts - 1, 1)
    within = np.where(many, spread, 0.25 / np.where(many, 1, counts))
    least: np.ndarray = np.minimum(ceiling, within.sum(axis=-1) / tasks**2)
    return least


def newcombe(
    successes: tuple[int, int], episodes: tuple[int, int], level: float = 0.95
) -> Interval:
    """The difference, second minus first, of two independent rates.

    Method 10 of Newcombe 1998, Stat. Med. 17:873: the distances to Wilson's bounds, added in
    quadrature. It is for runs that share no case; for pairs, paired_difference is narrower.
    Raises ValueError as wilson does.
    """
    first, second = (wilson(k, n, level) for k, n in zip(successes, episodes))
    value = second.value - first.value
    down = math.hypot(second.value - second.low, first.high - first.value)
    up = math.hypot(second.high - second.value, first.value - first.low)
    return Interval(value, value - down, value + up)


def z_of(level: float) -> float:
    """The two-sided normal quantile of a level. Raises ValueError unless 0 < level < 1."""
    if not 0 < level < 1:
        raise ValueError(f"the level lies between 0 and 1, got {level}")
    return NormalDist().inv_cdf((1 + level) / 2)


def _check_counts(successes: Sequence[int], episodes: Sequence[int]) -> None:
    if len(successes) != len(episodes) or not len(episodes):
        raise ValueError(
            "needs a count of episodes for each count of successes, and at least one task; "
            f"got {len(successes)} and {len(episodes)}"
        )
    if any(n < 1 or not 0 <= k <= n for k, n in zip(successes, episodes)):
        raise ValueError("needs 0 <= successes <= episodes and at least one episode, in every task")
