"""The board for programs: JSON and CSV. Rates lie in [0, 1]."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from harness.core.text import escape_csv, printable, shorten
from harness.stats import Estimate
from leaderboards.board.lines import agent_link, suite_link
from leaderboards.board.methods import methods_of_suite
from leaderboards.board.model import Board, Row, SuiteBoard
from leaderboards.board.views import rows_of_board

__all__ = ["SCHEMA", "as_document", "rows_csv", "tasks_csv"]

SCHEMA = 1
"""Of board.json. A field may be added; none changes its meaning without another number."""


def as_document(board: Board, title: str) -> str:
    """board.json: entries, and the rows of every suite."""
    document = {
        "schema": SCHEMA,
        "title": title,
        "entries": [
            {
                "id": entry.id,
                "name": entry.name,
                "agent_id": entry.agent_id,
                "fingerprint": entry.fingerprint,
                "state": entry.state,
                "privileged": entry.privileged,
                "created": entry.created,
                "checked": entry.verdict.date or None,
                "statement": entry.verdict.statement or None,
                "sha256": entry.digest,
                "marks": [*entry.described["marks"]],
                "page": agent_link(entry),
                "again": entry.again,
            }
            for entry in board.entries
        ],
        "suites": [
            {
                "suite": suite.suite.name,
                "domains": [*suite.domains],
                "tasks": len(suite.suite.tasks),
                "page": suite_link(suite.suite.name),
                "rows": [_row(row) for row in suite.rows],
                **_methods(suite, board),
            }
            for suite in board.suites
        ],
        "unreadable": [{"path": each.path, "reason": each.reason} for each in board.unreadable],
    }
    return json.dumps(document, indent=1, allow_nan=False, sort_keys=True) + "\n"


def _methods(suite: SuiteBoard, board: Board) -> dict[str, Any]:
    """`methods`, where whoever built the board names any that this suite can show."""
    found = methods_of_suite(suite, board.methods)
    if found is None:
        return {}
    rows = [
        {
            "method": row.method,
            "entries": [*row.runs],
            "rank_low": row.rank_low,
            "rank_high": row.rank_high,
            "letters": row.letters or None,
            **_bounds(row.rate),
        }
        for row in found.rows
    ]
    return {"methods": {"rows": rows, "cases": found.cases, "left_out": [*found.left_out]}}


def _row(row: Row) -> dict[str, Any]:
    found, group = row.standing, row.group
    return {
        "entry": row.entry.id,
        "rank_low": None if found is None else found.rank_low,
        "rank_high": None if found is None else found.rank_high,
        "letters": None if found is None else found.letters or None,
        "apart": row.apart or None,
        "measure": None if row.figure is None else row.measure,
        **_bounds(row.figure),
        "n": None if group is None else group.n,
        "tasks_missing": row.missing,
        "seconds_per_step": row.seconds_per_step,
        "parameters": row.parameters,
        "marks": [*row.marks],
    }


def _bounds(found: Estimate | None) -> dict[str, float | None]:
    if found is None:
        return {"value": None, "low": None, "high": None}
    return {"value": found.value, "low": found.low, "high": found.high}


def rows_csv(board: Board) -> str:
    """A line for each entry and suite."""
    head = (
        "suite", "entry", "agent", "rank_low", "rank_high", "apart", "measure", "value", "low",
        "high", "n", "tasks_missing", "privileged", "state", "created",
    )  # fmt: skip
    return _csv(head, _lines(board))


def _lines(board: Board) -> Iterator[tuple[Any, ...]]:
    for row in rows_of_board(board):
        told, entry = _row(row), row.entry
        yield (
            row.suite, entry.id, entry.name, told["rank_low"], told["rank_high"], row.apart,
            told["measure"], told["value"], told["low"], told["high"], told["n"], row.missing,
            entry.privileged, entry.state, entry.created,
        )  # fmt: skip


def tasks_csv(board: Board) -> str:
    """A line for each entry and task."""
    head = (
        "suite", "task", "entry", "agent", "n", "successes", "success_rate", "low", "high",
        "score", "normalised", "protocol", "apart",
    )  # fmt: skip
    return _csv(head, _task_lines(board))


def _task_lines(board: Board) -> Iterator[tuple[Any, ...]]:
    for row in rows_of_board(board):
        for each in () if row.part is None else row.part.report.tasks:
            rate = _bounds(each.interval)
            assert row.part is not None
            yield (
                row.suite, printable(shorten(each.task, 300)), row.entry.id, row.entry.name,
                each.n, each.successes, rate["value"], rate["low"], rate["high"],
                None if each.score is None else each.score.value, each.normalised,
                row.part.outcomes[each.task].item.protocol, row.apart,
            )  # fmt: skip


def _csv(head: tuple[str, ...], lines: Iterator[tuple[Any, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    for line in lines:
        writer.writerow([escape_csv(each) if isinstance(each, str) else each for each in line])
    return text.getvalue()
