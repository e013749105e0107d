"""The mean of a rate over the tasks of a suite, a domain or a run, with its interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.stats import Estimate, design_effects, mean_of_rates
from leaderboards.episodes import SAFE_SUCCESS, SUCCESS, VIOLATION
from leaderboards.no_interval import NOT_FIRST, STOPPED, around
from leaderboards.schema import TaskRow
from leaderboards.tally import TaskTally

__all__ = ["mean_of_tasks", "rate_of"]


def rate_of(row: TaskRow, what: str) -> Estimate | None:
    """The rate of a task, by what it is of (leaderboards.episodes)."""
    rates = {SUCCESS: row.interval, VIOLATION: row.violation, SAFE_SUCCESS: row.safe_success}
    return rates[what]


def mean_of_tasks(
    played: Sequence[tuple[TaskTally, TaskRow]], what: str = SUCCESS
) -> tuple[Estimate | None, str]:
    """(the mean of the tasks' rates, why it has no bounds where it would have some).

    played: the tasks that have such a rate.
    """
    if not played:
        return None, ""
    if len(played) == 1:
        (_, row), *_ = played
        return rate_of(row, what), row.no_interval
    rates = [rate_of(row, what) for _, row in played]
    mean = float(np.mean([rate.value for rate in rates if rate is not None]))
    if any(tally.anytime for tally, _ in played):
        return Estimate(mean, None, None), STOPPED
    if not all(tally.episodes.is_prefix for tally, _ in played):
        return Estimate(mean, None, None), NOT_FIRST
    different, won = zip(*(tally.episodes.distinct(what) for tally, _ in played))
    unknown = [tally.episodes.unknown(what) for tally, _ in played]
    tried = [n + more for n, more in zip(different, unknown)]
    numbers, outcomes = zip(*(tally.episodes.outcomes(what) for tally, _ in played))
    items = [tally.item for tally, _ in played]
    seeds = [item.task.first_seed + each for item, each in zip(items, numbers)]
    # Tasks of one simulator may show the same room for the same seed, as levels of BabyAI do.
    design = design_effects(outcomes, seeds, [item.family for item in items])
    low = mean_of_rates(won, tried, design=design).low
    high = mean_of_rates([k + more for k, more in zip(won, unknown)], tried, design=design).high
    return around(mean, low, high), ""
