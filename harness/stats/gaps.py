"""A difference of two rates within tasks, such as of what was seen in training and what was not."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.stats.intervals import Interval, mean_of_rates, wilson

__all__ = ["gap_within_tasks"]


def gap_within_tasks(
    first: tuple[Sequence[int], Sequence[int]],
    second: tuple[Sequence[int], Sequence[int]],
    level: float = 0.95,
    designs: tuple[float | np.ndarray, float | np.ndarray] = (1.0, 1.0),
) -> Interval:
    """The mean over tasks of the rate of `first` minus that of `second`, of other episodes.

    Each of the two is (successes, episodes), one count for each task, shape (tasks,). Each task
    weighs the same. designs: as mean_of_rates takes it, of either.

    The distances from either mean to its score interval are added in quadrature (MOVER, Zou &
    Donner 2008, Stat. Med. 27:1693), which for one task is method 10 of Newcombe (1998). Raises
    ValueError as mean_of_rates does.
    """
    one, other = _mean(*first, level, designs[0]), _mean(*second, level, designs[1])
    value = one.value - other.value
    down = math.hypot(one.value - one.low, other.high - other.value)
    up = math.hypot(one.high - one.value, other.value - other.low)
    return Interval(value, value - down, value + up)


def _mean(
    successes: Sequence[int], episodes: Sequence[int], level: float, design: float | np.ndarray
) -> Interval:
    if len(successes) == 1 and np.all(np.asarray(design) == 1):
        return wilson(successes[0], episodes[0], level)  # the same, and much faster
    return mean_of_rates(successes, episodes, level, design)
