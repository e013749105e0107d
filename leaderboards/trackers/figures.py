"""The figures of a report under the names that trackers show them by.

`overall/success_rate`, `domain/games/success_rate`, `task/minigrid/Empty-5x5@1/success_rate`; with
`_low` and `_high` for the bounds of the interval that the report gives. A figure that does not
exist is left out. While a run goes on and at its end the names are the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from harness.stats import Estimate
from leaderboards.schema import Group, PerturbationRow, Report, TaskRow

__all__ = ["figures_of", "group_figures", "task_figures"]

Figures = dict[str, float]


def figures_of(report: Report) -> Figures:
    """All figures of a finished report."""
    found = group_figures(report.overall, report.domains, report.suites)
    for row in report.tasks:
        if row.n:
            found |= task_figures(row)
    for perturbed in report.perturbations:
        if perturbed.task is None and perturbed.domain is None:
            found |= _perturbed(perturbed)
    return found


def group_figures(
    overall: Group, domains: Iterable[Group], suites: Iterable[Group] = ()
) -> Figures:
    """The whole run, and each domain and suite that has a result."""
    found = _group("overall", overall)
    for domain in domains:
        if domain.n:
            found |= _group(f"domain/{domain.domain}", domain)
    for suite in suites:
        if suite.n:
            found |= _group(f"suite/{suite.suite}", suite)
    return found


def task_figures(row: TaskRow) -> Figures:
    """One task that has a result."""
    return _named(
        f"task/{row.task}",
        {
            **_three("success_rate", row.interval),
            **_three("violation_rate", row.violation),
            **_three("safe_success_rate", row.safe_success),
            **_three("score_mean", row.score),
            "normalised": row.normalised,
            "steps_mean": row.steps_mean,
            "n": row.n,
            "errors": row.errors,
            "agent_errors": row.agent_errors,
        },
    )


def _group(prefix: str, group: Group) -> Figures:
    return _named(
        prefix,
        {
            **_three("success_rate", group.interval),
            **_three("violation_rate", group.violation),
            **_three("safe_success_rate", group.safe_success),
            "normalised": group.normalised,
            "n": group.n,
            "tasks": group.tasks_with_result,
            "errors": group.errors,
            "agent_errors": group.agent_errors,
            "simulator_s": group.simulator_s,
            "agent_s": group.agent_s,
        },
    )


def _perturbed(row: PerturbationRow) -> Figures:
    severity = "" if row.severity is None else f":{row.severity}"
    return _named(
        f"perturbation/{row.perturbation}{severity}",
        {
            **_three("success_rate", row.interval),
            **_three("difference", row.difference),
            **_three("retention", row.retention),
            "area": row.area,
            "n": row.n or None,
        },
    )


def _three(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    if estimate is None:
        return {}
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _named(prefix: str, figures: dict[str, float | None]) -> Figures:
    return {
        f"{prefix}/{name}": float(value)
        for name, value in figures.items()
        if value is not None and math.isfinite(value)
    }
