"""`bench report RUN --format html`: one file that shows a run, readable without a network."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Sequence

from harness.core import Result
from harness.core.grammar import counted
from harness.core.text import printable, shorten
from harness.records.plan import CaseIndex
from harness.records.stored_run import load_run
from leaderboards.page.embed import as_json, environment, policy, scripts, styles
from leaderboards.page.gallery import FailureGallery
from leaderboards.page.plots import plots_of
from leaderboards.page.provenance import provenance
from leaderboards.page.spending import Spending, told_table
from leaderboards.privilege import privilege_lines
from leaderboards.report import report_of, summary
from leaderboards.report_tables import report_header, report_tables
from leaderboards.schema import Report
from leaderboards.tables import LONGEST, Column, Table, percent, range_of

__all__ = ["HtmlTable", "html_tables", "run_page"]

_LEADING = re.compile(r"[^\d+-]{0,2}([+-]?\d+(?:\.\d+)?)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class HtmlCell:
    """A cell, its kind, and the number by which its column is sorted; None: by its text."""

    text: str
    kind: str
    order: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class HtmlTable:
    """A table of the report for the template."""

    id: str
    title: str
    lead: str
    head: tuple[tuple[str, str], ...]
    """(heading, kind of the column)."""
    rows: tuple[tuple[HtmlCell, ...], ...]
    total: tuple[HtmlCell, ...] | None
    """The row that is set apart, which stays below all others."""


def run_page(
    path: str | os.PathLike[str],
    follow: int = 0,
    baseline: str | None = None,
    floors: Sequence[str | os.PathLike[str]] = (),
) -> str:
    """The page of a run directory. Raises UserError when it is none, or without jinja2.

    follow: after how many seconds the page of an unfinished run is loaded again; 0: never.
    baseline, floors: as leaderboards.report.load_report takes them.
    """
    run = load_run(path)
    failures, spending, scores = FailureGallery(run.path, run.plan), Spending(), list[float]()

    def see(index: CaseIndex, result: Result) -> None:
        task = run.plan.items[index.item].task
        failures.add(index, result)
        spending.add(result)
        plain = index.condition == 0 and result.status != "error"
        if plain and task.success is None and task.normaliser is not None:
            score = task.normaliser.low if result.score is None else result.score
            scores.append(task.normaliser(score))

    report = report_of(run, baseline, floors, see)
    plots = {**plots_of(report, scores), **spending.plots()}
    tables = [*report_tables(report), *told_table(report.answers), *spending.table()]
    used = scripts()
    agent = printable(str(report.run["agent"]["name"]))
    page: str = (
        environment()
        .get_template("run.html.j2")
        .render(
            title=f"{agent} on {', '.join(map(printable, report.run['suites']))}",
            agent=agent,
            refresh=0 if report.run["finished"] else follow,
            sentences=summary(report).split("\n"),
            badges=_badges(report),
            figures=_figures(report),
            header=report_header(report),
            tables=html_tables(tables),
            not_run=report.not_run,
            gallery=failures.gallery(),
            plots=plots,
            tokens_against_success=spending.sentence(),
            data=as_json(plots),
            facts=provenance(run.description, run.plan, str(run.path)),
            scripts=used,
            styles=styles(),
            policy=policy(used, "data: file: 'self'"),
        )
    )
    return page


def html_tables(tables: list[Table]) -> list[HtmlTable]:
    """The tables as the template takes them, without empty columns; all texts as they are."""
    found, used = [], set[str]()
    for table in tables:
        columns = table.shown()
        rows = [
            tuple(_cell(column, number) for column in columns)
            for number in range(len(columns[0].cells) if columns else 0)
        ]
        name = re.sub(r"[^a-z0-9]+", "-", table.title.lower()).strip("-") or "table"
        while name in used:
            name += "-more"
        used.add(name)
        found.append(
            HtmlTable(
                id=name,
                title=printable(table.title),
                lead=printable(table.lead),
                head=tuple((printable(column.name), column.kind) for column in columns),
                rows=tuple(rows[:-1] if table.total else rows),
                total=rows[-1] if table.total and rows else None,
            )
        )
    return found


def _cell(column: Column, number: int) -> HtmlCell:
    text = printable(shorten(column.cells[number], LONGEST[column.kind]))
    leading = _LEADING.match(text) if column.kind == "figure" else None
    return HtmlCell(
        text=text,
        kind=column.kind,
        # What has no figure stands below all that has one.
        order=float(leading[1]) if leading else -1e300 if column.kind == "figure" else None,
    )


def _badges(report: Report) -> list[tuple[str, str]]:
    """(kind, text): what one must know before reading any figure."""
    agent = report.run["agent"]
    badges = []
    if agent.get("privileged") or list(privilege_lines(report)):
        badges.append(("warning", "privileged"))
    if report.clock is not None:
        badges.append(("note", "time does not wait"))
    if report.overall.partial:
        badges.append(("warning", "partial"))
    if report.copied:
        badges.append(("note", "a copy: unverified"))
    if not report.run.get("finished"):
        badges.append(("note", "still running or interrupted"))
    return badges


def _figures(report: Report) -> list[dict[str, str]]:
    """The overall rate and those of the domains, for the top of the page."""
    groups = [("overall", report.overall), *((str(each.domain), each) for each in report.domains)]
    return [
        {
            "name": name,
            "rate": f"{percent(group.interval.value)} %",
            "bounds": range_of(group.interval, percent),
            "of": f"{counted(group.tasks_with_result, 'task')}, {counted(group.n, 'episode')}",
        }
        for name, group in groups
        if group.interval is not None
    ]
