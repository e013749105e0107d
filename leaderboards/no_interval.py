"""Why a figure has no interval, although it has enough episodes for one."""

from __future__ import annotations

from harness.stats import Estimate, Interval
from harness.stats.scores import ENOUGH, ENOUGH_OF_SEVERAL, LEAST_EACH

__all__ = [
    "FEW_SCORES", "FEW_SCORES_OF_SEVERAL", "NOT_FIRST", "REPEATED", "STOPPED", "WHEN_BOUNDED",
    "around", "without_bounds",
]  # fmt: skip

FEW_SCORES = f"no interval of the score: needs {ENOUGH} episodes"
"""Of a mean score; see harness.stats.mean_of_scores."""
FEW_SCORES_OF_SEVERAL = (
    f"no interval of the scores: needs {ENOUGH_OF_SEVERAL} episodes, more where tasks share seeds"
)
WHEN_BOUNDED = (
    f"Scores have an interval from {ENOUGH} of a single task on, of several from "
    f"{ENOUGH_OF_SEVERAL} together, {LEAST_EACH} of each, or more where tasks share seeds; none "
    "where all are equal."
)
NOT_FIRST = "no interval: the episodes with a result are not the first of the plan"
"""What is missing may be what takes long, or what fails: no random part."""
REPEATED = "no interval: some episodes are the same"
STOPPED = "no interval: tasks stopped at moments that suited them"
"""A mean of rates, each at the moment at which its task had seen enough, is off: an interval would
cover it in 0 to 80 of 100 runs."""


def without_bounds(found: Estimate | None) -> Estimate | None:
    """The figure alone."""
    return None if found is None else Estimate(found.value, None, None)


def around(value: float, low: float, high: float) -> Interval:
    """The value of all episodes, within the bounds of the different ones."""
    return Interval(value, min(value, low), max(value, high))
