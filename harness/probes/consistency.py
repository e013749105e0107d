"""`bench probe consistency`: does an agent that draws succeed again on a case that it solved once?

The same cases are played several times. Every play starts alike, and only the agent draws anew
(`Case.repeat`). Plays of one case are not independent episodes, so all intervals are over cases.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.core import Result, UserError
from harness.core.grammar import counted
from harness.probes.result import Finding, Plot, Section, Series, point_of
from harness.records.plan import Plan, PlanItem
from harness.records.stored_run import StoredRun
from harness.stats import Estimate, Interval, are_enough, design_effects, mean_of_scores
from harness.stats.repeated import (
    all_of,
    any_of,
    discordance,
    mean_of_shares,
    variance_between_cases,
)

__all__ = ["Consistency", "Row", "TaskPlays", "consistency_of", "plays_of", "repeated"]

OVERALL = "mean of tasks"
LEAST_CASES, LEAST_PLAYS = 200, 600
"""Cases, and plays of them beyond the first, from which on the variance between cases has bounds.
With fewer they covered as little as 60 % where nearly all plays succeed, or nearly none
(tests/calibration/repeated.py)."""


@dataclass(frozen=True, kw_only=True)
class TaskPlays:
    """All plays of the cases of a task that count: those with a score in every play."""

    task: str
    family: str
    """See harness.records.plan.PlanItem.family."""
    seeds: np.ndarray
    """Of the cases, shape (cases,)."""
    successes: np.ndarray | None
    """How many plays of each case succeeded, shape (cases,); None without a success rule."""
    same: np.ndarray
    """Whether all plays of a case went the same way, step by step, shape (cases,)."""
    missing: int = 0
    """Cases without a score in one of the plays."""
    unlike: int = 0
    """Cases that did not start alike in all plays."""
    unknown: int = 0
    """Cases that count, of which the simulator does not say how they started."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """The figures of a task, or of several tasks that weigh the same."""

    name: str
    cases: int
    differ: Interval
    """The share of cases whose plays differ."""
    all_of: tuple[Interval, ...] = ()
    """For 1, 2, ... plays: the share of cases in which all of them succeed."""
    any_of: tuple[Interval, ...] = ()
    """In which at least one succeeds. Both are empty without a success rule."""
    discordant: Interval | None = None
    """The share of cases in which, of two plays, one succeeds and the other fails."""
    between_plays: Interval | None = None
    """The variance of success between the plays of a case: half of `discordant`."""
    between_cases: Estimate | None = None
    """The variance between cases of their chances of success; bounds where there are enough."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, kw_only=True)
