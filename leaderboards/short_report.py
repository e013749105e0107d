"""A report for a terminal: what one looks for stands last, and long tables are folded.

From top to bottom: who played; the tasks, or a row for each suite where there are many; what else
was measured; robustness; how to read it; domains and overall; what is wrong.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from harness.core.grammar import counted
from leaderboards.answers import answers_table
from leaderboards.asked import asked_table
from leaderboards.confidence import confidence_tables
from leaderboards.floors import best_floor
from leaderboards.footnotes import Footnotes
from leaderboards.group_tables import (
    domains_of,
    group_table,
    metric_table,
    score_table,
    suites_of,
)
from leaderboards.late_answers import clock_table
from leaderboards.planning import optimality_table, plans_table
from leaderboards.references import PublishedFigure, figures_of, marks_explained, published_table
from leaderboards.report_tables import (
    TO_SUCCESS,
    reading_lines,
    report_tables,
    rows_by_suite,
    task_table,
    who_lines,
)
from leaderboards.row_notes import floor_lead
from leaderboards.safety_tables import safety_table
from leaderboards.schema import Report, TaskRow
from leaderboards.server_timing import server_timing_table
from leaderboards.tables import FULL_WIDTH, Lines, Table, narrowed, percent, text_page
from leaderboards.troubles import troubles

__all__ = ["full_text", "short_text"]

MOST_TASKS = 30
"""Rows of tasks that are printed; of more, the suites and the worst tasks."""
WORST = 15
"""Tasks of a single suite that are printed then."""
WORST_NAMED = 2
"""Of several suites."""
FEW_SUITES = 3
"""Up to so many suites, all that was measured beside success is told."""
MARKED = ("floor", "published")
"""Columns whose figures may have a sign."""
FEW_FIGURES = 8
"""Up to so many published figures have a line each."""


def full_text(report: Report, width: int) -> str:
    """All tables of the report, nothing folded, with the means and what is wrong last."""
    width = max(width, FULL_WIDTH)
    header = [*who_lines(report), *reading_lines(report), *report.views]
    groups = [*suites_of(report), *domains_of(report), report.overall]
    last = group_table(report, groups)
    tables = [table for table in report_tables(report) if table.title != last.title]
    return text_page(
        header, [*tables, last, *troubles(report, width, full=True)], width=width, whole_names=True
    )


def short_text(report: Report, width: int) -> str:
    """The report with what one looks for, in rows of at most `width` characters."""
    page = _Page(report, width)
    return text_page(who_lines(report, short=True), page.parts(), width=width)


class _Page:
    def __init__(self, report: Report, width: int) -> None:
        self.report, self.width = report, width
        self.footnotes = Footnotes()
        self.expert = bool(report.run["agent"].get("privileged"))
        self.by_suite = rows_by_suite(report)
        self.figures = {suite: figures_of(rows) for suite, rows in self.by_suite.items()}
        self.many = len(report.tasks) > MOST_TASKS
        self.left_out: dict[str, None] = {}
        self.folded: list[str] = []

    def parts(self) -> list[Table | Lines]:
        """Everything below the header."""
        tables = [*self._tasks(), *self._suites(), *self._measures(), *self._published()]
        tables += self._robustness()
        means = self._fit(self._means())
        notes = self._notes([*tables, means])
        told = [notes] if notes.lines else []
        return [*tables, *told, means, *troubles(self.report, self.width)]

    def _fit(self, table: Table) -> Table:
        found, left_out = narrowed(table, self.width)
        self.left_out.update(dict.fromkeys(name for name in left_out if name != "95 %"))
        return found

    def _tasks(self) -> list[Table]:
        if not self.many:
            return [
                table
                for suite, rows in self.by_suite.items()
                for table in self._of_suite(suite, rows)
            ]
        self.folded.append(f"all {counted(len(self.report.tasks), 'task')}")
        if len(self.by_suite) > 1:
            return []  # the suites have a row each, and a note names the worst tasks
        ((suite, rows),) = self.by_suite.items()
        return self._worst(suite, rows)

    def _of_suite(self, suite: str, rows: Sequence[TaskRow]) -> list[Table]:
        """Tasks with a success, and those with a score, whose columns are others."""
        kinds = [
            [row for row in rows if row.successes is not None],
            [row for row in rows if row.successes is None],
        ]
        return [
            self._fit(
                task_table(
                    f"{suite}: scores" if some is kinds[1] and kinds[0] else suite,
                    some,
                    self.figures[suite],
                    expert=self.expert,
                    footnotes=self.footnotes,
                )
            )
            for some in kinds
            if some
        ]

    def _worst(self, suite: str, rows: Sequence[TaskRow]) -> list[Table]:
        """Of the tasks with a success those least above their floor, or else those with a score."""
        some = _worst_first(rows)
        if not some:
            return []
        table = task_table(
            f"{suite}: worst tasks",
            some[:WORST],
            [],
            expert=self.expert,
            footnotes=self.footnotes,
        )
        what = "success" if some[0].successes is not None else "score"
        first = f"{min(WORST, len(some))} of {counted(len(some), 'task')} with a {what}"
        lead = f"{first}, {_order(some[:WORST])}. {floor_lead(some[:WORST])}"
        return [self._fit(Table(table.title, table.columns, lead))]

    def _suites(self) -> list[Table]:
        suites = suites_of(self.report)
        return [self._fit(group_table(self.report, suites, self.footnotes))] if suites else []

    def _means(self) -> Table:
        """Of the domains and overall; of one domain, overall says it."""
        domains = domains_of(self.report)
        if len(domains) > 1:
            return group_table(self.report, [*domains, self.report.overall], self.footnotes)
        table = group_table(self.report, [self.report.overall], self.footnotes)
        title = "overall" + "".join(f": {group.domain}" for group in domains)
        return dataclasses.replace(table, title=title)

    def _measures(self) -> list[Table]:
        report = self.report
        tables = [
            *clock_table(report.latency),
            *server_timing_table(report.server_timing),
            *answers_table(report.answers),
            *plans_table(report.answers),
            *confidence_tables(report.confidence),
            *optimality_table(report.optimality),
            *asked_table(report.asked),
        ]
        more = [*metric_table(report.tasks), *score_table(report)]
        self.folded += [table.title for table in safety_table(report.tasks)]
        if len(self.by_suite) > FEW_SUITES or self.many:
            self.folded += [table.title for table in more]
            more = []
        return [self._fit(table) for table in [*more, *tables]]

    def _published(self) -> list[Table]:
        figures = [each for several in self.figures.values() for each in several]
        # Those of tasks stand beside them, where there is room. A mean over more tasks than ran has
        # no value to be printed.
        beside = not self.many and "published" not in self.left_out
        shown = [
            each
            for each in figures
            if each.like.part or (not beside if each.by_task else each.whole)
        ]
        if len(shown) > FEW_FIGURES or len(shown) < len(figures):
            self.folded.append(_counted_figures(figures))
        if not 0 < len(shown) <= FEW_FIGURES:
            return []
        return [self._fit(table) for table in published_table(shown, short=True)]

    def _robustness(self) -> list[Table]:
        report = self.report
        if not report.perturbations and not report.not_applicable:
            return []
        from leaderboards.robustness_tables import robustness_tables

        return [self._fit(table) for table in robustness_tables(report, self.footnotes)]

    def _notes(self, tables: Sequence[Table]) -> Lines:
        """How to read the figures, what the signs mean, and what was left out."""
        lines = reading_lines(self.report, short=True)
        if self.many and len(self.by_suite) > 1:
            rated = [row for row in self.report.tasks if row.success_rate is not None]
            lines += [_told_worst(rated)] if any(row.n for row in rated) else []
        cells = [
            cell
            for table in tables
            for column in table.columns
            if column.name in MARKED
            for cell in column.cells
        ]
        if marks := marks_explained(cells):
            lines.append(marks)
        names = {column.name for table in tables for column in table.columns}
        if "to success" in names:
            lines.append(TO_SUCCESS)
        told = any("~:" in table.lead for table in tables)
        if not told and any("~" in cell for cell in cells):
            lines.append("~: a floor measured under other versions or with another renderer")
        lines += self.footnotes.lines()
        columns = counted(len(self.left_out), "column")
        if not self.many:
            columns = (
                f"{'column' if len(self.left_out) == 1 else 'columns'} {', '.join(self.left_out)}"
            )
        if more := [*self.folded, *([columns] if self.left_out else [])]:
            lines.append(f"`bench report RUN --full` has more: {'; '.join(more)}")
        return Lines("notes", tuple(lines))


def _worst_first(rows: Sequence[TaskRow]) -> list[TaskRow]:
    """The tasks with a success, or else those with a score, those least above their floor first."""
    played = [row for row in rows if row.n]
    rated = [row for row in played if row.success_rate is not None]
    return sorted(rated or [row for row in played if row.score is not None], key=_above_floor)


def _above_floor(row: TaskRow) -> tuple[float, float]:
    ours = row.success_rate if row.successes is not None else row.score and row.score.value
    found = best_floor(row.floors)
    floor = found.value if found is not None and found.value is not None else 0.0
    return (ours or 0.0) - floor, ours or 0.0


def _told_worst(rows: Sequence[TaskRow]) -> str:
    """The worst tasks of several suites, in a sentence."""
    told, worst = [], _worst_first(rows)[:WORST_NAMED]
    for row in worst:
        floor = best_floor(row.floors)
        beside = f", floor {percent(floor.success_rate)}" if floor is not None else ""
        told.append(f"{row.task} {percent(row.success_rate)} (n {row.n}{beside})")
    return f"{_order(worst)}, success %: {'; '.join(told)}"


def _order(rows: Sequence[TaskRow]) -> str:
    return "least above their floors" if any(row.floors for row in rows) else "the lowest"


def _counted_figures(figures: Sequence[PublishedFigure]) -> str:
    suites = len({each.suite for each in figures})
    return f"{counted(len(figures), 'published figure')} of {counted(suites, 'suite')}"
