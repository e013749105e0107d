"""`bench report RUN --against NAME`: our figures beside published ones, in every format."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from harness.core import Reference, UserError
from leaderboards.data_formats import csv_page, json_page
from leaderboards.flatten import columns_of, flatten
from leaderboards.footnotes import Footnotes
from leaderboards.privilege import is_privileged
from leaderboards.published_rows import (
    ESTIMATES,
    Carrier,
    Carriers,
    PublishedRow,
    are_rates,
    carriers_of,
    figures_by_label,
    published_rows,
    value_of_row,
)
from leaderboards.references import mark_of, marks_explained
from leaderboards.report_tables import report_header, who_lines
from leaderboards.row_notes import Note
from leaderboards.schema import Report, TaskRow, report_to_json
from leaderboards.tables import (
    FULL_WIDTH,
    WIDTH,
    Column,
    Lines,
    Table,
    latex_page,
    markdown_page,
    narrowed,
    percent,
    range_of,
    share_of,
    text_page,
)
from leaderboards.troubles import troubles

__all__ = ["PublishedRow", "published_rows", "render_published"]

CANNOT_RUN = "cannot run here"
MOST_ROWS = 30
"""Of a table on a terminal, below the figures."""


def render_published(
    report: Report, name: str, format: str, *, full: bool = False, width: int = WIDTH
) -> str:
    """The rows as text, Markdown, LaTeX, CSV, or as `against` in the report's JSON.

    full, width: of the text; see leaderboards.render.render. Raises UserError for another format.
    """
    rows = published_rows(report, name)
    if format == "json":
        against = {"name": name, "rows": flatten(rows, ESTIMATES)}
        return json_page({**report_to_json(report), "against": against})
    if format == "csv":
        flat = flatten(rows, ESTIMATES)
        return csv_page(columns_of(PublishedRow, ESTIMATES, flat), flat).rstrip("\n")
    pages = {"markdown": markdown_page, "latex": latex_page}
    if format not in ("text", *pages):
        raise UserError(
            f"--against is printed as {', '.join(['text', *pages, 'csv', 'json'])}; not as {format}"
        )
    carriers = carriers_of(report, name)
    expert = bool(report.run["agent"].get("privileged"))
    figures = _figure_table(name, rows, expert=expert)
    below = [
        *_task_table(report.run, carriers),
        _rule_table(rows, carriers),
        *_agent_table(rows),
        *_not_run_table(rows),
    ]
    if format != "text":
        return pages[format](report_header(report), [figures, *below]).rstrip("\n")
    if full:
        width = max(width, FULL_WIDTH)
        return text_page(
            report_header(report), [*below, figures], width=width, whole_names=True
        ).rstrip("\n")
    footnotes = Footnotes()
    figures = _figure_table(name, rows, expert=expert, footnotes=footnotes)
    return _short_text(report, below, figures, footnotes, width)


def _short_text(
    report: Report, below: Sequence[Table], figures: Table, footnotes: Footnotes, width: int
) -> str:
    """The figures last, and below them what could not run; long tables are left out."""
    short = [
        dataclasses.replace(
            table,
            columns=tuple(
                dataclasses.replace(each, kind="line") if each.kind == "prose" else each
                for each in table.columns
            ),
        )
        for table in below
        if table.title != CANNOT_RUN and len(table.columns[0].cells) <= MOST_ROWS
    ]
    fitted = [narrowed(table, width) for table in [*short, figures]]
    left_out = list(dict.fromkeys(name for _, names in fitted for name in names))
    more = [f"columns {', '.join(left_out)}"] if left_out else []
    more += [table.title for table in below if len(table.columns[0].cells) > MOST_ROWS]
    lines = [*footnotes.lines(), f"`--full` has more: {'; '.join([*more, 'rules in full'])}"]
    *others, last = (table for table, _ in fitted)
    parts: list[Table | Lines] = [*others, Lines("notes", tuple(lines)), last]
    parts += troubles(report, width)
    return text_page(who_lines(report, short=True), parts, width=width).rstrip("\n")


def _figure_table(
    name: str,
    rows: Sequence[PublishedRow],
    *,
    expert: bool,
    footnotes: Footnotes | None = None,
) -> Table:
    """A row for each benchmark and rule. `footnotes`: for remarks that stand elsewhere."""
    labels = list(dict.fromkeys(label for row in rows for label in row.published))
    kinds = list(dict.fromkeys(_kind(label) for label in labels if _kind(label)))

    def figure(row: PublishedRow, label: str) -> str:
        value = row.published.get(label)
        across = (label in row.privileged_figures) != (expert or bool(row.privileged))
        mark = ("*" if label in row.other_rules else "") + ("†" if label in row.agents else "")
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
    remarks = Column("notes", tuple("; ".join(map(str, _notes(row))) for row in rows), "prose")
    if footnotes is not None:
        signs = tuple(footnotes.signs(row.family, _notes(row)) for row in rows)
        remarks = Column("note", signs, "name")
    return Table(
        f"against {name}",
        (
            Column(
                "benchmark",
                tuple(row.benchmark for row in rows),
                "prose" if footnotes is None else "line",
                spare=1,
            ),
            Column("ours", tuple(row.family for row in rows), "name"),
            Column("tasks", tuple(map(_share_of_tasks, rows))),
            Column("n", tuple(share_of(row.n, row.planned) for row in rows)),
            Column(
                "%", tuple("-" if row.ours is None else percent(row.ours.value) for row in rows)
            ),
            Column("95 %", tuple(range_of(row.ours, percent) for row in rows)),
            Column("median", tuple(percent(row.median) for row in rows)),
            *(
                # The last ones are left out first.
                Column(label, tuple(figure(row, label) for row in rows), spare=min(number, 1) * 2)
                for number, label in enumerate(each for each in labels if not _kind(each))
            ),
            *(
                Column(kind, tuple(of_kind(row, kind) for row in rows), "prose", spare=3)
                for kind in kinds
            ),
            remarks,
        ),
        lead,
    )


def _share_of_tasks(row: PublishedRow) -> str:
    """Of the tasks in this run, or of more that a published mean is over."""
    return share_of(row.tasks_with_result, max(row.tasks, *row.row_tasks.values(), 0))


def _notes(row: PublishedRow) -> list[Note]:
    found = []
    if row.privileged:
        found.append(Note(f"privileged: reads {', '.join(row.privileged)}"))
    if counts := sorted(set(row.row_tasks.values())):
        tasks = " or ".join(map(str, counts))
        found.append(Note(f"the published mean is over {tasks}"))
    return found


def _task_table(run: Mapping[str, Any], rows: Carriers) -> list[Table]:
    """The tasks that have a result and a figure of their own, where a row has several."""
    shown: list[tuple[TaskRow, bool, dict[str, Reference]]] = []
    for found in rows.values():
        own = [
            (row, {each.label: each for each in several if each.tasks == 1})
            for row, several in found
            if isinstance(row, TaskRow) and row.n
        ]
        rates = are_rates([each for _, several in found for each in several])
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
        Column(
            "%", tuple(percent(value_of_row(row, rates=rates)) or "-" for row, rates, _ in shown)
        ),
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


def _rule_table(rows: Sequence[PublishedRow], carriers: Carriers) -> Table:
    def theirs(row: PublishedRow, found: Sequence[Carrier]) -> str:
        figures = figures_by_label([reference for _, several in found for reference in several])
        by_rule: dict[tuple[bool, str], list[str]] = {}
        for label, several in figures.items():
            same = label not in row.other_rules
            for rule in dict.fromkeys(each.rule for each in several):
                by_rule.setdefault((same, rule), []).append(label)
        told = []
        for (same, rule), labels in by_rule.items():
            whose = f" ({', '.join(labels)})" if len(by_rule) > 1 else ""
            more = ", over more tasks" if same and row.row_tasks else ""
            told.append(f"{'the same' if same else 'another'}{more}{whose}: {rule}".rstrip(": "))
        return "; ".join(told)

    return Table(
        "rules",
        (
            Column("ours", tuple(row.family for row in rows), "name"),
            Column("our rule", tuple(row.our_rule or "not run" for row in rows), "prose"),
            Column("theirs", tuple(map(theirs, rows, carriers.values())), "prose"),
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
    return [Table(CANNOT_RUN, columns)]
