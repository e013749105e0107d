"""What the scripts of a suite's page draw, as plain data. Rates in percent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from leaderboards.board.lines import Line, is_rated, shown_figure
from leaderboards.board.model import Board, Row, SuiteBoard

__all__ = ["charts_of"]

MOST_ROWS = 100
"""Agents of a plot; with more it is none, and the table has all."""
MOST_CURVES = 24
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def charts_of(suite: SuiteBoard, grey: Sequence[Line], board: Board) -> dict[str, Any]:
    """`forest`, `robustness`, `efficiency` and `history`; empty lists where nothing is to draw."""
    rated = is_rated(suite.suite)
    factor = 100.0 if rated else 1.0
    history = [*_history(suite, factor, board)]
    known = [row for row in suite.rows if row.figure is not None and row.apart in _SHOWN]
    return {
        "unit": "success in %" if rated else "normalised score",
        "rated": rated,
        "forest": [*_forest(known, grey, factor, board)][:MOST_ROWS],
        "robustness": [*_robustness(suite, board)],
        "efficiency": [*_efficiency(known, factor, board)],
        # A single day is no history.
        "history": history if len({each["date"] for each in history}) > 1 else [],
    }


_SHOWN = ("", "privileged", "partial")
"""Why a row that is drawn may have no rank."""


def _bounds(row: Row, factor: float) -> dict[str, float | None]:
    found = row.figure
    assert found is not None
    values = {"rate": found.value, "low": found.low, "high": found.high}
    return {name: None if v is None else round(factor * v, 3) for name, v in values.items()}


def _forest(
    rows: Sequence[Row], grey: Sequence[Line], factor: float, board: Board
) -> Iterator[dict[str, Any]]:
    for row in rows:
        name = board.titles[row.entry.agent_id]
        kind = row.apart or "ranked"
        yield {"key": row.entry.id, "name": name, "kind": kind, **_bounds(row, factor)}
    for number, line in enumerate(grey):
        if abs(line.figure_order) < 1e6:
            rate = round(factor * line.figure_order, 3)
            yield {"key": f"grey {number}", "name": line.agent, "kind": "grey", "rate": rate,
                   "low": None, "high": None}  # fmt: skip


def _robustness(suite: SuiteBoard, board: Board) -> Iterator[dict[str, Any]]:
    curves: set[tuple[str, str]] = set()
    for row in suite.ranked:
        assert row.part is not None
        name = board.titles[row.entry.agent_id]
        for each in row.part.report.perturbations:
            whole = each.task is None and each.domain is None
            if not whole or each.severity is None or each.interval is None:
                continue
            curve = row.entry.id, each.perturbation
            if curve not in curves:
                if len(curves) >= MOST_CURVES:
                    continue
                curves.add(curve)
                if each.control_rate is not None:
                    yield {"curve": f"{name}: {each.perturbation}", "severity": 0,
                           "rate": round(100 * each.control_rate, 2)}  # fmt: skip
            yield {
                "curve": f"{name}: {each.perturbation}",
                "severity": each.severity,
                "rate": round(100 * each.interval.value, 2),
            }


def _efficiency(rows: Sequence[Row], factor: float, board: Board) -> Iterator[dict[str, Any]]:
    for row in rows:
        cost = row.entry.submission.cost_per_episode
        if row.seconds_per_step is None and row.parameters is None and cost is None:
            continue
        assert row.figure is not None
        yield {
            "agent": board.titles[row.entry.agent_id],
            "shown": shown_figure(row.figure, rated=factor > 1),
            "rate": round(factor * row.figure.value, 3),
            "seconds": row.seconds_per_step,
            "parameters": row.parameters,
            "cost": cost,
        }


def _history(suite: SuiteBoard, factor: float, board: Board) -> Iterator[dict[str, Any]]:
    for row in suite.ranked:
        if _DATE.match(row.entry.created):
            name = board.titles[row.entry.agent_id]
            yield {"date": row.entry.created[:10], "agent": name, **_bounds(row, factor)}
