"""The gap of one axis: success on what an agent had seen along it, and on what it had not.

It is taken within tasks: of each that has episodes of both kinds, success on seen minus success on
unseen ones, as a mean over these tasks. Seen episodes may simply be easier, so the same gap of
other agents, over the same episodes, stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.core import Result
from harness.probes.seen import SeenEpisode
from harness.records.stored_run import StoredRun
from harness.stats import Estimate, Interval, design_effects
from harness.stats.gaps import gap_within_tasks

__all__ = ["ALPHA", "Control", "Gap", "Others", "gap_of", "has_both"]

ALPHA = 0.05
"""The chance that an agent to which seen and unseen are alike is said to do better on seen ones, of
all axes together, is at most half of this."""
Others = Sequence[tuple[str, Mapping[tuple[str, int], Result]]]
"""Other agents by name, and their results by task and seed."""


@dataclass(frozen=True, kw_only=True)
class Control:
    """The gap of another agent over the same episodes."""

    agent: str
    n: int
    gap: Estimate


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Success on what was seen along an axis, and on what was not."""

    axis: str
    tasks: int
    """With episodes of both kinds."""
    n_seen: int
    """Different episodes of these tasks."""
    n_unseen: int
    seen: float
    unseen: float
    gap: Estimate
    """Seen minus unseen, at 95 %, for this axis alone."""
    better: bool
    """Whether it is above 0, corrected for the number of axes."""
    controls: tuple[Control, ...]


def has_both(episodes: Sequence[SeenEpisode], axis: str) -> bool:
    """Whether some of these episodes are seen along an axis, and some are not."""
    told = {
        each.seen[axis]
        for each in episodes
        if axis in each.seen and each.result.success is not None
    }
    return told == {True, False}


def gap_of(
    run: StoredRun,
    by_task: Sequence[Sequence[SeenEpisode]],
    axis: str,
    others: Others,
    axes: int,
    *,
    bounded: bool,
) -> Gap | None:
    """The gap along an axis, one of `axes` that are looked at together, in the tasks that have it.

    by_task: the episodes of each task. bounded: whether its figures have intervals. None where no
    task has episodes of both kinds.
    """
    tasks = [each for each in by_task if has_both(each, axis)]
    if not tasks:
        return None
    own = _Sides(run, tasks, axis, lambda each: each.result)
    gap = own.gap(0.95)
    corrected = own.gap(1 - ALPHA / axes)
    return Gap(
        axis=axis,
        tasks=len(tasks),
        n_seen=sum(own.counts[0][1]),
        n_unseen=sum(own.counts[1][1]),
        seen=own.rate(0),
        unseen=own.rate(1),
        gap=gap if bounded else Estimate(gap.value, None, None),
        better=bounded and corrected.low > 0,
        controls=tuple(_controls(run, tasks, axis, others, bounded=bounded)),
    )


def _controls(
    run: StoredRun,
    tasks: Sequence[Sequence[SeenEpisode]],
    axis: str,
    others: Others,
    *,
    bounded: bool,
) -> list[Control]:
    found = []
    for name, results in others:
        kept = [[each for each in task if _started_alike(results, each.result)] for task in tasks]
        kept = [task for task in kept if has_both(task, axis)]
        if not kept:
            continue
        sides = _Sides(run, kept, axis, _looked_up(results))
        gap = sides.gap(0.95)
        found.append(
            Control(
                agent=name,
                n=sum(sum(side[1]) for side in sides.counts),
                gap=gap if bounded else Estimate(gap.value, None, None),
            )
        )
    return found


class _Sides:
    """Successes and episodes of each task, seen and unseen; equal episodes count once."""

    def __init__(
        self,
        run: StoredRun,
        tasks: Sequence[Sequence[SeenEpisode]],
        axis: str,
        result_of: Callable[[SeenEpisode], Result],
    ) -> None:
        self.counts: list[tuple[list[int], list[int]]] = []
        self._designs = []
        for wanted in (True, False):
            won, seeds = [], []
            for task in tasks:
                different: dict[object, SeenEpisode] = {}
                for each in task:
                    if each.seen.get(axis) is wanted and each.result.success is not None:
                        result = result_of(each)
                        key = (result.start, result.digest) if result.start else each.index
                        different.setdefault(key, each)
                values = [bool(result_of(each).success) for each in different.values()]
                won.append(np.array(values, dtype=np.float64))
                seeds.append(np.array([each.result.seed for each in different.values()]))
            families = [run.plan.items[task[0].index.item].family for task in tasks]
            self.counts.append(([int(each.sum()) for each in won], [len(each) for each in won]))
            self._designs.append(design_effects(won, seeds, families))

    def rate(self, side: int) -> float:
        won, played = self.counts[side]
        return float(np.mean([k / n for k, n in zip(won, played)]))

    def gap(self, level: float) -> Interval:
        return gap_within_tasks(
            self.counts[0], self.counts[1], level, (self._designs[0], self._designs[1])
        )


def _looked_up(results: Mapping[tuple[str, int], Result]) -> Callable[[SeenEpisode], Result]:
    return lambda each: results[each.result.task, each.result.seed]


def _started_alike(results: Mapping[tuple[str, int], Result], result: Result) -> bool:
    other = results.get((result.task, result.seed))
    return other is not None and other.start == result.start
