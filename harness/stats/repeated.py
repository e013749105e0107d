"""The same cases several times: how often all or any plays succeed, and where the variance lies.

Plays of one case are not independent episodes. So every figure is a mean over cases of a value that
is computed from all plays of the case, and its interval speaks of other cases like these.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import numpy as np

from harness.stats.intervals import Interval, rate_bounds

__all__ = ["all_of", "any_of", "discordance", "mean_of_shares", "variance_between_cases"]


def all_of(successes: np.ndarray, plays: int, number: int) -> np.ndarray:
    """For each case the chance that `number` of its plays, drawn without repetition, all succeed.

    successes: of `plays` plays of each case, any shape. It is C(successes, number) / C(plays,
    number), whose mean over cases is unbiased for the mean of p^number, p the chance of a case.
    """
    table = np.array([comb(each, number) for each in range(plays + 1)], dtype=np.float64)
    shares: np.ndarray = table[successes] / comb(plays, number)
    return shares


def any_of(successes: np.ndarray, plays: int, number: int) -> np.ndarray:
    """As all_of: the chance that at least one succeeds.

    The estimator of Chen et al. 2021, arXiv 2107.03374, equation 1.
    """
    return 1 - all_of(plays - successes, plays, number)


def discordance(successes: np.ndarray, plays: int) -> np.ndarray:
    """As all_of: the chance that of two plays one succeeds and the other fails.

    Half of it is the unbiased variance between the plays of the case.
    """
    found: np.ndarray = 2 * successes * (plays - successes) / (plays * (plays - 1))
    return found


def mean_of_shares(
    columns: Sequence[np.ndarray], level: float = 0.95, design: float | np.ndarray = 1.0
) -> Interval:
    """The mean over tasks of the mean over cases of values in [0, 1].

    columns: for each task an array of shape (cases,). design: as mean_of_rates takes it. The
    bounds are those of rates with these means (mean_of_rates). Where every value is 0 or 1 that is
    what they are; other values vary less than rates of the same mean, so that the interval covers
    at least as often. Raises ValueError for no task, or a task without cases.
    """
    if not len(columns) or not all(len(each) for each in columns):
        raise ValueError("needs a case of each task, and at least one task")
    means = np.array([float(np.mean(each)) for each in columns])
    counts = np.array([len(each) for each in columns], dtype=np.float64)
    low, high = rate_bounds(np.clip(means, 0.0, 1.0), counts / design, level)
    value = float(means.mean())
    return Interval(value, min(value, float(low)), max(value, float(high)))


def variance_between_cases(successes: np.ndarray, plays: int) -> np.ndarray:
    """Values of the cases of one task whose mean is the variance of the chances of its cases.

    successes: shape (cases,), at least 3 cases. With d the deviations of the cases' rates from
    their mean, S^2 their sample variance, w the variances between plays and n cases, they are

        (n d^2 - S^2) / (n - 2) - w / plays

    These are the pseudo-values of the jackknife of S^2 - mean(w) / plays, which is unbiased (Miller
    1974, Biometrika 61:1), so that harness.stats.mean_of_scores gives its interval.
    """
    cases = len(successes)
    rates = successes / plays
    squares = np.square(rates - rates.mean())
    total = squares.sum() / (cases - 1)
    within = discordance(successes, plays) / 2
    found: np.ndarray = (cases * squares - total) / (cases - 2) - within / plays
    return found
