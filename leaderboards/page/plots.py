"""What the page's script draws, as plain data. Rates in percent."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from harness.core.text import printable, shorten
from harness.stats import Estimate
from leaderboards.floors import best_floor
from leaderboards.schema import PerturbationRow, Report, TaskRow

__all__ = ["plots_of"]

MOST_ROWS = 400
"""Tasks of a forest plot; a longer one is no plot any more, and the table has all."""
MOST_LINES = 24
"""Perturbations of a robustness plot."""
LONGEST = 80


def plots_of(report: Report, scores: Sequence[float]) -> dict[str, list[dict[str, Any]]]:
    """`forest`, `robustness`, `profile` and `time`: empty lists where there is nothing to draw.

    scores: the normalised scores of the unperturbed episodes of tasks that have no success.
    """
    forest = [_forest_row(row) for row in report.tasks if row.interval is not None]
    return {
        "forest": forest[:MOST_ROWS],
        "robustness": _curves(report.perturbations),
        "profile": _profile(scores),
        "time": [
            {"suite": _short(str(group.suite)), "what": what, "seconds": round(seconds, 3)}
            for group in report.suites
            for what, seconds in (("simulator", group.simulator_s), ("agent", group.agent_s))
            if seconds > 0
        ],
    }


def _forest_row(row: TaskRow) -> dict[str, Any]:
    assert row.interval is not None
    floor = best_floor(row.floors)
    published = [
        {"label": _short(each.label), "value": _percent(each.value), "same": each.same_rule}
        for each in row.reference
        # The task's own figures: a mean over several is no figure of any of them.
        if each.metric == "success_rate" and not each.part and each.tasks == 1
    ]
    return {
        "task": _short(row.task),
        "suite": _short(row.suite),
        **_bounds(row.interval),
        "n": row.n,
        "floor": _percent(floor.success_rate) if floor is not None else None,
        "floor_agent": _short(floor.agent) if floor is not None else "",
        "published": published,
    }


def _curves(rows: Iterable[PerturbationRow]) -> list[dict[str, Any]]:
    """A point for each perturbation and severity over all tasks; the control stands at 0."""
    overall = [
        row
        for row in rows
        if row.task is None and row.domain is None and row.severity is not None and row.interval
    ]
    names = list(dict.fromkeys(row.perturbation for row in overall))[:MOST_LINES]
    points = []
    for row in overall:
        if row.perturbation in names:
            assert row.interval is not None
            points.append(
                {
                    "perturbation": _short(row.perturbation),
                    "severity": row.severity,
                    **_bounds(row.interval),
                }
            )
    for name in names:
        control = next(row.control_rate for row in overall if row.perturbation == name)
        if control is not None:
            points.append({"perturbation": _short(name), "severity": 0, "rate": _percent(control)})
    return points


def _profile(scores: Sequence[float]) -> list[dict[str, float]]:
    """The share of episodes that score more than each of 101 thresholds (Agarwal et al. 2021)."""
    kept = sorted(each for each in scores if math.isfinite(each))
    if len(kept) < 2:
        return []
    low, high = min(0.0, kept[0]), max(1.0, kept[-1])
    thresholds = [low + (high - low) * k / 100 for k in range(101)]
    return [
        {"score": tau, "share": 100 * sum(each > tau for each in kept) / len(kept)}
        for tau in thresholds
    ]


def _bounds(found: Estimate) -> dict[str, float | None]:
    return {"rate": _percent(found.value), "low": _percent(found.low), "high": _percent(found.high)}


def _percent(value: float | None) -> float | None:
    return None if value is None else round(100 * value, 2)


def _short(text: str) -> str:
    return printable(shorten(text, LONGEST))
