"""What was new to an agent, and how it does on what it had seen in training and on what it had not.

How the two are compared: leaderboards.seen_gap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.core import Result
from harness.core.factors import AXES
from harness.probes.seen import SeenEpisode, SeenRun
from harness.records.stored_run import StoredRun
from harness.records.training_data import TrainingData
from leaderboards.no_interval import STOPPED
from leaderboards.resampled import resampled_gap
from leaderboards.seen_gap import Gap, gap_of, has_both

__all__ = ["AxisCount", "Between", "SeenReport", "TaskSeen", "seen_report"]


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
    resampled: Gap | None = None
    """Prescribed against resampled starts; None: the run has no task with both. It needs no list of
    training data."""


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
    anytime = bool(description.get("stopped"))
    anytime = anytime or str(description.get("stopping", "")).startswith("until")
    others = [(str(each.description["agent"]["name"]), _results(each)) for each in controls]
    by_task = [] if found is None else _by_task(run, found.episodes)
    possible = [axis for axis in AXES if any(has_both(each, axis) for each in by_task)]
    resampled = resampled_gap(run, others, len(possible) + 1, bounded=not anytime)
    axes = len(possible) + (resampled is not None)
    gaps = tuple(
        gap
        for axis in possible
        if (gap := gap_of(run, by_task, axis, others, axes, bounded=not anytime)) is not None
    )
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
            no_interval=STOPPED if anytime and resampled is not None else "",
            resampled=resampled,
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
        resampled=resampled,
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


def _results(run: StoredRun) -> dict[tuple[str, int], Result]:
    return {
        (result.task, result.seed): result
        for index, result in run.cases()
        if not index.condition and result.status != "error"
    }
