"""How far episodes come, and how they fail: the funnel of stages and the modes, by domain.

Every figure is a share of all episodes that have a result, as a mean over tasks that each weigh the
same, with its interval: of different episodes, and wider where tasks share their seeds. An episode
of which it is not known counts for neither bound. A failure mode is named where it is sure to end
more than a few of the episodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.core import DOMAINS
from harness.core.failure_modes import FAILURE_MODES
from harness.records.plan import PlanItem
from harness.records.stage_file import EpisodeStages
from harness.records.stored_run import StoredRun
from harness.stats import Estimate, Interval
from harness.verify.stages import StagedEpisode, unknown_reasons
from leaderboards.no_interval import NOT_FIRST, STOPPED
from leaderboards.stage_shares import CAUSES, Outcomes, is_named, mean_share

__all__ = ["Funnel", "ModeShare", "ModesOfDomain", "StageReport", "StageShare", "stage_report"]

SUCCESS, NONE_OF_THESE = "success", "none of these"
Holds = Callable[[StagedEpisode], bool | None]
"""Whether something is true of an episode; None: that is not known."""


@dataclass(frozen=True, kw_only=True)
class StageShare:
    """One stage, and how many of all episodes reached it."""

    stage: str
    reached: Estimate


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """The tasks of a domain that have the same stages."""

    domain: str
    tasks: tuple[str, ...]
    n: int
    """Episodes with a result."""
    unknown: int
    """How many of them did not replay."""
    stages: tuple[StageShare, ...]


@dataclass(frozen=True, kw_only=True)
class ModeShare:
    """How many of all episodes have a mode as their first."""

    mode: str
    """A failure mode, `success` or `none of these`."""
    share: Estimate
    episodes: int
    """How many that are."""
    also: int
    """Episodes that have it beside another one, which counts."""
    tasks: int
    """In how many tasks it was looked for; the share is of these."""
    named: bool = False
    """Whether it is sure to end more than one episode in twenty; see leaderboards.stage_shares."""


@dataclass(frozen=True, kw_only=True)
class ModesOfDomain:
    """Successes and failure modes of a domain."""

    domain: str
    tasks: int
    n: int
    unknown: int
    modes: tuple[ModeShare, ...]
    """Success, then what was found at least once, in the order of the list of modes."""
    never: tuple[str, ...]
    """Modes that were looked for and not found."""


@dataclass(frozen=True, kw_only=True)
class StageReport:
    """The stages and modes of a run."""

    run: str
    agent: str
    funnels: tuple[Funnel, ...]
    modes: tuple[ModesOfDomain, ...]
    without: Mapping[str, int]
    """Family -> how many of its tasks have no stages."""
    unknown: Mapping[str, int]
    """Why episodes are not known -> how many."""
    no_interval: str = ""
    """Why the shares of some tasks have no bounds."""


@dataclass
class _Task:
    """The episodes of one task."""

    item: PlanItem
    first_seed: int
    episodes: list[StagedEpisode] = field(default_factory=list)
    tried: int = 0
    """Episodes that were tried and have no result."""
    last: int = -1

    @property
    def is_prefix(self) -> bool:
        """Whether those with a result and those that were tried are the first of the plan."""
        return self.last + 1 == len(self.episodes) + self.tried

    def known(self) -> EpisodeStages | None:
        """What is known of any of its episodes."""
        return next((each.found for each in self.episodes if each.found is not None), None)

    def distinct(self) -> list[StagedEpisode]:
        """The first of equal episodes, each."""
        found: dict[object, StagedEpisode] = {}
        for each in self.episodes:
            result = each.result
            key = (result.start, result.digest) if result.start else each.index
            found.setdefault(key, each)
        return list(found.values())


def stage_report(run: StoredRun, episodes: Sequence[StagedEpisode]) -> StageReport:
    """The report of a run, of which `episodes` are harness.verify.stages.stages_of_run."""
    tasks = _tasks(run, episodes)
    description = run.description
    anytime = bool(description.get("stopped"))
    anytime = anytime or str(description.get("stopping", "")).startswith("until")
    why = STOPPED if anytime else ""
    if not why and not all(each.is_prefix for each in tasks):
        why = NOT_FIRST
    groups: dict[tuple[str, tuple[str, ...]], list[_Task]] = {}
    without: dict[str, int] = {}
    for each in tasks:
        known = each.known()
        if known is None:
            continue
        if known.stages:
            groups.setdefault((each.item.task.domain, known.stages), []).append(each)
        else:
            family = each.item.task.id.partition("/")[0]
            without[family] = without.get(family, 0) + 1
    domains = {
        domain: of_domain
        for domain in DOMAINS
        if (of_domain := [each for each in tasks if each.item.task.domain == domain])
    }
    looked_at = sum(
        any(_looked_for(each, mode) for each in of_domain)
        for of_domain in domains.values()
        for mode in CAUSES
    )
    return StageReport(
        run=str(run.path),
        agent=str(description["agent"]["name"]),
        funnels=tuple(
            _funnel(domain, stages, groups[domain, stages], bounded=not why)
            for domain, stages in sorted(groups, key=lambda key: DOMAINS.index(key[0]))
        ),
        modes=tuple(
            _modes(domain, of_domain, 0 if why else looked_at)
            for domain, of_domain in domains.items()
        ),
        without=without,
        unknown=unknown_reasons(episodes),
        no_interval=why,
    )


def _tasks(run: StoredRun, episodes: Iterable[StagedEpisode]) -> list[_Task]:
    """The tasks that have a result, in the order of the plan."""
    found: dict[int, _Task] = {}
    for each in episodes:
        number = each.index.item
        if number not in found:
            item = run.plan.items[number]
            found[number] = _Task(item, item.task.first_seed)
        found[number].episodes.append(each)
        found[number].last = max(found[number].last, each.index.episode)
    for index, result in run.cases():
        if index.condition == 0 and result.status == "error" and index.item in found:
            found[index.item].tried += 1
            found[index.item].last = max(found[index.item].last, index.episode)
    return [found[number] for number in sorted(found)]


def _funnel(
    domain: str, stages: tuple[str, ...], tasks: Sequence[_Task], *, bounded: bool
) -> Funnel:
    def reached(number: int) -> Holds:
        return lambda each: None if each.found is None else each.found.stage > number

    return Funnel(
        domain=domain,
        tasks=tuple(each.item.task.id for each in tasks),
        n=sum(len(each.episodes) for each in tasks),
        unknown=_unknown(tasks),
        stages=tuple(
            StageShare(stage=stage, reached=_share(tasks, reached(number), bounded=bounded))
            for number, stage in enumerate(stages)
        ),
    )


def _modes(domain: str, tasks: Sequence[_Task], looked_at: int) -> ModesOfDomain:
    """looked_at: modes of the report that could be named; 0: its shares have no bounds."""
    rows, never = [], []
    for mode in (SUCCESS, *FAILURE_MODES, NONE_OF_THESE):
        looked = [each for each in tasks if mode not in FAILURE_MODES or _looked_for(each, mode)]
        found = [each for task in looked for each in task.episodes if first_mode_is(mode)(each)]
        if not looked:
            continue
        if not found and mode != SUCCESS:
            never += [mode] if mode in FAILURE_MODES else []
            continue
        also = sum(
            mode in each.found.modes[1:]
            for task in looked
            for each in task.episodes
            if each.found is not None
        )
        rows.append(
            ModeShare(
                mode=mode,
                share=_share(looked, first_mode_is(mode), bounded=looked_at > 0),
                episodes=len(found),
                also=also,
                tasks=len(looked),
                named=looked_at > 0
                and mode in CAUSES
                and is_named(_outcomes(looked, first_mode_is(mode)), looked_at),
            )
        )
    return ModesOfDomain(
        domain=domain,
        tasks=len(tasks),
        n=sum(len(each.episodes) for each in tasks),
        unknown=_unknown(tasks),
        modes=tuple(rows),
        never=tuple(never),
    )


def first_mode_is(mode: str) -> Holds:
    """Whether an episode's first mode is this one; `success` and `none of these` count as modes."""

    def holds(each: StagedEpisode) -> bool | None:
        if each.result.success:
            return mode == SUCCESS
        if each.found is None:
            return False if mode == SUCCESS else None
        if mode in FAILURE_MODES and mode not in each.found.looked_for:
            return None
        first = each.found.modes[0] if each.found.modes else NONE_OF_THESE
        return first == mode

    return holds


def _looked_for(task: _Task, mode: str) -> bool:
    return any(each.found is not None and mode in each.found.looked_for for each in task.episodes)


def _unknown(tasks: Sequence[_Task]) -> int:
    return sum(each.found is None for task in tasks for each in task.episodes)


def _share(tasks: Sequence[_Task], holds: Holds, *, bounded: bool) -> Estimate:
    """The mean over tasks of the share of their episodes of which this is true."""
    found: Interval = mean_share(_outcomes(tasks, holds))
    return found if bounded else Estimate(found.value, None, None)


def _outcomes(tasks: Sequence[_Task], holds: Holds) -> list[Outcomes]:
    """Of the tasks with an episode of which it is known."""
    found = []
    for task in tasks:
        every = [value for each in task.episodes if (value := holds(each)) is not None]
        if not every:
            continue
        told = [(each.index, holds(each)) for each in task.distinct()]
        sure = [(index, value) for index, value in told if value is not None]
        found.append(
            Outcomes(
                share=sum(every) / len(every),
                values=np.array([float(value) for _, value in sure]),
                seeds=np.array([task.first_seed + index.episode for index, _ in sure]),
                unknown=len(told) - len(sure) + task.tried,
                family=task.item.family,
            )
        )
    return found
