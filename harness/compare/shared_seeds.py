"""Tasks of one simulator that are played with the same seeds may show the same rooms.

BabyAI's levels do: whoever fails in a room fails in it at several of them. How much that matters is
measured on the runs themselves, for each pair of runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from harness.compare.pairs import Key, TaskPairs
from harness.core import Task
from harness.records.plan import Plan
from harness.stats import design_effect

__all__ = ["design_of_base", "design_of_pairs"]

PRIOR = 2.0
"""How many differing pairs the outcomes of both runs count for beside the pairs that did differ."""
LEAST_SPREAD = 0.1
"""If an agent loses nearly the same everywhere, small variations that tasks share are no doubt of
it."""


def design_of_pairs(tasks: Sequence[TaskPairs]) -> float:
    """By what factor the variance of the mean difference over these tasks is larger.

    It is harness.stats.design_effect of the differences. Where few pairs differ, that knows little:
    then it is rather that of the outcomes, the larger one of the two runs.
    """
    if len(tasks) < 2:
        return 1.0
    changes = [each.differences() for each in tasks]
    labels = _labels((each.task, _seeds(each)) for each in tasks)
    differing = sum(float(np.square(each).sum()) for each in changes)
    base = [_ranks(_by_seed((pair.seed, pair.base) for pair in each.pairs)) for each in tasks]
    new = [_ranks(_by_seed((pair.seed, pair.new) for pair in each.pairs)) for each in tasks]
    outcomes = max(design_effect(base, labels), design_effect(new, labels))
    found = design_effect(changes, labels, LEAST_SPREAD)
    return (differing * found + PRIOR * outcomes) / (differing + PRIOR)


def design_of_base(plan: Plan, base: Mapping[Key, float]) -> float:
    """That of the base's outcomes, which are known before a gate plays: the largest one over
    simulators.
    """
    values: dict[str, dict[int, list[float]]] = {item.task.id: {} for item in plan.items}
    for (task, seed, _), value in base.items():
        if task in values:
            values[task].setdefault(seed, []).append(value)
    families: dict[str, list[Task]] = {}
    for item in plan.items:
        if values[item.task.id]:
            families.setdefault(item.task.adapter, []).append(item.task)
    return max(
        (
            design_effect(
                [_ranks([sum(each) for each in values[task.id].values()]) for task in tasks],
                _labels((task, values[task.id]) for task in tasks),
            )
            for tasks in families.values()
        ),
        default=1.0,
    )


def _seeds(each: TaskPairs) -> list[int]:
    """The seeds of its differences, in their order."""
    return list(dict.fromkeys(pair.seed for pair in each.pairs))


def _by_seed(pairs: Iterable[tuple[int, float]]) -> list[float]:
    """The sum over the conditions of each seed, from (seed, value) of each case."""
    found: dict[int, float] = {}
    for seed, value in pairs:
        found[seed] = found.get(seed, 0.0) + value
    return list(found.values())


def _ranks(values: Sequence[float]) -> np.ndarray:
    """The values in order, from 0 to 1, equal ones alike: scores of tasks share no unit."""
    _, places = np.unique(np.asarray(values), return_inverse=True)
    ranks: np.ndarray = places / max(1, int(places.max()))
    return ranks


def _labels(tasks: Iterable[tuple[Task, Iterable[int]]]) -> list[np.ndarray]:
    """For each task a number for each seed, equal for the same seed of the same simulator."""
    numbers: dict[tuple[str, int], int] = {}
    return [
        np.array([numbers.setdefault((task.adapter, seed), len(numbers)) for seed in seeds])
        for task, seeds in tasks
    ]
