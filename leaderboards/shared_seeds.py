"""Tasks of one simulator that are played with the same seeds, in the rows of a perturbed run.

Such tasks may show the same rooms, perturbed or not: their outcomes of one seed are a cluster.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.stats import Clusters, design_effects
from leaderboards.perturbed_results import FAILED, SUCCEEDED, CaseArrays, PlayedCondition

__all__ = [
    "designs_of_controls", "designs_of_differences", "designs_of_rates", "designs_of_values",
    "pooled_design",
]  # fmt: skip


def designs_of_values(
    arrays: CaseArrays,
    items: Sequence[int],
    episodes: Sequence[np.ndarray],
    values: Sequence[np.ndarray],
) -> np.ndarray:
    """The design effect of each item, shape (items,), of the values of these episodes of each."""
    chosen = [arrays.plan.items[item] for item in items]
    seeds = [entry.task.first_seed + each for entry, each in zip(chosen, episodes)]
    return design_effects(values, seeds, [entry.family for entry in chosen])


def designs_of_rates(arrays: CaseArrays, scope: Sequence[PlayedCondition]) -> np.ndarray:
    """Of the successes of the cases that have a result."""
    states = [arrays.state[item][condition] for item, condition in scope]
    seen = [np.flatnonzero(state >= FAILED) for state in states]
    won = [(state[each] == SUCCEEDED).astype(float) for state, each in zip(states, seen)]
    return designs_of_values(arrays, [item for item, _ in scope], seen, won)


def designs_of_differences(arrays: CaseArrays, scope: Sequence[PlayedCondition]) -> np.ndarray:
    """Of perturbed minus control, over the pairs."""
    seen = [np.flatnonzero(arrays.pairs(*each)) for each in scope]
    changes = []
    for (item, condition), each in zip(scope, seen):
        state = arrays.state[item] == SUCCEEDED
        changes.append(state[condition][each].astype(float) - state[0][each])
    return designs_of_values(arrays, [item for item, _ in scope], seen, changes)


def designs_of_controls(arrays: CaseArrays, scope: Sequence[PlayedCondition]) -> np.ndarray:
    """Of the controls' successes, over the pairs."""
    seen = [np.flatnonzero(arrays.pairs(*each)) for each in scope]
    won = [
        (arrays.state[item][0][each] == SUCCEEDED).astype(float)
        for (item, _), each in zip(scope, seen)
    ]
    return designs_of_values(arrays, [item for item, _ in scope], seen, won)


def pooled_design(
    arrays: CaseArrays,
    items: Sequence[int],
    episodes: Sequence[np.ndarray],
    values: Sequence[np.ndarray],
) -> float:
    """The design effect of the mean over all these values, those of a seed a cluster."""
    labels: dict[tuple[str, int], int] = {}
    clusters = [
        labels.setdefault((entry.family, entry.task.first_seed + episode), len(labels))
        for entry, each in zip((arrays.plan.items[item] for item in items), episodes)
        for episode in each.tolist()
    ]
    if len(labels) == len(clusters):
        return 1.0
    found = Clusters(np.zeros(len(clusters), int), np.array(clusters))
    return found.design_effect(np.concatenate(values).astype(np.float64))
