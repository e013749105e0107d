"""The ratio of two paired means of rates: how much of a success rate is left."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.stats import Interval, mean_of_rates, wilson

__all__ = ["ratio_of_means"]


def ratio_of_means(
    controls: Sequence[np.ndarray], perturbed: Sequence[np.ndarray], level: float = 0.95
) -> tuple[float, float, float | None] | None:
    """(ratio, low, high) of the mean of perturbed rates to that of control rates, each task weighing the same; None where the control is 0.

    controls, perturbed: for each task an array of 0 and 1, one a pair. The interval is recovered from those of the two means (MOVER-R: Donner &
    Zou 2012, Stat. Methods Med. Res. 21:347) with their correlation within tasks, corrected for continuity as Newcombe's method 10 has it (1998,
    Stat. Med. 17:2635). `high` is None where the control's own interval reaches 0.
    """
    before, after = (
        float(np.mean([each.mean() for each in side])) for side in (controls, perturbed)
    )
    if before == 0:
        return None
    counts = [len(each) for each in controls]
    first, second = (
        _mean([int(each.sum()) for each in side], counts, level) for side in (controls, perturbed)
    )
    phi = _correlation(controls, perturbed)
    product = before * after
    low_part = product - phi * (after - second.low) * (first.high - before)
    high_part = product - phi * (second.high - after) * (before - first.low)
    low_scale, high_scale = (
        first.high * (2 * before - first.high),
        first.low * (2 * before - first.low),
    )
    low = _root(low_part, second.low * (2 * after - second.low) * low_scale, low_scale, -1)
    high = _root(high_part, second.high * (2 * after - second.high) * high_scale, high_scale, 1)
    ratio = after / before
    return (
        ratio,
        0.0 if low is None else min(max(low, 0.0), ratio),
        None if high is None else max(high, ratio),
    )


def _mean(successes: Sequence[int], counts: Sequence[int], level: float) -> Interval:
    """mean_of_rates; of one task that is Wilson's interval, at a fiftieth of the price."""
    return (
        wilson(successes[0], counts[0], level)
        if len(counts) == 1
        else mean_of_rates(successes, counts, level)
    )


def _root(part: float, rest: float, scale: float, sign: int) -> float | None:
    """(part +- sqrt(part^2 - rest)) / scale; None where there is none."""
    return (
        None if scale <= 1e-12 else (part + sign * math.sqrt(max(0.0, part * part - rest))) / scale
    )


def _correlation(controls: Sequence[np.ndarray], perturbed: Sequence[np.ndarray]) -> float:
    both = sum(float(((x - x.mean()) * (y - y.mean())).sum()) for x, y in zip(controls, perturbed))
    spread = math.sqrt(
        sum(float(x.var()) * len(x) for x in controls)
        * sum(float(y.var()) * len(y) for y in perturbed)
    )
    if spread == 0:
        return 0.0
    return max(0.0, both - 0.5) / spread if both > 0 else both / spread
