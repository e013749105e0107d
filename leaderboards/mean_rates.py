"""The mean success rate of several tasks with its interval, computed once for the same counts."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from harness.stats import Estimate, Interval, mean_of_rates, wilson
from leaderboards.no_interval import NOT_FIRST, STOPPED, around
from leaderboards.schema import TaskRow
from leaderboards.tally import TaskTally

__all__ = ["mean_of_tasks", "mean_rate"]


def mean_rate(successes: Sequence[int], counts: Sequence[int], level: float = 0.95) -> Interval:
    """mean_of_rates; for one task that is Wilson's interval, which is 50 times as fast."""
    return _mean_rate(tuple(successes), tuple(counts), level)


# The controls of a perturbed run are the same under every perturbation.
@functools.lru_cache(maxsize=1 << 12)
def _mean_rate(successes: tuple[int, ...], counts: tuple[int, ...], level: float) -> Interval:
    if len(counts) == 1:
        return wilson(successes[0], counts[0], level)
    return mean_of_rates(successes, counts, level)


def mean_of_tasks(played: Sequence[tuple[TaskTally, TaskRow]]) -> tuple[Estimate | None, str]:
    """(the mean of the tasks' success rates, why it has no bounds where it would have some).

    played: the tasks that have a success and a result.
    """
    if not played:
        return None, ""
    if len(played) == 1:
        (_, row), *_ = played
        return row.interval, row.no_interval
    mean = float(np.mean([(row.successes or 0) / row.n for _, row in played]))
    if any(tally.anytime for tally, _ in played):
        return Estimate(mean, None, None), STOPPED
    if any(row.no_interval for _, row in played):
        return Estimate(mean, None, None), NOT_FIRST
    different, won = zip(*(tally.episodes.distinct() for tally, _ in played))
    errors = [tally.episodes.errors for tally, _ in played]
    tried = [n + more for n, more in zip(different, errors)]
    low = mean_rate(won, tried).low
    high = mean_rate([k + more for k, more in zip(won, errors)], tried).high
    return around(mean, low, high), ""
