"""The ratio of two paired means of rates: which share of a success rate is retained."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.stats import Estimate
from leaderboards.mean_rates import mean_rate

__all__ = ["ratio_of_means"]


def ratio_of_means(
    controls: Sequence[np.ndarray], perturbed: Sequence[np.ndarray], level: float = 0.95
) -> Estimate | None:
    """The mean of perturbed rates divided by that of control rates, each task weighing the same.

    controls, perturbed: for each task an array of 0 and 1, shape (pairs,). None where the mean of
    the controls is 0.

    The bounds are recovered from those of the two means (MOVER-R: Donner & Zou 2012, Stat. Methods
    Med. Res. 21:347), with their correlation phi. Let a be the mean of the controls with bounds
    l1 and u1, b that of the perturbed with l2 and u2:

        low  = (A - sqrt(A^2 - l2 (2 b - l2) u1 (2 a - u1))) / (u1 (2 a - u1))
        high = (B + sqrt(B^2 - u2 (2 b - u2) l1 (2 a - l1))) / (l1 (2 a - l1))
        A = a b - phi (b - l2) (u1 - a),    B = a b - phi (u2 - b) (a - l1)

    `low` is at least 0. `high` is None where the interval of the controls reaches 0.
    """
    before, after = (
        float(np.mean([each.mean() for each in side])) for side in (controls, perturbed)
    )
    if before == 0:
        return None
    counts = [len(each) for each in controls]
    first, second = (
        mean_rate([int(each.sum()) for each in side], counts, level)
        for side in (controls, perturbed)
    )
    phi = _correlation(controls, perturbed)
    product = before * after
    low_part = product - phi * (after - second.low) * (first.high - before)
    high_part = product - phi * (second.high - after) * (before - first.low)
    low_scale = first.high * (2 * before - first.high)
    high_scale = first.low * (2 * before - first.low)
    low = _root(low_part, second.low * (2 * after - second.low) * low_scale, low_scale, -1)
    high = _root(high_part, second.high * (2 * after - second.high) * high_scale, high_scale, 1)
    ratio = after / before
    return Estimate(
        ratio,
        0.0 if low is None else min(max(low, 0.0), ratio),
        None if high is None else max(high, ratio),
    )


def _root(part: float, rest: float, scale: float, sign: int) -> float | None:
    """(part +- sqrt(part^2 - rest)) / scale; None where scale is not positive."""
    if scale <= 1e-12:
        return None
    return (part + sign * math.sqrt(max(0.0, part * part - rest))) / scale


def _correlation(controls: Sequence[np.ndarray], perturbed: Sequence[np.ndarray]) -> float:
    """The correlation within tasks, pooled, 0 where one side does not vary.

    Half a pair is taken from a positive one: the continuity correction of method 10 for paired
    proportions (Newcombe 1998, Stat. Med. 17:2635).
    """
    both = sum(float(((x - x.mean()) * (y - y.mean())).sum()) for x, y in zip(controls, perturbed))
    spread = math.sqrt(
        sum(float(x.var()) * len(x) for x in controls)
        * sum(float(y.var()) * len(y) for y in perturbed)
    )
    if spread == 0:
        return 0.0
    return max(0.0, both - 0.5) / spread if both > 0 else both / spread
