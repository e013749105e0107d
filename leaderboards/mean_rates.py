"""The mean success rate of the tasks of a suite, a domain or a run, with its interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.stats import Estimate, design_effects, mean_of_rates
from leaderboards.no_interval import NOT_FIRST, STOPPED, around
from leaderboards.schema import TaskRow
from leaderboards.tally import TaskTally

__all__ = ["mean_of_tasks"]


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
    numbers, outcomes = zip(*(tally.episodes.outcomes() for tally, _ in played))
    items = [tally.item for tally, _ in played]
    seeds = [item.task.first_seed + each for item, each in zip(items, numbers)]
    # Tasks of one simulator may show the same room for the same seed, as levels of BabyAI do.
    design = design_effects(outcomes, seeds, [item.family for item in items])
    low = mean_of_rates(won, tried, design=design).low
    high = mean_of_rates([k + more for k, more in zip(won, errors)], tried, design=design).high
    return around(mean, low, high), ""
