"""What the notes of a report's rows say: what is missing, repeated or left out of a mean."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboards.report import missing_cases
from leaderboards.schema import Group, TaskRow
from leaderboards.tables import counted, percent, three_decimals

__all__ = ["coverage", "covered", "in_unit", "notes_of"]


def notes_of(row: TaskRow | Group) -> str:
    """What is missing, in error or repeated among the episodes of a row."""
    worst = (
        f", at worst {percent(row.rate_if_missing_fail)}%"
        if row.rate_if_missing_fail is not None
        else ""
    )
    partial = f"partial: {missing_cases(row)}{worst}" if row.partial else ""
    errors = counted(row.agent_errors, "agent error") if row.agent_errors else ""
    privileged = f"privileged: reads {', '.join(row.privileged)}" if row.privileged else ""
    parts = [privileged, partial, errors, row.no_interval]
    if isinstance(row, TaskRow):
        parts += [_distinct(row), _scored(row)]
    return "; ".join(filter(None, parts))


def _distinct(row: TaskRow) -> str:
    """How many of the episodes and of their starts are different ones."""
    n, starts = counted(row.n, "episode"), row.distinct_starts
    if row.distinct is not None:
        origin = f" from {counted(starts, 'start')}" if starts not in (None, row.distinct) else ""
        return f"{n}, {row.distinct} distinct{origin}"
    return "" if starts is None else f"{n} from {counted(starts, 'distinct start')}"


def _scored(row: TaskRow) -> str:
    if row.scored is None or row.successes is not None:
        return ""
    return f"score: of {row.scored} of {counted(row.n, 'episode')}"


def coverage(group: Group) -> str:
    """Which tasks a mean is of, where it is not all of them."""
    rated, of = group.tasks_in_rate, group.tasks_with_result
    parts = []
    if rated is not None:
        parts.append(f"{rated} of {of} tasks {'has' if rated == 1 else 'have'} a success")
    if group.tasks_in_normalised is not None:
        parts.append(f"normalised: of {group.tasks_in_normalised} of {of} tasks")
    return "; ".join(parts)


def in_unit(value: float, metric: str, row: TaskRow) -> str:
    """A published figure in the unit of the column of ours that it is compared with.

    Where the row has no such column, the metric is named.
    """
    if metric == "success_rate":
        return percent(value) if row.successes is not None else f"{percent(value)} % success"
    if metric.endswith("normalised"):
        shown, is_ours = three_decimals(value), row.normalised is not None
    else:
        shown, is_ours = f"{value:g}", row.score is not None
    return shown if is_ours and row.successes is None else f"{shown} {metric}"


def covered(name: str, rows: Sequence[TaskRow], tasks: int) -> str:
    """Of how many tasks and episodes a metric's mean is, where it is not all of them."""
    n = sum(row.n for row in rows)
    episodes = sum((row.measured or {}).get(name, row.n) for row in rows)
    parts = [f"{len(rows)} of {tasks} tasks"] if len(rows) < tasks else []
    parts += [f"{episodes} of {counted(n, 'episode')}"] if episodes < n else []
    return f" ({', '.join(parts)})" if parts else ""
