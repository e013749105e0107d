"""How well one measurement of several policies predicts another: a simulator and the robot.

Policies are taken for a sample, so that intervals speak of other policies like these that are
measured with as many episodes. Rates are in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.stats.intervals import Estimate, Interval, mean_of_rates, rate_bounds, z_of
from harness.stats.sequential import mean_of_drawn

__all__ = [
    "ENOUGH_POLICIES",
    "correlation_difference",
    "mean_maximum_rank_violation",
    "pearson",
    "powered_rate",
    "rank_violation",
    "spearman",
]

SKEWED, RANKS = 2.0, 0.5
"""Factors of r^2 in the variance of atanh r."""
ENOUGH_POLICIES = 5
"""From how many on there are correlations: see `calibration.agreement`."""


def pearson(simulated: np.ndarray, real: np.ndarray, level: float = 0.95) -> Estimate | None:
    """Pearson's correlation r of n policies: atanh r +- z sqrt((1 + 2 r^2) / (n - 3)).

    Fisher's variance, 1 / (n - 3), is for normal variables. Rates of policies that mostly succeed,
    or mostly fail, are skewed: with it, differences are covered in 85 of 100 runs. The factor 2 was
    found by simulation. None below ENOUGH_POLICIES or where one side does not vary; no bounds where
    r is 1 or -1.
    """
    return _bounded(_correlation(simulated, real), len(real), level, SKEWED)


def spearman(simulated: np.ndarray, real: np.ndarray, level: float = 0.95) -> Estimate | None:
    """Spearman's rank correlation, ties sharing their mean rank; else as pearson.

    The variance of atanh r is (1 + r^2 / 2) / (n - 3) (Bonett & Wright 2000, Psychometrika 65:23).
    """
    return _bounded(_correlation(_ranks(simulated), _ranks(real)), len(real), level, RANKS)


def _ranks(values: np.ndarray) -> np.ndarray:
    """From 1 on; equal values share the mean of their ranks."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    found: np.ndarray = (np.cumsum(counts) - (counts - 1) / 2)[where]
    return found


def _correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    if len(one) < ENOUGH_POLICIES or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(np.clip(np.corrcoef(one, other)[0, 1], -1.0, 1.0))


def _bounded(r: float | None, n: int, level: float, more: float) -> Estimate | None:
    if r is None:
        return None
    if abs(r) > 1 - 1e-9:
        return Estimate(r, None, None)
    reach = z_of(level) * math.sqrt((1 + more * r * r) / (n - 3))
    return Interval(r, math.tanh(math.atanh(r) - reach), math.tanh(math.atanh(r) + reach))


def rank_violation(simulated: np.ndarray, real: np.ndarray) -> np.ndarray:
    """For each policy the largest real difference to another one that the simulator turns around.

    Shape (policies,). Of policies i and j it is |real_i - real_j| where (simulated_i < simulated_j)
    differs from (real_i < real_j), else 0 (Li et al. 2024, Evaluating real-world robot manipulation
    policies in simulation, arXiv 2405.05941).
    """
    gaps = np.abs(real[:, None] - real)
    turned = (simulated[:, None] < simulated) != (real[:, None] < real)
    found: np.ndarray = np.where(turned, gaps, 0.0).max(axis=1)
    return found


def mean_maximum_rank_violation(
    simulated: np.ndarray, real: np.ndarray, level: float = 0.95
) -> Estimate | None:
    """The mean over policies of rank_violation: 0 where the simulator ranks as the robot does.

    With bounds that hold for independent values in [0, 1], whatever their distribution
    (harness.stats.mean_of_drawn). None below ENOUGH_POLICIES.
    """
    if len(real) < ENOUGH_POLICIES:
        return None
    worst = np.minimum(1.0, rank_violation(simulated, real))
    low, high = mean_of_drawn(worst, level)
    value = float(worst.mean())
    return Interval(value, min(low, value), max(high, value))


