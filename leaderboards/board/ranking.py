"""Which agents of a suite the data can tell apart, and the ranks that each may have.

Every two agents are tested as `bench compare` tests two runs: on the unperturbed cases that both
have a score of and that started alike, by the paired difference of their means over all tasks of
the suite, with Holm's correction over all pairs. Agents that lack a pair in a task of the suite are
not tested against one another, and so are never told apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.compare.case_values import measure_of
from harness.compare.shared_seeds import LEAST_SPREAD
from harness.compare.value_arrays import value_differences
from harness.core import Task
from harness.stats import holm
from harness.stats.paired import paired_p_values
from harness.stats.several import letters, rank_bounds
from leaderboards.board.outcomes import UNKNOWN, TaskOutcomes

__all__ = ["ALPHA", "Standing", "rank_agents", "shared_by_all"]

ALPHA = 0.05
"""The chance that any rank of a suite lies outside of its bounds."""
MOST_LETTERS = 26
"""Agents of which letters say which cannot be told apart; of more, the bounds of ranks say it."""
BLOCK = 400_000
"""Values of one block of comparisons."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One agent among those of its suite."""

    rank_low: int
    """The best rank that it may have, 1 at best."""
    rank_high: int
    letters: str
    """Agents that share a letter cannot be told apart; empty where there are too many agents."""
    behind: int
    """How many are found to be better."""
    ahead: int
    """How many it is found to be better than."""
    untested: int
    """With how many it lacks pairs in a task."""


class _Field:
    """The unperturbed cases of several agents; the arrays have the shape (agents, cases)."""

    def __init__(self, tasks: Sequence[Task], agents: Sequence[Mapping[str, TaskOutcomes]]) -> None:
        found = [[agent[task.id] for task in tasks] for agent in agents]
        counts = [max(row[k].values.shape[1] for row in found) for k in range(len(tasks))]
        ends = np.cumsum([0, *counts])
        self.begins = ends[:-1]
        """Where the cases of each task begin."""
        shape = (len(agents), int(ends[-1]))
        self.values = np.full(shape, np.nan)
        self.starts = np.zeros(shape, np.uint32)
        self.drawn = np.zeros(shape, np.int32)
        names = {"": 0, UNKNOWN: 0}
        for number, row in enumerate(found):
            for begin, each in zip(self.begins, row):
                here = slice(begin, begin + each.values.shape[1])
                self.values[number, here] = each.values[0]
                self.starts[number, here] = each.starts[0]
                ids = [names.setdefault(name, len(names)) for name in each.drawn_by]
                self.drawn[number, here] = np.array(ids)[each.renderers[0]]
        of_task = np.repeat(np.arange(len(tasks)), counts)
        self.kinds = np.array([measure_of(task) for task in tasks])[of_task]
        self.of_task = of_task
        self.families = [_family(task, [row[k] for row in found]) for k, task in enumerate(tasks)]
        self.seeds = np.concatenate(
            [task.first_seed + np.arange(count) for task, count in zip(tasks, counts)]
        )


def _family(task: Task, played: Sequence[TaskOutcomes]) -> str:
    """See harness.records.plan.PlanItem.family; streams of its own must be said by all."""
    return task.id if all(each.item.own_streams for each in played) else task.adapter


