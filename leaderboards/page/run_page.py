"""`bench report RUN --format html`: one file that shows a run, readable without a network."""

from __future__ import annotations

import os
from collections.abc import Sequence

from harness.core import Result
from harness.core.grammar import counted
from harness.core.text import printable
from harness.records.imported import imported_as
from harness.records.plan import CaseIndex
from harness.records.stored_run import load_run
from harness.stats import Estimate
from leaderboards.page.embed import as_json, environment, policy, scripts, styles
from leaderboards.page.gallery import FailureGallery
from leaderboards.page.html_tables import html_tables
from leaderboards.page.plots import plots_of
from leaderboards.page.provenance import provenance
from leaderboards.page.spending import Spending, told_table
from leaderboards.privilege import privilege_lines
from leaderboards.report import report_of, summary
from leaderboards.report_tables import report_header, report_tables
from leaderboards.schema import Report
from leaderboards.tables import percent, range_of

__all__ = ["run_page"]


def run_page(
    path: str | os.PathLike[str],
    follow: int = 0,
    baseline: str | None = None,
    floors: Sequence[str | os.PathLike[str]] = (),
    beside: str = "",
) -> str:
    """The page of a run directory. Raises UserError when it is none, or without jinja2.

    follow: after how many seconds the page of an unfinished run is loaded again; 0: never.
    baseline, floors: as leaderboards.report.load_report takes them. beside: the run directory as
    the page links to it; empty: the page lies inside of it.
    """
    run = load_run(path)
    failures, spending, scores = (
        FailureGallery(run.path, run.plan, beside),
        Spending(),
        list[float](),
    )

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
    if imported_as(report.run) is not None:
        badges.append(("warning", "imported: unverified, no evidence"))
    if report.copied:
        badges.append(("note", "a copy: unverified"))
    if not report.run.get("finished"):
        badges.append(("note", "still running or interrupted"))
    return badges


def _figures(report: Report) -> list[dict[str, str]]:
    """The overall rate, those of the domains, and violations, for the top of the page."""
    groups = [("overall", report.overall), *((str(each.domain), each) for each in report.domains)]
    cards = [
        _card(name, group.interval, group.tasks_with_result, group.n)
        for name, group in groups
        if group.interval is not None
    ]
    total = report.overall
    measured = [row for row in report.tasks if row.violation is not None]
    safe = [row for row in measured if row.safe_success is not None]
    for name, rate, rows in (
        ("violation", total.violation, measured),
        ("safe success", total.safe_success, safe),
    ):
        if rate is not None:
            cards.append(_card(name, rate, len(rows), sum(row.n for row in rows)))
    return cards


def _card(name: str, rate: Estimate, tasks: int, episodes: int) -> dict[str, str]:
    return {
        "name": name,
        "rate": f"{percent(rate.value)} %",
        "bounds": range_of(rate, percent),
        "of": f"{counted(tasks, 'task')}, {counted(episodes, 'episode')}",
    }
