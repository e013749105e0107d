"""`bench report RUN --against NAME`: ours beside what is published, a row a benchmark. The figures travel in the run's plan, with the tasks that
could not run too, so every row of a published table is there: played, or with the reason why not.
"""

from __future__ import annotations

import csv
import dataclasses
import difflib
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.core import Reference, UserError
from harness.records.plan import NotRun
from harness.stats import mean_of_rates
from leaderboards.render import header_of
from leaderboards.schema import Report, TaskRow, to_json
from leaderboards.tables import Column, Table, latex_page, markdown_page, text_page

__all__ = ["AgainstRow", "against", "render_against"]


@dataclass(frozen=True)
class AgainstRow:
    """A benchmark as one family of ours plays it. Means are over tasks, each weighing the same."""

    benchmark: str
    family: str
    """What stands before the `/` in the tasks' ids: two rules of one benchmark are two families."""
    tasks: int
    """In the run, those that could not run included."""
    tasks_with_result: int
    n: int
    planned: int
    measure: str
    """`success_rate` or `normalised`: of what `ours` is the mean."""
    ours: float | None
    ci_low: float | None
    """harness.stats.mean_of_rates, 95 %; only of success rates."""
    ci_high: float | None
    median: float | None
    """Of the tasks' normalised scores: a mean over games hangs on few of them."""
    published: Mapping[str, float]
    """By label; a mean over these tasks where each has a figure of its own."""
    same_rule: bool
    """Whether all of them were measured by our rule."""
    our_rule: str
    their_rule: str
    not_run: tuple[tuple[str, str, int], ...]
    """(reason, remedy, tasks) of those that could not run."""


def against(report: Report, name: str) -> list[AgainstRow]:
    """The rows of the published table `name`, or of all figures labelled so. Raises UserError when the run has none of that name."""
    rows: dict[tuple[str, str], list[tuple[TaskRow | NotRun, list[Reference]]]] = {}
    known: dict[str, str] = {}
    for row in (*report.tasks, *report.not_run):
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
            f"--against {name}: no figure of this run is called so{_guess(name, known)}"
        )
    first = {benchmark: place for place, (benchmark, _) in reversed([*enumerate(rows)])}
    return [
        _row(*key, found)
        for key, found in sorted(rows.items(), key=lambda entry: first[entry[0][0]])
    ]


def _guess(name: str, known: Mapping[str, str]) -> str:
    if not known:
        return "; its tasks carry no published figures"
    near = [known[each] for each in difflib.get_close_matches(name.casefold(), known, n=3)]
    return (
        f"; did you mean {' or '.join(near)}?"
        if near
        else f"; there are {', '.join(sorted(known.values(), key=str.casefold))}"
    )


def _row(
    benchmark: str, family: str, found: Sequence[tuple[TaskRow | NotRun, list[Reference]]]
) -> AgainstRow:
    played = [row for row, _ in found if isinstance(row, TaskRow)]
    seen = [row for row in played if row.n]
    references = [reference for _, several in found for reference in several]
    rates = all(reference.metric == "success_rate" for reference in references)
    values = [
        value
        for row in seen
        if (value := row.success_rate if rates else row.normalised) is not None
    ]
    interval = (
        mean_of_rates([row.successes or 0 for row in seen], [row.n for row in seen])
        if rates and values
        else None
    )
    figures: dict[str, list[float]] = {}
    for reference in references:
        figures.setdefault(reference.label, []).append(reference.value)
    rules = list(dict.fromkeys(row.rule for row in played))
    theirs = list(dict.fromkeys(reference.rule for reference in references if reference.rule))
    gone = Counter((row.reason, row.remedy) for row, _ in found if isinstance(row, NotRun))
    return AgainstRow(
        benchmark=benchmark,
        family=family,
        tasks=len(found),
        tasks_with_result=len(seen),
        n=sum(row.n for row in played),
        planned=sum(row.planned for row in played),
        measure="success_rate" if rates else "normalised",
        ours=sum(values) / len(values) if values else None,
        ci_low=interval.low if interval else None,
        ci_high=interval.high if interval else None,
        median=None if rates or not values else float(np.median(values)),
        published={label: sum(several) / len(several) for label, several in figures.items()},
        same_rule=all(reference.same_rule for reference in references),
        our_rule=rules[0] if len(rules) == 1 else "by task" if rules else "",
        their_rule="; ".join(theirs),
        not_run=tuple((*why, count) for why, count in gone.items()),
    )


