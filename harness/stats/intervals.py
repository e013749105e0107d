"""Intervals for one rate, for the mean of several rates, and for the difference of two independent ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

__all__ = ["Interval", "clopper_pearson", "mean_of_rates", "newcombe", "wilson", "z_of"]


@dataclass(frozen=True)
class Interval:
    """An estimate and its confidence bounds, low <= high."""

    value: float
    low: float
    high: float


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """The score interval of one proportion, without continuity correction (Wilson 1927; method 3 of Newcombe 1998, Stat. Med. 17:857).

    0 of n and n of n have a bound on their open side as any other count has. Raises ValueError unless 0 <= successes <= n and n >= 1.
    """
    _check_counts([successes], [n])
    z = z_of(level)
    rate = successes / n
    centre = (successes + z * z / 2) / (n + z * z)
    half = z * math.sqrt(n * rate * (1 - rate) + z * z / 4) / (n + z * z)
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return Interval(rate, low, high)


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> Interval:
    """The exact interval of one proportion (Clopper & Pearson 1934; method 5 of Newcombe 1998): never covers less than `level`, so wider.

    Raises ValueError unless 0 <= successes <= n and n >= 1.
    """
    from scipy.special import (
        betaincinv,
    )  # not scipy.stats, which takes three times as long to import

    _check_counts([successes], [n])
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return Interval(successes / n, low, high)


def mean_of_rates(
    successes: Sequence[int], episodes: Sequence[int], level: float = 0.95
) -> Interval:
    """The mean over tasks of success rates, each task weighing the same, with a score interval over this fixed list of tasks.

    successes, episodes: one count a task, shape (tasks,). A bound is a mean M with |M - mean| = z sqrt(V), where V is the variance that the
    mean would have if the rates were the likeliest ones whose mean is M: the score method for a linear combination of proportions (Martin
    Andres, Herranz & Alvarez 2012, J. Stat. Comput. Simul., doi 10.1080/00949655.2010.530601). V is sum(p (1 - p) / (episodes - 1)) /
    tasks**2, unbiased within tasks, but never more than any rates of mean M can have. So it holds from one episode a task on, keeps its
    width where all tasks are 0/n or n/n, and one task, or several of equal counts, have Wilson's interval of the pooled count.

    In simulations of 2 to 60 tasks of 5 to 50 episodes, at 95 %, it covered 90 % at least and 95 % mostly, where combining the Wilson
    intervals of the tasks fell to 82 % (MOVER) or 63 % (stratified, Yan & Su 2010), worst at rates near 0 or 1.

    Raises ValueError where counts do not fit, or for no task.
    """
    _check_counts(successes, episodes)
    counts = np.asarray(episodes, dtype=np.float64)
    rates = np.asarray(successes, dtype=np.float64) / counts
    z = z_of(level)
    return Interval(
        float(rates.mean()), 1 - _upper_mean(1 - rates, counts, z), _upper_mean(rates, counts, z)
    )


def _upper_mean(rates: np.ndarray, counts: np.ndarray, z: float) -> float:
    """The upper bound of mean_of_rates, by bisection over the multiplier of the constraint on the mean."""
    if (rates == 1).all():
        return 1.0
    mean = rates.mean()

    def beyond(multiplier: float) -> bool:
        likeliest = _constrained(rates, counts, multiplier)
        shift = float(likeliest.mean() - mean)
        return shift > 0 and shift**2 >= z * z * _variance(likeliest, counts)

    far = 1.0
    while not beyond(far):
        far *= 2
        if far > 1e15:
            return 1.0
    near = far / 2 if far > 1 else 0.0
    for _ in range(60):
        middle = (near + far) / 2
        near, far = (near, middle) if beyond(middle) else (middle, far)
    return min(1.0, float(_constrained(rates, counts, far).mean()))


def _constrained(rates: np.ndarray, counts: np.ndarray, multiplier: float) -> np.ndarray:
    """The likeliest rates once their mean is pushed up: the root in [0, 1] of counts (p - rates) = multiplier p (1 - p), multiplier > 0."""
    b = counts - multiplier
    root = np.sqrt(b * b + 4 * multiplier * counts * rates)
    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # each form is used where it does not cancel
        p = np.where(b > 0, 2 * counts * rates / (b + root), (root - b) / (2 * multiplier))
    return np.clip(p, 0.0, 1.0)


def _variance(rates: np.ndarray, counts: np.ndarray) -> float:
    """The variance of the mean of rates that were estimated from `counts` episodes each, see mean_of_rates."""
    tasks = len(counts)
    ceiling = float((1 / counts).mean() / 4 - (0.5 - rates.mean()) ** 2 / counts.mean()) / tasks
    within = np.where(counts > 1, rates * (1 - rates) / np.maximum(counts - 1, 1), 0.25)
    return min(ceiling, float(within.sum()) / tasks**2)


def newcombe(
    successes: tuple[int, int], episodes: tuple[int, int], level: float = 0.95
) -> Interval:
    """The difference second minus first of two independent rates (method 10 of Newcombe 1998, Stat. Med. 17:873): Wilson's bounds, squared and added.

    For runs that share no case; where cases pair, paired_difference is narrower. Raises ValueError as wilson does.
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
            f"needs one count of episodes for each count of successes and at least one; got {len(successes)} and {len(episodes)}"
        )
    if any(n < 1 or not 0 <= k <= n for k, n in zip(successes, episodes)):
        raise ValueError("needs 0 <= successes <= episodes and at least one episode, in every task")
