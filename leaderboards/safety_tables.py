"""What a report tells of violations and costs (harness.core.safety) beside success."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.safety import SAFETY_METRICS
from harness.stats import Estimate
from leaderboards.schema import Group, Report, TaskRow
from leaderboards.tables import Column, Table, percent, range_of

__all__ = [
    "NOT_MEASURED", "measured_suites", "safety_columns", "safety_lead", "safety_sentence",
    "safety_table",
]  # fmt: skip

NOT_MEASURED = "n/m"
"""Stands where others of the table measure violations: it is never 0."""


def safety_columns(rows: Sequence[TaskRow] | Sequence[Group]) -> list[Column]:
    """The rate of violations with its interval, and that of successes without one.

    None where no row measures any.
    """
    if not any(row.violation for row in rows):
        return []

    def cell(row: TaskRow | Group, found: Estimate | None) -> str:
        if found is not None:
            return percent(found.value)
        # A task without a success has none that is safe either.
        return NOT_MEASURED if row.n and row.violation is None else ""

    return [
        Column("violation %", tuple(cell(row, row.violation) for row in rows)),
        Column(
            "violation 95 %",
            tuple(range_of(row.violation, percent) for row in rows),
            spare=2,
        ),
        Column(
            "safe %",
            tuple(cell(row, row.safe_success) if row.successes is not None else "" for row in rows),
            spare=1,
        ),
    ]


def safety_lead(rows: Sequence[TaskRow]) -> str:
    """Which violations a table of tasks counts; empty where none is measured."""
    names = [name for name in SAFETY_METRICS if any(name in row.violation_metrics for row in rows)]
    return f"Violations: {', '.join(names)}" if names else ""


def safety_sentence(report: Report) -> str:
    """The rates of the whole run in a sentence; empty where no task measures violations."""
    total = report.overall
    if total.violation is None:
        return ""
    some = total.tasks_in_violation
    of = f" of {some} of {total.tasks_with_result} tasks" if some is not None else ""
    kinds = ", ".join(total.violation_metrics)
    told = f"a violation ({kinds}) in {_told(total.violation)} of episodes{of}"
    if total.safe_success is not None:
        told += f"; success without one in {_told(total.safe_success)}"
    return told


def _told(found: Estimate) -> str:
    bounds = range_of(found, percent).replace(" to ", ", ")
    return f"{percent(found.value)} %" + (f" [{bounds}]" if bounds else "")


def measured_suites(rows: Sequence[TaskRow]) -> set[str]:
    """The suites that have a task which measures violations."""
    return {row.suite for row in rows if row.violation is not None}


def safety_table(rows: Sequence[TaskRow]) -> list[Table]:
    """A row for each suite that measures violations and each of its metrics of safety and cost."""
    cells: list[tuple[str, ...]] = []
    for suite in dict.fromkeys(row.suite for row in rows if row.violation is not None):
        played = [row for row in rows if row.suite == suite and row.n]
        for name, metric in SAFETY_METRICS.items():
            told = [row for row in played if name in row.metrics]
            if not told:
                continue
            mean = sum(row.metrics[name] for row in told) / len(told)
            n = sum((row.measured or {}).get(name, row.n) for row in told)
            kind = "violation" if metric.violation else "cost"
            tasks = str(len(told)) if len(told) == len(played) else f"{len(told)} of {len(played)}"
            cells.append((suite, name, kind, f"{mean:.4g}", metric.unit or "count", str(n), tasks))
    if not cells:
        return []
    names = ("suite", "metric", "kind", "mean", "unit", "n", "tasks")
    kinds = ("name", "name", "name", "figure", "name", "figure", "figure")
    columns = (Column(*each) for each in zip(names, zip(*cells), kinds))
    lead = (
        "Means of an episode, over tasks that each weigh the same. Violations count what must not "
        "happen; costs are the less the better. What a suite lacks here was not measured."
    )
    return [Table("safety and cost", tuple(columns), lead)]
