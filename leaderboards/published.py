"""`bench report RUN --against NAME`: our figures beside published ones, a row for each benchmark.

The published figures travel in the run's plan, also those of tasks that could not run. So every
row of a published table is there: played, or with the reason why not.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.core import Reference, UserError
from harness.records.plan import NotRun
from harness.stats import Estimate, mean_of_rates
from leaderboards.data_formats import csv_page, json_page
from leaderboards.flatten import EstimateNames, columns_of, flatten
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
    """By label; the mean over these tasks where each has its own figure."""
    same_rule: bool
    """Whether all the published figures were measured by our rule."""
    our_rule: str
    their_rule: str
    not_run: tuple[tuple[str, str, int], ...]
    """(reason, remedy, tasks) of the tasks that could not run."""


ESTIMATES: EstimateNames = {PublishedRow: {"ours": ("ours", "ci_low", "ci_high")}}

_Carrier = tuple["TaskRow | NotRun", list[Reference]]
"""A task with its figures of one benchmark."""


def published_rows(report: Report, name: str) -> list[PublishedRow]:
    """The rows of the published table `name`, else of all figures with that label.

    Raises UserError where the run has none of that name.
    """
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
        chosen = in_table or [
            each
            for each in references
            if each.label.casefold() == name.casefold() and not each.table
        ]
        for benchmark in dict.fromkeys(each.row for each in chosen):
            family = row.task.partition("/")[0]
            mine = [each for each in chosen if each.row == benchmark]
            rows.setdefault((benchmark or family, family), []).append((row, mine))
    if not rows:
        raise UserError(
            f"--against {name}: no figure of this run has that name{_guess(name, known)}"
        )
    # Families of one benchmark stand together, benchmarks in the order in which they come up.
    first = {benchmark: number for number, (benchmark, _) in reversed([*enumerate(rows)])}
    return [
        _row(*key, found)
        for key, found in sorted(rows.items(), key=lambda entry: first[entry[0][0]])
    ]


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
    rates = all(reference.metric == "success_rate" for reference in references)
    values = [
        value
        for row in seen
        if (value := row.success_rate if rates else row.normalised) is not None
    ]
    figures: dict[str, list[float]] = {}
    for reference in references:
        figures.setdefault(reference.label, []).append(reference.value)
    rules = list(dict.fromkeys(row.rule for row in played))
    theirs = list(dict.fromkeys(reference.rule for reference in references if reference.rule))
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
        published={label: sum(several) / len(several) for label, several in figures.items()},
        same_rule=all(reference.same_rule for reference in references),
        our_rule=rules[0] if len(rules) == 1 else "by task" if rules else "",
        their_rule="; ".join(theirs),
        not_run=tuple((*why, count) for why, count in gone.items()),
    )


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
        return csv_page(columns_of(PublishedRow, ESTIMATES), flatten(rows, ESTIMATES)).rstrip("\n")
    pages = {"text": text_page, "markdown": markdown_page, "latex": latex_page}
    if format not in pages:
        raise UserError(
            f"--against is printed as {', '.join([*pages, 'csv', 'json'])}; not as {format}"
        )
    tables = [_figure_table(name, rows), _rule_table(rows), *_not_run_table(rows)]
    return pages[format](report_header(report), tables).rstrip("\n")


def _figure_table(name: str, rows: Sequence[PublishedRow]) -> Table:
    labels = list(dict.fromkeys(label for row in rows for label in row.published))
    kinds = list(dict.fromkeys(_kind(label) for label in labels if _kind(label)))

    def figure(row: PublishedRow, label: str) -> str:
        value = row.published.get(label)
        return "" if value is None else f"{percent(value)}{'' if row.same_rule else '*'}"

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
    if any(not row.same_rule for row in rows):
        lead += " *: by another rule, see below."
    return Table(
        f"against {name}",
        (
            Column("benchmark", tuple(row.benchmark for row in rows), "prose"),
            Column("ours", tuple(row.family for row in rows), "name"),
            Column("tasks", tuple(share_of(row.tasks_with_result, row.tasks) for row in rows)),
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
        ),
        lead,
    )


def _kind(label: str) -> str:
    """What a label adds in brackets: `specialist` of `RoboFlamingo (specialist)`."""
    return label[:-1].rpartition(" (")[2] if label.endswith(")") else ""


def _rule_table(rows: Sequence[PublishedRow]) -> Table:
    def theirs(row: PublishedRow) -> str:
        same = "the same" if row.same_rule else "another"
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
