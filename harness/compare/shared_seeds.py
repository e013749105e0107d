"""Tasks of one simulator that are played with the same seeds may show the same rooms.

BabyAI's levels do: whoever fails in a room fails in it at several of them. How much that matters is
measured on the differences of the two runs. Where few pairs differ, nothing tells it, and the pairs
of a seed count as one; see harness.stats.Clusters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.compare.pairs import TaskPairs
from harness.stats import design_effects

__all__ = ["designs_of_pairs"]

LEAST_SPREAD = 0.1
"""If an agent loses nearly the same everywhere, small variations that tasks share are no doubt of
it."""


def designs_of_pairs(
    tasks: Sequence[TaskPairs], changes: Sequence[np.ndarray] | None = None
) -> np.ndarray:
    """By what factor the variance of the mean difference of each task counts more, shape (tasks,).

    1 for a task that shares its seeds with no other one. changes: the differences of each task, by
    default TaskPairs.differences.
    """
    return design_effects(
        [each.differences() for each in tasks] if changes is None else changes,
        [np.array(list(dict.fromkeys(pair.seed for pair in each.pairs))) for each in tasks],
        [each.family for each in tasks],
        LEAST_SPREAD,
    )
