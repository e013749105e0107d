"""Our figures beside published ones, a row for each benchmark and rule.

The published figures travel in the run's plan, also those of tasks that could not run. So every
row of a published table is there: played, or with the reason why not.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.core import Reference, UserError
from harness.core.reference import LATER
from harness.records.plan import NotRun
from harness.stats import Estimate, mean_of_rates
from leaderboards.flatten import EstimateNames
from leaderboards.privilege import privileged_group
from leaderboards.references import said_of
from leaderboards.schema import Report, TaskRow

__all__ = [
    "ESTIMATES", "Carrier", "Carriers", "PublishedRow", "are_rates", "carriers_of",
    "figures_by_label", "published_rows", "value_of_row",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """A benchmark, as one of our families plays it.

    Means are over tasks, each weighing the same.
    """

    benchmark: str
    family: str
    """What stands before the `/` in the ids of its tasks. One benchmark played by two rules is two
    families."""
    tasks: int
    """In the run, with those that could not run."""
    tasks_with_result: int
    n: int
    planned: int
    measure: str
    """`success_rate` or `normalised`: what `ours` is the mean of."""
    ours: Estimate | None
    """Bounds: harness.stats.mean_of_rates, 95 %, of success rates only."""
    median: float | None
    """The median of the tasks' normalised scores: a few games may dominate a mean over games."""
    published: Mapping[str, float]
    """By label: the published mean, else the mean of the tasks' own figures, only where all tasks
    of the published row have a result; of a row of one task, its figure."""
    same_rule: bool
    """Whether all the published figures were measured by our rule, and over these tasks."""
    our_rule: str
    their_rule: str
    not_run: tuple[tuple[str, str, int], ...]
    """(reason, remedy, tasks) of the tasks that could not run."""
    row_tasks: Mapping[str, int] = field(default_factory=dict, metadata=LATER)
    """By label: of how many tasks the published figure is the mean, where that is more than have a
    result, so that it is not in `published`."""
    agents: Mapping[str, str] = field(default_factory=dict, metadata=LATER)
    """By label: what sets its agent apart, as in `reads depth`, with `privileged` where it is."""
    privileged: tuple[str, ...] = field(default=(), metadata=LATER)
    """The privileged views that our agent read in any of the tasks."""
    privileged_figures: tuple[str, ...] = field(default=(), metadata=LATER)
    """The labels whose agent is privileged."""
    other_rules: tuple[str, ...] = field(default=(), metadata=LATER)
    """The labels that were measured by another rule."""


ESTIMATES: EstimateNames = {PublishedRow: {"ours": ("ours", "ci_low", "ci_high")}}

Carrier = tuple["TaskRow | NotRun", list[Reference]]
"""A task with its figures of one benchmark."""
Carriers = Mapping[tuple[str, str], list[Carrier]]
"""(benchmark, family) -> the tasks."""


def published_rows(report: Report, name: str) -> list[PublishedRow]:
    """The rows of the published table `name`, else of all figures with that label.

    Raises UserError where the run has none of that name.
    """
    return [_row(*key, found) for key, found in carriers_of(report, name).items()]


def carriers_of(report: Report, name: str) -> Carriers:
    """Families of one benchmark stand together, benchmarks in the order in which they come up."""
    rows: dict[tuple[str, str], list[Carrier]] = {}
    known: dict[str, str] = {}
    carriers: list[TaskRow | NotRun] = [*report.tasks, *report.not_run]
    for row in carriers:
        references = row.reference if isinstance(row, TaskRow) else row.references
        for reference in references:
            known.update(
                {each.casefold(): each for each in (reference.table, reference.label) if each}
            )
        in_table = [each for each in references if each.table.casefold() == name.casefold()]
        chosen = in_table or [each for each in references if _is_of(each.label, name)]
        for benchmark in dict.fromkeys(each.row for each in chosen):
            family = row.task.partition("/")[0]
            mine = [each for each in chosen if each.row == benchmark and not each.part]
            rows.setdefault((benchmark or family, family), []).append((row, mine))
    if not rows:
        raise UserError(
            f"--against {name}: no figure of this run has that name{_guess(name, known)}"
        )
    first = {benchmark: number for number, (benchmark, _) in reversed([*enumerate(rows)])}
    return dict(sorted(rows.items(), key=lambda entry: first[entry[0][0]]))


