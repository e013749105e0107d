"""The share of episodes of which something is true: its interval, and whether it is named."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.core.failure_modes import FAILURE_MODES
from harness.stats import Interval, clopper_pearson, design_effects, exact_mean_of_rates
from leaderboards.no_interval import around

__all__ = ["CAUSES", "TOLERATED", "Outcomes", "is_named", "mean_share"]

CAUSES = tuple(mode for mode in FAILURE_MODES if mode not in ("near_goal", "out_of_time"))
"""The modes that can be named: that time was over says of no agent what it did wrong."""
TOLERATED = 0.05
"""A mode is named where it is sure to end more than this share of the episodes."""
ALPHA = 0.05
"""The chance that any mode of a report is named which is not that frequent."""


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """Of which episodes of one task something is true."""

    share: float
    """Of all its episodes of which it is known."""
    values: np.ndarray
    """1.0 or 0.0 for each different one of these, shape (n,)."""
    seeds: np.ndarray
    """Whole numbers, equal where episodes of two tasks may depend on one another, shape (n,)."""
    unknown: int
    """Further different episodes, which count for neither bound."""
    family: Hashable
    """Equal for tasks that may depend on one another where their seeds are equal."""


def mean_share(tasks: Sequence[Outcomes], level: float = 0.95) -> Interval:
    """The mean over tasks, which each weigh the same, with the interval of exact_mean_of_rates.

    Raises ValueError for no task, or one without an episode.
    """
    mean = float(np.mean([each.share for each in tasks]))
    won = [int(each.values.sum()) for each in tasks]
    most = [k + each.unknown for k, each in zip(won, tasks)]
    tried = [len(each.values) + each.unknown for each in tasks]
    if len(tasks) == 1:
        low = clopper_pearson(won[0], tried[0], level).low
        return around(mean, low, clopper_pearson(most[0], tried[0], level).high)
    # Tasks of one simulator may show the same room for the same seed.
    design = design_effects(
        [each.values for each in tasks],
        [each.seeds for each in tasks],
        [each.family for each in tasks],
    )
    low = exact_mean_of_rates(won, tried, level, design).low
    return around(mean, low, exact_mean_of_rates(most, tried, level, design).high)


def is_named(tasks: Sequence[Outcomes], looked_at: int) -> bool:
    """Whether a mode is sure to be more frequent than TOLERATED, after Bonferroni.

    looked_at: the modes of the report that could be named. Of a report on agents that have none of
    them more often, at most ALPHA name one.
    """
    if not any(each.values.any() for each in tasks):
        return False
    return mean_share(tasks, 1 - 2 * ALPHA / looked_at).low > TOLERATED