def render_against(report: Report, name: str, format: str) -> str:
    """The rows as text, Markdown, LaTeX, CSV, or as `against` in the report's JSON."""
    rows = against(report, name)
    plain = [
        {**dataclasses.asdict(row), "not_run": [list(why) for why in row.not_run]} for row in rows
    ]
    if format == "json":
        return json.dumps(
            {**to_json(report), "against": {"name": name, "rows": plain}}, indent=1, allow_nan=False
        )
    if format == "csv":
        out = io.StringIO()
        writer = csv.DictWriter(
            out, [field.name for field in dataclasses.fields(AgainstRow)], lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(
            {
                **row,
                "published": json.dumps(row["published"]),
                "not_run": json.dumps(row["not_run"]),
            }
            for row in plain
        )
        return out.getvalue().rstrip("\n")
    pages = {"text": text_page, "markdown": markdown_page, "latex": latex_page}
    if format not in pages:
        raise UserError(
            f"--against is printed as {', '.join([*pages, 'csv', 'json'])}; not as {format}"
        )
    return pages[format](
        header_of(report), [_figures(name, rows), *_rules(rows), *_absent(rows)]
    ).rstrip("\n")


def _figures(name: str, rows: Sequence[AgainstRow]) -> Table:
    labels = list(dict.fromkeys(label for row in rows for label in row.published))
    kinds = list(dict.fromkeys(_kind(label) for label in labels if _kind(label)))

    def figure(row: AgainstRow, label: str) -> str:
        value = row.published.get(label)
        return "" if value is None else f"{100 * value:.1f}{'' if row.same_rule else '*'}"

    def of_kind(row: AgainstRow, kind: str) -> str:
        return "; ".join(
            f"{label.rpartition(' (')[0]} {figure(row, label)}"
            for label in row.published
            if _kind(label) == kind
        )

    def tasks(row: AgainstRow) -> str:
        return (
            str(row.tasks)
            if row.tasks_with_result == row.tasks
            else f"{row.tasks_with_result} of {row.tasks}"
        )

    lead = "In %: success rates, or normalised scores (100 is the upper end of the scale); means over tasks."
    if any(not row.same_rule for row in rows):
        lead += " *: by another rule, see below."
    return Table(
        f"against {name}",
        (
            Column("benchmark", tuple(row.benchmark for row in rows), "prose"),
            Column("ours", tuple(row.family for row in rows), "name"),
            Column("tasks", tuple(map(tasks, rows))),
            Column(
                "n",
                tuple(
                    str(row.n) if row.n == row.planned else f"{row.n} of {row.planned}"
                    for row in rows
                ),
            ),
            Column(
                "%", tuple("-" if row.ours is None else f"{100 * row.ours:.1f}" for row in rows)
            ),
            Column(
                "95 %",
                tuple(
                    ""
                    if row.ci_low is None or row.ci_high is None
                    else f"{100 * row.ci_low:.1f} to {100 * row.ci_high:.1f}"
                    for row in rows
                ),
            ),
            Column(
                "median",
                tuple("" if row.median is None else f"{100 * row.median:.1f}" for row in rows),
            ),
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
    """What the label says of it behind its name: `specialist` of `RoboFlamingo (specialist)`."""
    return label[:-1].rpartition(" (")[2] if label.endswith(")") else ""


def _rules(rows: Sequence[AgainstRow]) -> list[Table]:
    columns = (
        Column("ours", tuple(row.family for row in rows), "name"),
        Column("our rule", tuple(row.our_rule or "not run" for row in rows), "prose"),
        Column(
            "theirs",
            tuple(
                f"{'the same' if row.same_rule else 'another'}{': ' if row.their_rule else ''}{row.their_rule}"
                for row in rows
            ),
            "prose",
        ),
    )
    return [Table("rules", columns)]


def _absent(rows: Sequence[AgainstRow]) -> list[Table]:
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
