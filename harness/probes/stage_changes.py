"""Which stage or failure mode changed between two runs, on the same pairs of cases.

Each is a share of episodes, and its difference has the interval and the p-value of a difference in
success; p-values are corrected by Holm for all that were looked at.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.compare.case_tables import Pair
from harness.compare.pairs import Key, ScoredRun, TaskPairs, pair_notes, pair_up
from harness.compare.shared_seeds import designs_of_pairs
from harness.core import DOMAINS, UserError
from harness.core.failure_modes import FAILURE_MODES
from harness.records.stage_file import EpisodeStages
from harness.stats import Interval, holm, paired_difference, paired_p
from harness.verify.stages import StagedEpisode

__all__ = ["StageChange", "StageChanges", "compare_stages"]

Told = Mapping[Key, EpisodeStages]
Holds = Callable[[EpisodeStages], bool | None]


@dataclass(frozen=True, kw_only=True)
class StageChange:
    """A stage of some tasks, or a failure mode, in both runs."""

    kind: str
    """`stage` or `mode`."""
    domain: str
    name: str
    tasks: int
    pairs: int
    """Cases in which it is known of both runs."""
    base: float
    """The share of episodes that reached the stage, or have the mode as their first."""
    new: float
    difference: Interval
    """New minus base, at level 1 - alpha, for this row alone."""
    p: float
    adjusted: float
    """Holm's, over all rows."""
    moved: bool
    """Whether that is at most alpha."""


@dataclass(frozen=True, kw_only=True)
class StageChanges:
    """All stages and modes of two runs."""

    base: str
    new: str
    alpha: float
    rows: tuple[StageChange, ...]
    unknown: int
    """Pairs of which one of the runs does not replay."""
    notes: tuple[str, ...]


def compare_stages(
    base: ScoredRun,
    new: ScoredRun,
    staged: tuple[Sequence[StagedEpisode], Sequence[StagedEpisode]],
    alpha: float,
) -> StageChanges:
    """Compare two runs, of which `staged` are harness.verify.stages.stages_of_run, in this order.

    Raises UserError where they cannot be compared (`pair_up`), or nothing is known of both.
    """
    for run in (base, new):
        if run.run.get("stopped"):
            raise UserError(
                f"{run.name} stopped for what it had seen, so its shares have no fair test: play "
                "all episodes of both runs"
            )
    one, other = (_told(each) for each in staged)
    paired = pair_up(base, new)
    tasks = []
    for each in paired:
        pairs = tuple(pair for pair in each.pairs if not pair.perturbations)
        if pairs and each.task.success is not None:
            tasks.append(dataclasses.replace(each, pairs=pairs))
    rows = []
    for kind, domain, name, members, holds in _looked_at(tasks, one, other):
        row = _row(kind, domain, name, members, (one, other), holds, alpha)
        if row is not None:
            rows.append(row)
    if not rows:
        raise UserError(
            "no case of both runs has a stage or a mode that is known: `bench report RUN --stages` "
            "says why"
        )
    corrected = holm([row.p for row in rows])
    return StageChanges(
        base=base.name,
        new=new.name,
        alpha=alpha,
        rows=tuple(
            dataclasses.replace(row, adjusted=p, moved=p <= alpha)
            for row, p in zip(rows, corrected)
        ),
        unknown=sum(
            _key(each, pair) not in told
            for each in tasks
            for pair in each.pairs
            for told in (one, other)
        ),
        notes=tuple(pair_notes(paired)),
    )


def _told(episodes: Sequence[StagedEpisode]) -> dict[Key, EpisodeStages]:
    return {
        (each.result.task, each.result.seed, ()): each.found
        for each in episodes
        if each.found is not None
    }


def _key(each: TaskPairs, pair: Pair) -> Key:
    return each.task.id, pair.seed, ()


def _looked_at(
    tasks: Sequence[TaskPairs], one: Told, other: Told
) -> Iterator[tuple[str, str, str, Sequence[TaskPairs], Holds]]:
    """(kind, domain, name, tasks, what holds) of each stage and mode."""
    groups: dict[tuple[str, tuple[str, ...]], list[TaskPairs]] = {}
    modes: dict[tuple[str, str], list[TaskPairs]] = {}
    for each in tasks:
        keys = [_key(each, pair) for pair in each.pairs]
        told = [side[key] for side in (one, other) for key in keys if key in side]
        if told and told[0].stages:
            groups.setdefault((each.task.domain, told[0].stages), []).append(each)
        for mode in FAILURE_MODES:
            if any(mode in found.looked_for for found in told):
                modes.setdefault((each.task.domain, mode), []).append(each)
    for domain, stages in sorted(groups, key=lambda key: DOMAINS.index(key[0])):
        for number, stage in enumerate(stages):
            yield "stage", domain, stage, groups[domain, stages], _reached(number)
    for domain, mode in sorted(modes, key=lambda key: DOMAINS.index(key[0])):
        yield "mode", domain, mode, modes[domain, mode], _first_is(mode)


def _reached(number: int) -> Holds:
    return lambda found: found.stage > number


def _first_is(mode: str) -> Holds:
    return lambda found: found.modes[:1] == (mode,) if mode in found.looked_for else None


def _row(
    kind: str,
    domain: str,
    name: str,
    tasks: Sequence[TaskPairs],
    told: tuple[Told, Told],
    holds: Holds,
    alpha: float,
) -> StageChange | None:
    """The row, not corrected; None where it is known of no pair."""
    found = []
    for each in tasks:
        pairs = []
        for pair in each.pairs:
            key = _key(each, pair)
            values = [holds(side[key]) if key in side else None for side in told]
            if None not in values:
                before, after = (float(bool(value)) for value in values)
                pairs.append(pair._replace(base=before, new=after))
        if pairs:
            found.append(dataclasses.replace(each, pairs=tuple(pairs)))
    if not found:
        return None
    # Of 1 and 0 the sign is the difference, whatever the task itself is compared by.
    changes = [each.signs() for each in found]
    designs = designs_of_pairs(found, changes)
    p = paired_p(changes, designs)
    return StageChange(
        kind=kind,
        domain=domain,
        name=name,
        tasks=len(found),
        pairs=sum(len(each.pairs) for each in found),
        base=float(np.mean([np.mean([pair.base for pair in each.pairs]) for each in found])),
        new=float(np.mean([np.mean([pair.new for pair in each.pairs]) for each in found])),
        difference=paired_difference(changes, 1 - alpha, designs),
        p=p,
        adjusted=p,
        moved=False,
    )
