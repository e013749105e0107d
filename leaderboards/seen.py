"""What was new to an agent, and how it does on what it had seen in training and on what it had not.

The gap is taken within tasks: of each task that has episodes of both kinds, success on seen minus
success on unseen ones, as a mean over these tasks. Seen episodes may simply be easier, so the same
gap of other agents, over the same episodes, stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.core import Result
from harness.core.factors import AXES
from harness.probes.seen import SeenEpisode, SeenRun
from harness.records.stored_run import StoredRun
from harness.records.training_data import TrainingData
from harness.stats import Estimate, Interval, design_effects
from harness.stats.gaps import gap_within_tasks
from leaderboards.no_interval import STOPPED

__all__ = [
    "AxisCount", "Between", "Control", "Gap", "SeenReport", "TaskSeen", "seen_report",
]  # fmt: skip

ALPHA = 0.05
"""The chance that an agent to which seen and unseen are alike is said to do better on seen ones, of
all axes together, is at most half of this."""


@dataclass(frozen=True, kw_only=True)
class AxisCount:
    """One axis of a task."""

    axis: str
    seen: int
    """Episodes in which training had seen what is there."""
    known: int
    """Episodes of which that can be said."""


@dataclass(frozen=True, kw_only=True)
class TaskSeen:
    """A task, and along which axes it was new."""

    task: str
    n: int
    axes: tuple[AxisCount, ...]
    """Those along which anything is known."""


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


@dataclass(frozen=True, kw_only=True)
class Between:
    """An axis along which there are seen and unseen episodes, but in no one task."""

    axis: str
    seen: float
    """Success on seen episodes, as a mean over their tasks."""
    unseen: float
    n_seen: int
    n_unseen: int


@dataclass(frozen=True, kw_only=True)
class SeenReport:
    """What was new to the agent of a run."""

    run: str
    agent: str
    description: str | None
    """What it was trained on, as its maker says; None: it does not say, and nothing is claimed."""
    leaked: int
    """Starts that were in the training data, which equal keys of starts prove."""
    starts: int
    """Episodes whose start could be found there."""
    tasks: tuple[TaskSeen, ...]
    gaps: tuple[Gap, ...]
    between: tuple[Between, ...]
    """How tasks differ shows in these figures as well: they are no gap."""
    continuous: tuple[str, ...]
    """Families whose starts are real numbers, so that none is called unseen."""
    uncovered: tuple[str, ...]
    """Families of whose starts nothing is claimed."""
    unknown: Mapping[str, int]
    """Why it is not known what an episode is about -> of how many."""
    no_interval: str = ""


def seen_report(
    run: StoredRun,
    data: TrainingData | None,
    found: SeenRun | None,
    controls: Sequence[StoredRun] = (),
) -> SeenReport:
    """The report of a run. data, found: None where its agent does not say what it was trained on.

    controls: runs of other agents on the same episodes, such as the expert and one that acts at
    random.
    """
    description = run.description
    agent = str(description["agent"]["name"])
    if data is None or found is None:
        return SeenReport(
            run=str(run.path),
            agent=agent,
            description=None,
            leaked=0,
            starts=0,
            tasks=(),
            gaps=(),
            between=(),
            continuous=(),
            uncovered=(),
            unknown={},
        )
    anytime = bool(description.get("stopped"))
    anytime = anytime or str(description.get("stopping", "")).startswith("until")
    others = [(str(each.description["agent"]["name"]), _results(each)) for each in controls]
    by_task = _by_task(run, found.episodes)
    possible = [axis for axis in AXES if any(_both(each, axis) for each in by_task)]
    gaps = tuple(
        _gap(run, by_task, axis, others, len(possible), bounded=not anytime) for axis in possible
    )
    started = [
        each
        for each in found.episodes
        if each.about and found.families[each.result.task.partition("/")[0]]
    ]
    return SeenReport(
        run=str(run.path),
        agent=agent,
        description=data.description,
        leaked=sum(each.seen.get("start", False) for each in started),
        starts=len(started) if "start" in data.axes else 0,
        tasks=tuple(map(_row, by_task)),
        gaps=gaps,
        between=tuple(
            between
            for axis in AXES
            if axis not in possible and (between := _between(by_task, axis)) is not None
        ),
        continuous=_of_kind(found, "continuous") if "start" in data.axes else (),
        uncovered=_of_kind(found, "") if "start" in data.axes else (),
        unknown=dict(found.unknown),
        no_interval=STOPPED if anytime else "",
    )


def _between(by_task: Sequence[Sequence[SeenEpisode]], axis: str) -> Between | None:
    rates: dict[bool, list[float]] = {True: [], False: []}
    counts = {True: 0, False: 0}
    for task in by_task:
        for wanted in (True, False):
            won = [
                bool(each.result.success)
                for each in task
                if each.seen.get(axis) is wanted and each.result.success is not None
            ]
            if won:
                rates[wanted].append(sum(won) / len(won))
                counts[wanted] += len(won)
    if not (rates[True] and rates[False]):
        return None
    return Between(
        axis=axis,
        seen=float(np.mean(rates[True])),
        unseen=float(np.mean(rates[False])),
        n_seen=counts[True],
        n_unseen=counts[False],
    )


def _of_kind(found: SeenRun, kind: str) -> tuple[str, ...]:
    return tuple(family for family, each in found.families.items() if each == kind)


def _by_task(run: StoredRun, episodes: Sequence[SeenEpisode]) -> list[list[SeenEpisode]]:
    """The episodes of each task, in the order of the plan."""
    found: dict[int, list[SeenEpisode]] = {}
    for each in episodes:
        found.setdefault(each.index.item, []).append(each)
    return [found[item] for item in sorted(found)]


def _row(episodes: Sequence[SeenEpisode]) -> TaskSeen:
    counts = []
    for axis in AXES:
        told = [each.seen[axis] for each in episodes if axis in each.seen]
        if told:
            counts.append(AxisCount(axis=axis, seen=sum(told), known=len(told)))
    return TaskSeen(task=episodes[0].result.task, n=len(episodes), axes=tuple(counts))


def _both(episodes: Sequence[SeenEpisode], axis: str) -> bool:
    told = {
        each.seen[axis]
        for each in episodes
        if axis in each.seen and each.result.success is not None
    }
    return told == {True, False}


def _gap(
    run: StoredRun,
    by_task: Sequence[Sequence[SeenEpisode]],
    axis: str,
    others: Sequence[tuple[str, Mapping[tuple[str, int], Result]]],
    axes: int,
    *,
    bounded: bool,
) -> Gap:
    tasks = [each for each in by_task if _both(each, axis)]
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
    others: Sequence[tuple[str, Mapping[tuple[str, int], Result]]],
    *,
    bounded: bool,
) -> list[Control]:
    found = []
    for name, results in others:
        kept = [[each for each in task if _started_alike(results, each.result)] for task in tasks]
        kept = [task for task in kept if _both(task, axis)]
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


def _results(run: StoredRun) -> dict[tuple[str, int], Result]:
    return {
        (result.task, result.seed): result
        for index, result in run.cases()
        if not index.condition and result.status != "error"
    }


def _looked_up(results: Mapping[tuple[str, int], Result]) -> Callable[[SeenEpisode], Result]:
    return lambda each: results[each.result.task, each.result.seed]


def _started_alike(results: Mapping[tuple[str, int], Result], result: Result) -> bool:
    other = results.get((result.task, result.seed))
    return other is not None and other.start == result.start
