"""Rows as the templates take them: links, texts and the numbers by which columns are sorted.

No text is escaped here: every template escapes all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.core import Suite, Task
from harness.core.text import printable, shorten
from harness.stats import Estimate
from leaderboards.board.entries import BoardEntry
from leaderboards.board.grey_rows import GreyRow, floor_rows, floors_of_task, published_rows_of
from leaderboards.board.model import Board, Row, SuiteBoard
from leaderboards.schema import Report, TaskRow
from leaderboards.submissions.texts import slug
from leaderboards.tables import percent, range_of, signed_points

__all__ = [
    "ConditionLine", "Line", "PlayedTask", "agent_link", "condition_lines", "grey_lines",
    "is_rated", "leaders", "line_of", "played_tasks", "shown_bounds", "shown_figure", "suite_link",
    "task_lines", "task_link",
]  # fmt: skip

LAST = 1e9
"""Sorts what has no number below all that has one."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A row of a table of agents."""

    agent: str
    link: str = ""
    """Relative to the root of the site; empty: it is no entry."""
    rank: str = ""
    """The ranks that it may have, as in `1-3`."""
    rank_order: float = LAST
    letters: str = ""
    figure: str = ""
    figure_order: float = -LAST
    bounds: str = ""
    n: str = ""
    state: str = ""
    """Why it stands apart; empty: it is ranked."""
    why: str = ""
    marks: tuple[str, ...] = ()
    reads: str = ""
    rule: str = ""
    source: str = ""
    command: str = ""
    entry: str = ""
    """The id of its entry; empty: a floor or a published figure."""
    date: str = ""
    suite: str = ""


@dataclass(frozen=True, kw_only=True)
class PlayedTask:
    """A task in the table of an agent."""

    task: str
    link: str
    figure: str
    figure_order: float
    bounds: str
    n: str
    floor: str
    remark: str


@dataclass(frozen=True, kw_only=True)
class ConditionLine:
    """A perturbation in the table of an agent, over all tasks."""

    name: str
    figure: str
    bounds: str
    control: str
    difference: str
    difference_bounds: str
    n: str


def agent_link(entry: BoardEntry) -> str:
    """The page of an agent."""
    return f"agents/{entry.agent_id}.html"


def suite_link(name: str) -> str:
    """The page of a suite of ours."""
    return f"suites/{name}.html"


def task_link(task: str) -> str:
    """The page of a task of ours: the beginning of its id, and a hash that sets it apart."""
    return f"tasks/{slug(task)}-{hashlib.sha256(task.encode()).hexdigest()[:6]}.html"


def is_rated(suite: Suite) -> bool:
    """Whether the figure of a suite is a success rate, else it is a normalised score."""
    return any(task.success is not None for task in suite.tasks)


def line_of(row: Row, board: Board) -> Line:
    """The row of an entry."""
    entry, found, group = row.entry, row.standing, row.group
    rated = row.measure == "success"
    agent = entry.described["agent"]
    return Line(
        agent=board.titles[entry.agent_id],
        link=agent_link(entry),
        rank=_ranks(row),
        rank_order=LAST if found is None else found.rank_low + found.rank_high / 1e4,
        letters="" if found is None else found.letters,
        figure=shown_figure(row.figure, rated=rated),
        figure_order=-LAST if row.figure is None else row.figure.value,
        bounds=shown_bounds(row.figure, rated=rated),
        n="" if group is None else str(group.n),
        state=row.apart,
        why=row.why,
        marks=row.marks,
        reads=shorten(", ".join(agent["reads"]) or "nothing", 200),
        command=entry.again,
        entry=entry.id,
        date=entry.created[:10],
        suite=row.suite,
    )


def _ranks(row: Row) -> str:
    found = row.standing
    if found is None:
        return ""
    low, high = found.rank_low, found.rank_high
    return str(low) if low == high else f"{low}\u2013{high}"


def shown_figure(found: Estimate | None, *, rated: bool) -> str:
    """A rate in percent, or a normalised score."""
    if found is None:
        return ""
    return percent(found.value) if rated else f"{found.value:.3f}"


def shown_bounds(found: Estimate | None, *, rated: bool) -> str:
    """Its bounds, in the same unit."""
    return range_of(found, percent if rated else lambda value: f"{value or 0:.3f}")


def grey_lines(suite: Suite) -> list[Line]:
    """The floors and the published figures of a suite."""
    found: list[GreyRow] = [*floor_rows(suite), *published_rows_of(suite)]
    return [
        Line(
            agent=each.label,
            figure=percent(each.value) if each.metric == "success_rate" else f"{each.value:g}",
            figure_order=each.value,
            rule=each.rule if each.metric == "success_rate" else f"{each.metric}; {each.rule}",
            source=each.source,
            command=each.command,
        )
        for each in found
    ]