def correlation_difference(
    first: np.ndarray,
    other: np.ndarray,
    real: np.ndarray,
    level: float = 0.95,
    spread: float = SKEWED,
) -> Interval | None:
    """By how much `first` correlates more with `real` than `other` does, over the same policies.

    The interval allows for what the two have in common (Zou 2007, Psychol. Methods 12:399):
    distances to the bounds of both, with the correlation of both correlations. spread: the factor
    of r^2 in their variance, 0 for Fisher's. None where pearson has no interval.
    """
    a, b = (_bounded(_correlation(each, real), len(real), level, spread) for each in (first, other))
    between = _correlation(first, other)
    if not (isinstance(a, Interval) and isinstance(b, Interval)) or between is None:
        return None
    x, y, c = a.value, b.value, between
    common = (c - x * y / 2) * (1 - x * x - y * y - c * c) + c**3
    shared = float(np.clip(common / ((1 - x * x) * (1 - y * y)), -1.0, 1.0))
    down, up = x - a.low, b.high - y
    above, below = a.high - x, y - b.low
    value = x - y
    return Interval(
        value,
        value - math.sqrt(max(0.0, down**2 + up**2 - 2 * shared * down * up)),
        value + math.sqrt(max(0.0, above**2 + below**2 - 2 * shared * above * below)),
    )


def powered_rate(
    real: Sequence[np.ndarray],
    simulated: Sequence[np.ndarray],
    others: Sequence[np.ndarray],
    level: float = 0.95,
) -> tuple[Interval, float]:
    """The mean over tasks of a real success rate, with the help of simulated cases; and the power.

    real, simulated: for each task what came of the cases that were tried on the robot, values in
    [0, 1], shape (cases,), there and in the simulator. others: successes of further simulated
    cases, 1 or 0. With f the simulated outcomes, the estimate is

        mean(real - power f) + power mean(f of others)

    (prediction-powered inference: Angelopoulos et al. 2023, Science 382:669; the power of PPI++,
    arXiv 2311.01453: Cov(real, f) / ((1 + n / N) Var(f)), from 0 to 1). The bounds of
    both parts are joined in quadrature (Zou & Donner 2008, Stat. Med. 27:1693). Those of the first
    are of rates with the means of (real - power f + power) / (1 + power), their counts divided by
    what the values vary beside successes with that mean, as their squares tell it with 1 added to
    both. Without power they are those of the trials alone. Raises ValueError for a task without a
    case.
    """
    n, further = sum(map(len, real)), sum(map(len, others))
    y, f = (np.concatenate([each - each.mean() for each in side]) for side in (real, simulated))
    square = float((f * f).sum())
    power = float((y * f).sum()) / square / (1 + n / further) if square else 0.0
    power = min(1.0, max(0.0, power))
    apart = _mean_of_differences(real, simulated, power, level)
    told = mean_of_rates(
        [int(each.sum()) for each in others], [len(each) for each in others], level
    )
    value = apart.value + power * told.value
    low = value - math.hypot(apart.value - apart.low, power * (told.value - told.low))
    high = value + math.hypot(apart.high - apart.value, power * (told.high - told.value))
    # Where the cases that were tried happen to be easy, the estimate can leave [0, 1].
    value = min(1.0, max(0.0, value))
    return Interval(value, min(value, max(0.0, low)), max(value, min(1.0, high))), power


def _mean_of_differences(
    real: Sequence[np.ndarray], simulated: Sequence[np.ndarray], power: float, level: float
) -> Interval:
    """Of real - power simulated: the mean over tasks."""
    shares = [(a - power * b + power) / (1 + power) for a, b in zip(real, simulated)]
    means = np.array([each.mean() for each in shares])
    counts = np.array([len(each) for each in shares], dtype=np.float64)
    squares = np.array([np.square(each - each.mean()).sum() for each in shares])
    design = (squares + 1) / (counts * means * (1 - means) + 1)
    bounds = rate_bounds(np.clip(means, 0.0, 1.0), counts / design, level)
    value, low, high = ((1 + power) * float(each) - power for each in (means.mean(), *bounds))
    return Interval(value, min(value, low), max(value, high))