class Consistency(Finding):
    """What came of several plays of the same cases."""

    plays: int
    """How many plays were made."""
    asked: int
    """How many were asked for: fewer are made where the first two are the same."""
    tasks: tuple[Row, ...]
    overall: Row | None
    """Of the tasks with a success rule; None where there are none."""
    missing: int
    unlike: int
    unknown: int

    @property
    def every_play_is_the_same(self) -> bool:
        """Whether no case went differently in any play."""
        return all(row.differ.value == 0 for row in self.tasks)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; documented in docs/probes/consistency.md."""
        return {
            "schema": 1,
            "plays": self.plays,
            "asked": self.asked,
            "same": self.every_play_is_the_same,
            "missing": self.missing,
            "unlike": self.unlike,
            "tasks": [row.to_json() for row in self.tasks],
            "overall": None if self.overall is None else self.overall.to_json(),
        }

    def sections(self) -> list[Section]:
        """Tables and sentences."""
        rows = [*self.tasks, *([self.overall] if self.overall and len(self.tasks) > 1 else [])]
        parts = [_table(rows, self.plays)]
        if self.overall is not None:
            if self.plays > 2 and not self.every_play_is_the_same:
                parts.append(_curve(self.overall))
            if not self.every_play_is_the_same:
                parts.append(_variances(self.overall))
        said = self._sentences()
        return [*parts, *([Section(before=tuple(said))] if said else [])]

    def plots(self) -> list[Plot]:
        """The shares over the number of plays; nothing without a success rule."""
        if self.overall is None:
            return []
        kinds = (("any succeeds", self.overall.any_of), ("all succeed", self.overall.all_of))
        return [
            Plot(
                title="cases in which all and any plays succeed",
                kind="lines",
                at="plays of a case",
                value="cases in %",
                labels=tuple(map(str, range(1, self.plays + 1))),
                series=tuple(
                    Series(
                        name=name,
                        points=tuple(point_of(place, each) for place, each in enumerate(shares)),
                    )
                    for name, shares in kinds
                ),
                least=0,
                most=100,
            )
        ]

    def _sentences(self) -> list[str]:
        found = []
        if self.every_play_is_the_same:
            most = max(row.differ.high for row in self.tasks)
            rest = self.asked - self.plays
            not_made = (
                f", so the other {counted(rest, 'play')} {_was(rest)} not made" if rest else ""
            )
            found.append(
                f"every play is the same{not_made}: the agent draws nothing on these cases (with "
                f"95 % confidence, at most {_percent(most)} of such cases differ)"
            )
        if self.missing:
            found.append(
                f"{counted(self.missing, 'case')} without a score in every play "
                f"{'is' if self.missing == 1 else 'are'} left out"
            )
        if self.unlike:
            found.append(
                f"{counted(self.unlike, 'case')} did not start alike in all plays, and "
                f"{'is' if self.unlike == 1 else 'are'} left out: the simulator's reset does not "
                "fix the start"
            )
        if self.unknown:
            found.append(
                f"of {counted(self.unknown, 'case')} the simulator does not repeat exactly, so "
                "differences between plays may be its own"
            )
        return found


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def repeated(plan: Plan, repeat: int) -> Plan:
    """The plan of the same cases, played once more."""
    return dataclasses.replace(plan, repeat=repeat)


def plays_of(runs: Sequence[StoredRun]) -> list[TaskPlays]:
    """The cases of several plays of one plan, task by task. Raises UserError if none counts."""
    found: list[dict[tuple[int, int], Result]] = []
    for run in runs:
        results = {}
        for index, result in run.cases():
            if index.condition == 0 and result.status != "error":
                results[index.item, index.episode] = result
        found.append(results)
    tasks = [_task_plays(item, k, found) for k, item in enumerate(runs[0].plan.items)]
    kept = [each for each in tasks if len(each.seeds)]
    if not kept:
        unlike = sum(each.unlike for each in tasks)
        raise UserError(
            "no case started alike in all plays: the simulator's reset does not fix the start, so "
            "its cases cannot be played twice"
            if unlike
            else "no case has a score in every play; the same command plays the others again"
        )
    # What is missing of the tasks that are left out counts, too.
    lost = sum(each.missing for each in tasks) - sum(each.missing for each in kept)
    kept[0] = dataclasses.replace(kept[0], missing=kept[0].missing + lost)
    return kept


def _task_plays(
    item: PlanItem, number: int, plays: Sequence[Mapping[tuple[int, int], Result]]
) -> TaskPlays:
    seeds, successes, same = list[int](), list[int](), list[bool]()
    missing = unlike = unknown = 0
    for episode in range(item.episodes):
        results = [each.get((number, episode)) for each in plays]
        there = [each for each in results if each is not None]
        if len(there) < len(results):
            missing += 1
            continue
        starts = {each.start for each in there if each.start}
        if len(starts) > 1:
            unlike += 1
            continue
        unknown += not starts
        seeds.append(there[0].seed)
        successes.append(sum(each.success is True for each in there))
        same.append(len({each.digest for each in there}) == 1)
    return TaskPlays(
        task=item.task.id,
        family=item.family,
        seeds=np.array(seeds, dtype=np.int64),
        successes=None if item.task.success is None else np.array(successes, dtype=np.int64),
        same=np.array(same, dtype=bool),
        missing=missing,
        unlike=unlike,
        unknown=unknown,
    )


def consistency_of(tasks: Sequence[TaskPlays], plays: int, asked: int) -> Consistency:
    """The figures of these plays, at least two of each case."""
    rated = [each for each in tasks if each.successes is not None]
    return Consistency(
        plays=plays,
        asked=asked,
        tasks=tuple(_row(each.task, [each], plays) for each in tasks),
        overall=_row(OVERALL, rated, plays) if rated else None,
        missing=sum(each.missing for each in tasks),
        unlike=sum(each.unlike for each in tasks),
        unknown=sum(each.unknown for each in tasks),
    )


def _row(name: str, tasks: Sequence[TaskPlays], plays: int) -> Row:
    seeds, families = [each.seeds for each in tasks], [each.family for each in tasks]

    def shares(columns: Sequence[np.ndarray]) -> Interval:
        return mean_of_shares(columns, design=design_effects(columns, seeds, families))

    row = Row(
        name=name,
        cases=sum(map(len, seeds)),
        differ=shares([(~each.same).astype(np.float64) for each in tasks]),
    )
    counts = [each.successes for each in tasks if each.successes is not None]
    if not counts:
        return row
    numbers = range(1, plays + 1)
    discordant = shares([discordance(each, plays) for each in counts])
    return dataclasses.replace(
        row,
        all_of=tuple(shares([all_of(each, plays, j) for each in counts]) for j in numbers),
        any_of=tuple(shares([any_of(each, plays, j) for each in counts]) for j in numbers),
        discordant=discordant,
        between_plays=Interval(discordant.value / 2, discordant.low / 2, discordant.high / 2),
        between_cases=_between_cases(counts, seeds, families, plays),
    )


def _between_cases(
    counts: Sequence[np.ndarray],
    seeds: Sequence[np.ndarray],
    families: Sequence[str],
    plays: int,
) -> Estimate | None:
    """None without bounds: a variance that nobody knows within any bounds is not printed."""
    cases = sum(map(len, counts))
    few = cases < LEAST_CASES or cases * (plays - 1) < LEAST_PLAYS
    if few or not are_enough(np.array([len(each) for each in counts])):
        return None
    columns = [variance_between_cases(each, plays) for each in counts]
    found = mean_of_scores(columns, design=design_effects(columns, seeds, families))
    if found.low is None or found.high is None:
        return None
    return Interval(max(0.0, found.value), max(0.0, found.low), max(0.0, found.high))


def _table(rows: Sequence[Row], plays: int) -> Section:
    head = ["task", "cases", "success", f"all {plays} succeed", f"any of {plays}", "plays differ"]
    return Section.table(
        "several plays of the same cases, in %",
        head,
        [
            [
                row.name,
                row.cases,
                _cell(row.all_of[0]) if row.all_of else "",
                _cell(row.all_of[-1]) if row.all_of else "",
                _cell(row.any_of[-1]) if row.any_of else "",
                _cell(row.differ),
            ]
            for row in rows
        ],
    )


def _curve(row: Row) -> Section:
    """All and any of fewer plays."""
    return Section.table(
        "by the number of plays, in % of the cases",
        ["plays", "all succeed", "any succeeds"],
        [
            [number, _cell(one), _cell(other)]
            for number, (one, other) in enumerate(zip(row.all_of, row.any_of), 1)
        ],
    )


def _variances(row: Row) -> Section:
    assert row.between_plays is not None
    assert row.discordant is not None
    plays = _variance(row.between_plays)
    cases = (
        _variance(row.between_cases)
        if isinstance(row.between_cases, Interval)
        else "not printed, too few cases for an interval"
    )
    return Section(
        before=(
            f"variance of success between plays of a case: {plays}",
            f"variance of success between cases of a task: {cases}",
            f"noise floor: two plays come out differently in {_shown(row.discordant)} of cases",
        )
    )


def _variance(found: Interval) -> str:
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _shown(found: Interval) -> str:
    return f"{100 * found.value:.0f} % [{100 * found.low:.0f}, {100 * found.high:.0f}]"


def _cell(found: Interval) -> str:
    return f"{100 * found.value:.0f} [{100 * found.low:.0f}, {100 * found.high:.0f}]"
