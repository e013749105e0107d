"""`bench report RUN --against NAME`: our figures beside published ones, a row for each benchmark.

The published figures travel in the run's plan, also those of tasks that could not run. So every
row of a published table is there: played, or with the reason why not.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.core import Reference, UserError
from harness.core.reference import LATER
from harness.records.plan import NotRun
from harness.stats import Estimate, mean_of_rates
from leaderboards.data_formats import csv_page, json_page
from leaderboards.flatten import EstimateNames, columns_of, flatten
from leaderboards.privilege import is_privileged, privileged_group
from leaderboards.references import mark_of, marks_explained, said_of
from leaderboards.report_tables import report_header
from leaderboards.schema import Report, TaskRow, report_to_json
from leaderboards.tables import (
    Column,
    Table,
    latex_page,
    markdown_page,
    percent,
    range_of,
    share_of,
    text_page,
)

__all__ = ["PublishedRow", "published_rows", "render_published"]


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
    """By label: the published mean, else the mean of the tasks' own figures. Only where all tasks
    of the published row have a result."""
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


ESTIMATES: EstimateNames = {PublishedRow: {"ours": ("ours", "ci_low", "ci_high")}}

_Carrier = tuple["TaskRow | NotRun", list[Reference]]
"""A task with its figures of one benchmark."""
_Rows = Mapping[tuple[str, str], list[_Carrier]]
"""(benchmark, family) -> the tasks."""


def published_rows(report: Report, name: str) -> list[PublishedRow]:
    """The rows of the published table `name`, else of all figures with that label.

    Raises UserError where the run has none of that name.
    """
    return [_row(*key, found) for key, found in _carriers(report, name).items()]


def _carriers(report: Report, name: str) -> _Rows:
    """Families of one benchmark stand together, benchmarks in the order in which they come up."""
    rows: dict[tuple[str, str], list[_Carrier]] = {}
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


def _row(benchmark: str, family: str, found: Sequence[_Carrier]) -> PublishedRow:
    played = [row for row, _ in found if isinstance(row, TaskRow)]
    seen = [row for row in played if row.n]
    references = [reference for _, several in found for reference in several]
    rates = _are_rates(references)
    values = [value for row in seen if (value := _value(row, rates=rates)) is not None]
    published: dict[str, float] = {}
    row_tasks: dict[str, int] = {}
    theirs: dict[str, None] = {}
    for label in dict.fromkeys(reference.label for reference in references):
        ran = sum(
            isinstance(row, TaskRow) and row.n > 0 and any(each.label == label for each in several)
            for row, several in found
        )
        mine = [reference for reference in references if reference.label == label]
        # The printed mean, where there is one beside the tasks' own figures.
        figures = [each for each in mine if each.tasks != 1] or mine
        over = max(each.tasks or 0 for each in figures)
        over = over if over > 1 else sum(label in map(_label, several) for _, several in found)
        if ran >= over:
            published[label] = sum(each.value for each in figures) / len(figures)
        else:
            row_tasks[label] = over
        theirs.update(dict.fromkeys(part for each in figures for part in each.rule.split("; ")))
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
    )


def _are_rates(references: Sequence[Reference]) -> bool:
    return all(reference.metric == "success_rate" for reference in references)


def _value(row: TaskRow, *, rates: bool) -> float | None:
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


def render_published(report: Report, name: str, format: str) -> str:
    """The rows as text, Markdown, LaTeX, CSV, or as `against` in the report's JSON.

    Raises UserError for another format.
    """
    rows = published_rows(report, name)
    if format == "json":
        against = {"name": name, "rows": flatten(rows, ESTIMATES)}
        return json_page({**report_to_json(report), "against": against})
    if format == "csv":
        flat = flatten(rows, ESTIMATES)
        return csv_page(columns_of(PublishedRow, ESTIMATES, flat), flat).rstrip("\n")
    pages = {"text": text_page, "markdown": markdown_page, "latex": latex_page}
    if format not in pages:
        raise UserError(
            f"--against is printed as {', '.join([*pages, 'csv', 'json'])}; not as {format}"
        )
    tables = [
        _figure_table(name, rows, expert=bool(report.run["agent"].get("privileged"))),
        *_task_table(report.run, _carriers(report, name)),
        _rule_table(rows),
        *_agent_table(rows),
        *_not_run_table(rows),
    ]
    return pages[format](report_header(report), tables).rstrip("\n")


def _figure_table(name: str, rows: Sequence[PublishedRow], *, expert: bool) -> Table:
    labels = list(dict.fromkeys(label for row in rows for label in row.published))
    kinds = list(dict.fromkeys(_kind(label) for label in labels if _kind(label)))

    def figure(row: PublishedRow, label: str) -> str:
        value = row.published.get(label)
        across = (label in row.privileged_figures) != (expert or bool(row.privileged))
        mark = ("" if row.same_rule else "*") + ("†" if label in row.agents else "")
        return "" if value is None else f"{percent(value)}{mark}{'‡' if across else ''}"

    def of_kind(row: PublishedRow, kind: str) -> str:
        return "; ".join(
            f"{label.rpartition(' (')[0]} {figure(row, label)}"
            for label in row.published
            if _kind(label) == kind
        )

    lead = (
        "In %: success rates, or normalised scores (100 is the upper end of the scale); "
        "means over tasks."
    )
    if marks := marks_explained(figure(row, label) for row in rows for label in labels):
        lead += f" {marks}: see below."
    if any(row.row_tasks for row in rows):
        lead += " A published mean is printed where all its tasks have a result here."
    return Table(
        f"against {name}",
        (
            Column("benchmark", tuple(row.benchmark for row in rows), "prose"),
            Column("ours", tuple(row.family for row in rows), "name"),
            Column("tasks", tuple(map(_share_of_tasks, rows))),
            Column("n", tuple(share_of(row.n, row.planned) for row in rows)),
            Column(
                "%", tuple("-" if row.ours is None else percent(row.ours.value) for row in rows)
            ),
            Column("95 %", tuple(range_of(row.ours, percent) for row in rows)),
            Column("median", tuple(percent(row.median) for row in rows)),
            *(
                Column(label, tuple(figure(row, label) for row in rows))
                for label in labels
                if not _kind(label)
            ),
            *(Column(kind, tuple(of_kind(row, kind) for row in rows), "prose") for kind in kinds),
            Column("notes", tuple(map(_notes, rows)), "prose"),
        ),
        lead,
    )


def _share_of_tasks(row: PublishedRow) -> str:
    """Of the tasks in this run, or of more that a published mean is over."""
    return share_of(row.tasks_with_result, max(row.tasks, *row.row_tasks.values(), 0))


def _notes(row: PublishedRow) -> str:
    counts = sorted(set(row.row_tasks.values()))
    withheld = f"the published mean is over {' or '.join(map(str, counts))}" if counts else ""
    privileged = f"privileged: reads {', '.join(row.privileged)}" if row.privileged else ""
    return "; ".join(filter(None, (privileged, withheld)))


def _task_table(run: Mapping[str, Any], rows: _Rows) -> list[Table]:
    """The tasks that have a result and a figure of their own, where a row has several."""
    shown: list[tuple[TaskRow, bool, dict[str, Reference]]] = []
    for found in rows.values():
        own = [
            (row, {each.label: each for each in several if each.tasks == 1})
            for row, several in found
            if isinstance(row, TaskRow) and row.n
        ]
        rates = _are_rates([each for _, several in found for each in several])
        # A row of a single task has that figure above already.
        several = len(found) > 1 or any((each.tasks or 0) > 1 for _, mine in found for each in mine)
        shown += [(row, rates, figures) for row, figures in own if figures and several]
    if not shown:
        return []
    labels = dict.fromkeys(label for _, _, figures in shown for label in figures)

    def cell(row: TaskRow, figures: Mapping[str, Reference], label: str) -> str:
        each = figures.get(label)
        mark = "" if each is None else mark_of(each, is_privileged(run, row))
        return "" if each is None else f"{percent(each.value)}{mark}"

    columns = (
        Column("task", tuple(row.task for row, _, _ in shown), "name"),
        Column("n", tuple(share_of(row.n, row.planned) for row, _, _ in shown)),
        Column("%", tuple(percent(_value(row, rates=rates)) or "-" for row, rates, _ in shown)),
        Column(
            "95 %",
            tuple(range_of(row.interval, percent) if rates else "" for row, rates, _ in shown),
        ),
        *(
            Column(label, tuple(cell(row, figures, label) for row, _, figures in shown))
            for label in labels
        ),
    )
    return [Table("task by task", columns)]


def _agent_table(rows: Sequence[PublishedRow]) -> list[Table]:
    """What sets the agents of the printed figures apart."""
    told = [
        (row.benchmark, label, said)
        for row in rows
        for label, said in row.agents.items()
        if label in row.published
    ]
    if not told:
        return []
    titles = (("benchmark", "prose"), ("figure", "prose"), ("its agent", "prose"))
    columns = tuple(
        Column(title, tuple(each[k] for each in told), kind)
        for k, (title, kind) in enumerate(titles)
    )
    return [Table("agents", columns)]


def _kind(label: str) -> str:
    """What a label adds in brackets: `specialist` of `RoboFlamingo (specialist)`."""
    return label[:-1].rpartition(" (")[2] if label.endswith(")") else ""


def _rule_table(rows: Sequence[PublishedRow]) -> Table:
    def theirs(row: PublishedRow) -> str:
        same = "over more tasks" if row.row_tasks else "the same" if row.same_rule else "another"
        return f"{same}: {row.their_rule}" if row.their_rule else same

    return Table(
        "rules",
        (
            Column("ours", tuple(row.family for row in rows), "name"),
            Column("our rule", tuple(row.our_rule or "not run" for row in rows), "prose"),
            Column("theirs", tuple(theirs(row) for row in rows), "prose"),
        ),
    )


def _not_run_table(rows: Sequence[PublishedRow]) -> list[Table]:
    gone = [(row.family, *why) for row in rows for why in row.not_run]
    if not gone:
        return []
    columns = (
        Column("not run", tuple(family for family, *_ in gone), "name"),
        Column("tasks", tuple(str(count) for *_, count in gone)),
        Column("reason", tuple(reason for _, reason, _, _ in gone), "prose"),
        Column("remedy", tuple(remedy for _, _, remedy, _ in gone), "prose"),
    )
    return [Table("cannot run here", columns)]
