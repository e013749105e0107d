"""The HTML pages of the board, from its data."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.core.grammar import counted
from harness.core.nouns import Task
from harness.stats.trainings import ENOUGH_TRAININGS
from leaderboards.board.charts import charts_of
from leaderboards.board.lines import (
    Line,
    agent_link,
    grey_lines,
    line_of,
    shown_bounds,
    shown_figure,
    suite_link,
    task_lines,
    task_link,
)
from leaderboards.board.methods import methods_of_suite
from leaderboards.board.model import Board, Row, SuiteBoard
from leaderboards.board.processes import each_of
from leaderboards.board.ranking import ALPHA, MOST_LETTERS
from leaderboards.board.views import agent_views, domain_views, entry_views, unit_of
from leaderboards.methods_render import ranks_of
from leaderboards.page.embed import as_json, environment
from leaderboards.submissions.entry import CLAIMED
from leaderboards.tables import percent

__all__ = ["pages_of"]

HERE = Path(__file__).resolve().parent
TABLES = ("jquery.min.js", "dataTables.min.js", "figures.js", "tables.js")
PLOTS = ("d3.min.js", "plot.umd.min.js", "plots.js")
PAIR = ("jquery.min.js", "dataTables.min.js", "pair_statistics.js", "pair.js")


@functools.lru_cache(1)
def _templates() -> Any:
    import jinja2

    # The same rules as those of the page of a run: above all, every text is escaped.
    return environment().overlay(loader=jinja2.FileSystemLoader(HERE / "templates"))


def _page(template: str, root: str, scripts: tuple[str, ...], **values: Any) -> str:
    page: str = (
        _templates()
        .get_template(template)
        .render(root=root, scripts=scripts, claimed=f"Of every entry is {CLAIMED}.", **values)
    )
    return page


def pages_of(board: Board, title: str) -> Iterator[tuple[str, str]]:
    """(path relative to the root of the site, HTML). Raises UserError without jinja2."""
    yield "index.html", _index(board, title)
    yield "compare.html", _page("board_compare.html.j2", "", PAIR, title="Compare two entries")
    for suite in board.suites:
        yield suite_link(suite.suite.name), _suite(suite, board)
    yield from _domains(board)
    agents = {entry.agent_id: entry for entry in board.entries}
    made = each_of(lambda agent: _agent(agent, board), list(agents))
    yield from zip(map(agent_link, agents.values()), made)
    rows: dict[str, list[Row]] = {}
    tasks: dict[str, Task] = {}
    for suite in board.suites:
        for task in suite.suite.tasks:
            tasks[task.id] = task
            rows.setdefault(task.id, []).extend(suite.rows)
    made = each_of(lambda task: _task(task, rows[task.id], board), list(tasks.values()))
    yield from zip(map(task_link, tasks), made)


def _index(board: Board, title: str) -> str:
    agents = agent_views(board)
    accepted = sum(entry.state == "accepted" for entry in board.entries)
    return _page(
        "board_index.html.j2",
        "",
        TABLES,
        title=title,
        summary=f"{counted(len(agents), 'agent')} in {len(board.entries)} entries, {accepted} of "
        f"which were accepted by a check, on {counted(len(board.suites), 'suite')}.",
        domains=domain_views(board),
        agents=agents,
        others=[line_of(row, board) for row in board.others],
        unreadable=board.unreadable,
    )


def _suite(suite: SuiteBoard, board: Board) -> str:
    ours, unit = suite.suite, unit_of(suite)
    grey = grey_lines(ours)
    data = charts_of(suite, grey, board)
    lines = [line_of(row, board) for row in suite.rows]
    ranked = lines[: len(suite.ranked)]
    few = len(ranked) <= MOST_LETTERS
    alike = " Agents that share a letter cannot be told apart." if few and len(ranked) > 1 else ""
    rules = list(dict.fromkeys(task.rule for task in ours.tasks if task.rule))
    return _page(
        "board_suite.html.j2",
        "../",
        (*TABLES, *PLOTS),
        title=ours.title or ours.name,
        summary=f"The suite {ours.name}: {counted(len(ours.tasks), 'task')}, "
        f"{len(ranked)} ranked entries and {len(suite.apart)} apart.",
        notes=[f"Source: {ours.source}"] * bool(ours.source)
        + [f"Counts: {rules[0]}"] * (len(rules) == 1),
        ranking_lead="The mean over tasks with its 95 % interval, for other episodes of these "
        "tasks. Every row is one checkpoint, and says nothing of other trainings of it. A rank is "
        "the range of ranks that an agent may have: every two agents are compared on the cases "
        "that both played and that started alike, and all ranks lie in their ranges "
        f"with a chance of at least {100 * (1 - ALPHA):.0f} %.{alike} Grey rows are floors and "
        "figures of papers: no entries, and not ranked.",
        unit=unit,
        letters=few and len(ranked) > 1,
        ranked=ranked,
        grey=grey,
        apart=lines[len(ranked) :],
        methods=_methods(suite, board, rated=unit == "success %"),
        history=sorted(lines, key=lambda each: (each.date, each.agent, each.entry), reverse=True),
        data=data,
        json=as_json(data),
        tasks=[_task_summary(task, suite) for task in ours.tasks],
    )


def _methods(suite: SuiteBoard, board: Board, *, rated: bool) -> dict[str, Any] | None:
    """The methods of a suite; None where there is nothing to say of any."""
    found = methods_of_suite(suite, board.methods)
    if found is None:
        return None
    left = (
        f" {', '.join(found.left_out)}: too few ranked entries, or cases that they share."
        if found.left_out
        else ""
    )
    return {
        "lead": f"Each by the entries of its trainings, on {counted(found.cases, 'case')} that all "
        "of them played and that started alike. The interval, from "
        f"{ENOUGH_TRAININGS} trainings on, is for other trainings and other episodes; who built "
        f"this board says which entries are trainings of one method.{left}",
        "rows": [
            (
                row.method,
                ranks_of(row),
                row.letters,
                shown_figure(row.rate, rated=rated),
                shown_bounds(row.rate, rated=rated),
                len(row.runs),
                ", ".join(row.runs),
            )
            for row in found.rows
        ],
    }


def _task_summary(task: Task, suite: SuiteBoard) -> dict[str, Any]:
    rows = [row.part.tasks[task.id] for row in suite.ranked if row.part is not None]
    rates = [row.success_rate for row in rows if row.success_rate is not None]
    scores = [row.normalised for row in rows if row.normalised is not None]
    rated = task.success is not None
    values = sorted(rates if rated else scores)
    ends = [percent(each) if rated else f"{each:.3f}" for each in (values[:1] + values[-1:])]
    return {
        "task": task.id,
        "link": task_link(task.id),
        "horizon": "" if task.max_steps is None else str(task.max_steps),
        "episodes": suite.suite.episodes_of(task),
        "low": ends[0] if ends else "",
        "high": ends[-1] if ends else "",
    }


def _domains(board: Board) -> Iterator[tuple[str, str]]:
    for domain in domain_views(board):
        names = {each.name for each in domain.suites}
        suites = [each for each in board.suites if each.suite.name in names]
        cells: dict[str, dict[str, Line]] = {}
        for suite in suites:
            for row in reversed(suite.rows):  # of several entries of an agent the best ranked one
                cells.setdefault(row.entry.agent_id, {})[suite.suite.name] = line_of(row, board)
        rows = sorted((board.titles[agent], f"agents/{agent}.html", agent) for agent in cells)
        page = _page(
            "board_domain.html.j2",
            "../",
            TABLES,
            title=f"Agents in {domain.name}",
            summary=f"{counted(len(rows), 'agent')} on {counted(len(suites), 'suite')}.",
            suites=[
                (each.suite.name, suite_link(each.suite.name), unit_of(each)) for each in suites
            ],
            rows=[
                (name, link, [cells[agent].get(each.suite.name) for each in suites])
                for name, link, agent in rows
            ],
        )
        yield domain.link, page


def _agent(agent: str, board: Board) -> str:
    entries = [entry for entry in board.entries if entry.agent_id == agent]
    return _page(
        "board_agent.html.j2",
        "../",
        TABLES,
        title=board.titles[agent],
        summary=f"{len(entries)} {'entry' if len(entries) == 1 else 'entries'} of this agent.",
        entries=entry_views(entries, board),
    )


def _task(task: Task, rows: list[Row], board: Board) -> str:
    rated = task.success is not None
    horizon = "" if task.max_steps is None else f", at most {counted(task.max_steps, 'step')}"
    return _page(
        "board_task.html.j2",
        "../",
        TABLES,
        title=task.id,
        summary=f"A task in {task.domain}{horizon}. {task.rule}",
        lead="With the 95 % interval of the success rate, for other episodes of this task. "
        "Entries of one task have no rank of their own: see the suite."
        if rated
        else "The normalised score, else the mean score. Entries of one task have no rank of their "
        "own: see the suite.",
        unit="success %" if rated else "score",
        lines=list(task_lines(task, rows, board)),
    )