def _is_of(label: str, name: str) -> bool:
    """Whether a label is this name, or this name with something in brackets."""
    return name.casefold() in (label.casefold(), label.casefold().rpartition(" (")[0])


def _guess(name: str, known: Mapping[str, str]) -> str:
    if not known:
        return "; its tasks carry no published figures"
    near = [known[each] for each in difflib.get_close_matches(name.casefold(), known, n=3)]
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; there are {', '.join(sorted(known.values(), key=str.casefold))}"


def _row(benchmark: str, family: str, found: Sequence[Carrier]) -> PublishedRow:
    played = [row for row, _ in found if isinstance(row, TaskRow)]
    seen = [row for row in played if row.n]
    references = [reference for _, several in found for reference in several]
    rates = are_rates(references)
    values = [value for row in seen if (value := value_of_row(row, rates=rates)) is not None]
    figures = figures_by_label(references)
    published: dict[str, float] = {}
    row_tasks: dict[str, int] = {}
    for label, several in figures.items():
        carriers = [row for row, mine in found if label in map(_label, mine)]
        ran = sum(isinstance(row, TaskRow) and row.n > 0 for row in carriers)
        over = max(several[0].tasks or 1, len(carriers))
        alone = (
            over == 1 and several[0].tasks == 1
        )  # no mean: it stands beside its task, played or not
        if ran >= over or alone:
            values_of = {each.value for each in several}
            published[label] = (
                values_of.pop()
                if len(values_of) == 1
                else sum(each.value for each in several) / len(several)
            )
        else:
            row_tasks[label] = over
    theirs = dict.fromkeys(
        part for several in figures.values() for each in several for part in each.rule.split("; ")
    )
    rules = list(dict.fromkeys(row.rule for row in played))
    gone = Counter((row.reason, row.remedy) for row, _ in found if isinstance(row, NotRun))
    return PublishedRow(
        benchmark=benchmark,
        family=family,
        tasks=len(found),
        tasks_with_result=len(seen),
        n=sum(row.n for row in played),
        planned=sum(row.planned for row in played),
        measure="success_rate" if rates else "normalised",
        ours=_ours(seen, values, rates=rates),
        median=None if rates or not values else float(np.median(values)),
        published=published,
        same_rule=not row_tasks and all(reference.same_rule for reference in references),
        our_rule=rules[0] if len(rules) == 1 else "by task" if rules else "",
        their_rule="; ".join(filter(None, theirs)),
        not_run=tuple((*why, count) for why, count in gone.items()),
        row_tasks=row_tasks,
        agents={each.label: said for each in references if (said := said_of(each))},
        privileged=privileged_group(played),
        privileged_figures=tuple(
            dict.fromkeys(each.label for each in references if each.privileged)
        ),
        other_rules=tuple(
            label
            for label, several in figures.items()
            if not all(each.same_rule for each in several)
        ),
    )


def figures_by_label(references: Sequence[Reference]) -> dict[str, list[Reference]]:
    """By label: the printed mean, where there is one, else the tasks' own figures."""
    found: dict[str, list[Reference]] = {}
    for reference in references:
        found.setdefault(reference.label, []).append(reference)
    return {
        label: [each for each in several if each.tasks != 1] or several
        for label, several in found.items()
    }


def are_rates(references: Sequence[Reference]) -> bool:
    """Whether all of them are success rates."""
    return all(reference.metric == "success_rate" for reference in references)


def value_of_row(row: TaskRow, *, rates: bool) -> float | None:
    """What stands beside published success rates, or beside normalised scores."""
    return row.success_rate if rates else row.normalised


def _label(reference: Reference) -> str:
    return reference.label


def _ours(seen: Sequence[TaskRow], values: Sequence[float], *, rates: bool) -> Estimate | None:
    if not values:
        return None
    mean = sum(values) / len(values)
    if not rates:
        return Estimate(mean, None, None)
    bounds = mean_of_rates([row.successes or 0 for row in seen], [row.n for row in seen])
    return Estimate(mean, bounds.low, bounds.high)
