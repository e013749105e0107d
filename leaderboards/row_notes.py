"""What the notes of a report's rows say: what is missing, repeated or left out of a mean."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.grammar import counted
from leaderboards.floors import best_floor
from leaderboards.report import missing_cases
from leaderboards.schema import Group, TaskRow
from leaderboards.tables import number, percent, three_decimals

__all__ = [
    "coverage",
    "covered",
    "floor_cell",
    "floor_lead",
    "in_unit",
    "measure_cell",
    "notes_of",
    "time_cell",
]


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
        parts += [_ever_and_end(row), _cut_short(row), _distinct(row), _scored(row)]
    return "; ".join(filter(None, parts))


def _ever_and_end(row: TaskRow) -> str:
    """Both rates where they differ, and when the first success was."""
    ever, end = row.success_ever, row.success_end
    if ever is None or end is None or ever == end:
        return ""
    first = row.time_to_success.first if row.time_to_success else None
    when = "" if first is None else f", first at step {first:.1f}"
    return f"success at some step {percent(ever)} %{when}; at the last step {percent(end)} %"


def _cut_short(row: TaskRow) -> str:
    """How many episodes a limit of the simulator's own ended, where the task has a longer one."""
    if row.cut_short is None:
        return ""
    return (
        f"the simulator ended {row.cut_short} of {counted(row.n, 'episode')} before the horizon of "
        f"{row.horizon}"
    )


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


def time_cell(row: TaskRow) -> str:
    """The restricted mean time to success, where any episode succeeded."""
    found = row.time_to_success
    return "" if found is None or found.first is None else f"{found.steps:.1f}"


def measure_cell(row: TaskRow) -> str:
    """The benchmark's own measure beside the success: `spl 0.45`."""
    if not row.score_name or row.score is None:
        return ""
    of = "" if row.scored is None else f" ({row.scored} of {row.n})"
    return f"{row.score_name} {number(row.score.value)}{of}"


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


def floor_cell(row: TaskRow | Group, *, expert: bool) -> str:
    """The highest floor and its agent, in the unit of the rate or score that it stands beside.

    `expert`: whether our agent is shown the expert's action. A floor across the line of privilege
    is marked as leaderboards.references.MARKS says.
    """
    found = best_floor(row.floors) if isinstance(row, TaskRow) else row.floor
    if found is None or found.value is None:
        return "not measured" if row.n and (isinstance(row, TaskRow) or row.interval) else ""
    shown = number(found.value) if found.success_rate is None else percent(found.value)
    across = found.privileged != (expert or bool(row.privileged))
    mark = "~" * (found.other_versions or found.other_renderer) + "‡" * across
    return f"{shown}{mark} {found.agent}"


def floor_lead(rows: Sequence[TaskRow]) -> str:
    """What the floors of a table are."""
    found = [floor for row in rows for floor in row.floors]
    if not found:
        return "Floor not measured"
    agents = list(dict.fromkeys(floor.agent for floor in found))
    least, most = min(floor.n for floor in found), max(floor.n for floor in found)
    names = agents[0] if len(agents) == 1 else f"the best of {', '.join(agents)}"
    episodes = counted(most, "episode") if least == most else f"{least} to {most} episodes"
    old = {
        "under other versions": any(floor.other_versions for floor in found),
        "with another renderer": any(floor.other_renderer for floor in found),
    }
    marked = " or ".join(how for how, holds in old.items() if holds)
    marked = f"; ~: measured {marked}" if marked else ""
    return f"Floor: {names}, which look at nothing, in {episodes}{marked}"