def task_lines(task: Task, rows: Sequence[Row], board: Board) -> Iterator[Line]:
    """The rows of a task's page: entries, best first, then floors and figures of papers."""
    played = [
        (row, found) for row in rows if (found := _task_row(row, task.id)) is not None and found.n
    ]
    played.sort(key=lambda each: (bool(each[0].apart), -_value(each[1]), each[0].entry.id))
    for row, found in played:
        yield Line(
            agent=board.titles[row.entry.agent_id],
            link=agent_link(row.entry),
            figure=_task_figure(found),
            figure_order=_value(found),
            bounds=_task_bounds(found),
            n=_n(found),
            state="" if row.apart == "partial" else row.apart,
            why=row.why,
            command=row.entry.again,
            entry=row.entry.id,
            date=row.entry.created[:10],
            suite=row.suite,
        )
    for floor in floors_of_task(task):
        if floor.value is not None:
            rated = floor.success_rate is not None
            yield Line(
                agent=f"floor: {floor.agent}",
                figure=percent(floor.value) if rated else f"{floor.value:g}",
                figure_order=floor.value,
                n=str(floor.n),
                rule="looks at nothing" if rated else "looks at nothing; mean score",
                source="comes with bench",
            )
    for reference in task.references:
        # A mean over several tasks says nothing of this one.
        if reference.tasks in (1, None) and not reference.part:
            rated = reference.metric == "success_rate"
            rule = "the same rule" if reference.same_rule else reference.rule or "another rule"
            yield Line(
                agent=reference.label,
                figure=percent(reference.value) if rated else f"{reference.value:g}",
                figure_order=reference.value,
                rule=rule if rated else f"{reference.metric}; {rule}",
                source=reference.source,
            )


def _task_row(row: Row, task: str) -> TaskRow | None:
    return None if row.part is None else row.part.tasks.get(task)


def _value(row: TaskRow) -> float:
    if row.successes is not None:
        return row.success_rate or 0.0
    if row.normalised is not None:
        return row.normalised
    return row.score.value if row.score is not None else -LAST


def _task_figure(row: TaskRow) -> str:
    if row.successes is not None:
        return percent(row.success_rate)
    if row.normalised is not None:
        return f"{row.normalised:.3f}"
    return "" if row.score is None else f"{row.score.value:g}"


def _task_bounds(row: TaskRow) -> str:
    return range_of(row.interval, percent) if row.successes is not None else ""


def _n(row: TaskRow) -> str:
    return str(row.n) if row.distinct is None else f"{row.n} ({row.distinct} distinct)"


def played_tasks(row: Row, suite: Suite | None) -> list[PlayedTask]:
    """The tasks of an entry, in the order of its plan; then those that it could not play."""
    if row.part is None:
        return []
    ours = set() if suite is None else {task.id for task in suite.tasks}
    report = row.part.report
    found = [
        PlayedTask(
            task=printable(shorten(each.task, 200)),
            link=task_link(each.task) if each.task in ours else "",
            figure=_task_figure(each),
            figure_order=_value(each),
            bounds=_task_bounds(each),
            n=_n(each),
            floor=_floor(each),
            remark=printable(shorten(each.no_interval, 200)),
        )
        for each in report.tasks
    ]
    return found + [
        PlayedTask(
            task=printable(shorten(each.task, 200)),
            link=task_link(each.task) if each.task in ours else "",
            figure="",
            figure_order=-LAST,
            bounds="",
            n="0",
            floor="",
            remark=printable(shorten(f"not run: {each.reason}", 300)),
        )
        for each in report.not_run
    ]


def _floor(row: TaskRow) -> str:
    known = [floor for floor in row.floors if floor.success_rate is not None]
    if row.successes is None or not known:
        return ""
    best = max(known, key=lambda each: each.success_rate or 0.0)
    return f"{percent(best.success_rate)} {best.agent}"


def condition_lines(report: Report) -> list[ConditionLine]:
    """What each perturbation costs over all tasks of a suite."""
    return [
        ConditionLine(
            name=f"{printable(shorten(row.perturbation, 100))}:{row.severity}",
            figure=percent(row.success_rate),
            bounds=range_of(row.interval, percent),
            control=percent(row.control_rate),
            difference="" if row.difference is None else signed_points(row.difference.value),
            difference_bounds=range_of(row.difference, lambda v: signed_points(v or 0.0)),
            n=str(row.n),
        )
        for row in report.perturbations
        if row.task is None and row.domain is None and row.severity is not None and row.interval
    ]


def leaders(board: SuiteBoard) -> list[Row]:
    """The rows that may be the best: no other one was found to be better."""
    return [row for row in board.ranked if row.standing is not None and row.standing.behind == 0]