def rank_agents(
    tasks: Sequence[Task], agents: Sequence[Mapping[str, TaskOutcomes]], alpha: float = ALPHA
) -> list[Standing]:
    """The standing of each agent.

    tasks: of the suite. agents: for each agent its outcomes by task id, of all these tasks.
    """
    k = len(agents)
    if k < 2:
        return [_alone() for _ in agents]
    field = _Field(tasks, agents)
    ahead = np.zeros((k, k))
    """ahead[i, j]: the sign of the mean difference i minus j."""
    p: dict[tuple[int, int], float] = {}
    size = max(1, BLOCK // field.values.shape[1])
    for i in range(k - 1):
        for begin in range(i + 1, k, size):
            others = np.arange(begin, min(k, begin + size))
            difference, values, tested = _compare(field, i, others)
            ahead[i, others], ahead[others, i] = -np.sign(difference), np.sign(difference)
            p |= {(i, int(j)): float(v) for j, v, ok in zip(others, values, tested) if ok}
    adjusted = dict(zip(p, holm(list(p.values()))))
    differ = np.zeros((k, k), bool)
    for (i, j), value in adjusted.items():
        differ[i, j] = differ[j, i] = value <= alpha
    better = differ & (ahead > 0)
    order = sorted(range(k), key=lambda each: -ahead[each].sum())
    shown = letters(differ[np.ix_(order, order)]) if k <= MOST_LETTERS else ("",) * k
    letter = dict(zip(order, shown))
    tested_with = np.zeros(k, int)
    for pair in p:
        tested_with[list(pair)] += 1
    return [
        Standing(
            rank_low=low,
            rank_high=high,
            letters=letter[number],
            behind=int(better[:, number].sum()),
            ahead=int(better[number].sum()),
            untested=k - 1 - int(tested_with[number]),
        )
        for number, (low, high) in enumerate(rank_bounds(better.tolist()))
    ]


def shared_by_all(
    tasks: Sequence[Task], agents: Sequence[Mapping[str, TaskOutcomes]]
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The unperturbed cases that all of these agents have a score of and that started alike.

    The task's number and the seed of each case, shape (cases, 2); the values, shape (agents,
    cases); the family of each task. The arguments are those of rank_agents.
    """
    field = _Field(tasks, agents)
    kept = ~np.isnan(field.values).any(0) & _agree(field.starts) & _agree(field.drawn)
    places = np.stack([field.of_task, field.seeds], axis=1)
    return places[kept], field.values[:, kept], field.families


def _agree(known: np.ndarray) -> np.ndarray:
    """In which columns all that is known, which is not 0, is equal."""
    most = known.max(0)
    found: np.ndarray = ((known == 0) | (known == most)).all(0)
    return found


def _alone() -> Standing:
    return Standing(rank_low=1, rank_high=1, letters="", behind=0, ahead=0, untested=0)


def _compare(
    field: _Field, one: int, others: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(mean difference, p, whether there is a pair in every task), `others` minus `one`."""
    base, new = field.values[one], field.values[others]
    paired = ~np.isnan(base) & ~np.isnan(new)
    starts, theirs = field.starts[one], field.starts[others]
    paired &= (starts == 0) | (theirs == 0) | (starts == theirs)
    drawn, theirs = field.drawn[one], field.drawn[others]
    paired &= (drawn == 0) | (theirs == 0) | (drawn == theirs)
    change = np.where(paired, value_differences(base, new, field.kinds), 0.0)
    pairs = np.add.reduceat(paired, field.begins, axis=1, dtype=np.float64)
    tested = (pairs > 0).all(axis=1)
    difference, p = np.zeros(len(others)), np.ones(len(others))
    if tested.any():
        change, paired, pairs = change[tested], paired[tested], pairs[tested]
        sums = [
            np.add.reduceat(each, field.begins, axis=1)
            for each in (-np.minimum(change, 0), np.maximum(change, 0), np.square(change))
        ]
        design = _designs(field, change, paired, pairs)
        difference[tested] = ((sums[1] - sums[0]) / pairs).mean(axis=1)
        p[tested] = paired_p_values(*(each / design for each in (*sums, pairs)))
    return difference, p, tested


def _designs(
    field: _Field, change: np.ndarray, paired: np.ndarray, pairs: np.ndarray
) -> np.ndarray:
    """harness.compare.shared_seeds.designs_of_pairs of many comparisons, shape (others, tasks)."""
    found = np.ones(pairs.shape)
    members: dict[str, list[int]] = {}
    for number, family in enumerate(field.families):
        members.setdefault(family, []).append(number)
    for tasks in members.values():
        if len(tasks) > 1:
            cases = np.flatnonzero(np.isin(field.of_task, tasks))
            found[:, tasks] = _design(field, cases, change, paired, pairs)[:, None]
    return found


def _design(
    field: _Field, cases: np.ndarray, change: np.ndarray, paired: np.ndarray, pairs: np.ndarray
) -> np.ndarray:
    """harness.stats.Clusters.design_effect, row by row: the cases of a seed are a cluster."""
    order = cases[np.argsort(field.seeds[cases], kind="stable")]
    begins = np.flatnonzero(np.diff(field.seeds[order], prepend=field.seeds[order][0] - 1))
    counts = pairs[:, field.of_task[order]]
    weights = np.where(paired[:, order], 1 / counts, 0.0)
    sums = np.add.reduceat(change, field.begins, axis=1)
    means = (sums / pairs)[:, field.of_task[order]]
    spread = (change[:, order] - means) * weights
    most = _of_clusters(weights, begins) / np.square(weights).sum(axis=1)
    own = np.add.reduceat(np.square(spread), begins, axis=1)
    alone = own.sum(axis=1)
    squares = np.square(change[:, order] * weights).sum(axis=1)
    together = _of_clusters(spread, begins)
    flat = alone <= 1e-24 * squares
    with np.errstate(invalid="ignore", divide="ignore"):
        found = 1 + np.maximum(0.0, together - alone) / np.maximum(alone, LEAST_SPREAD * squares)
        known = alone**2 / np.square(own).sum(axis=1)
        mixed: np.ndarray = (known * found + most) / (known + 1)
    return np.where(flat, most, mixed)


def _of_clusters(values: np.ndarray, begins: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.square(np.add.reduceat(values, begins, axis=1)).sum(axis=1)
    return found
