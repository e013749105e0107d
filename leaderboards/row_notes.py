"""What the notes of a report's rows say: what is missing, repeated or left out of a mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.grammar import counted
from leaderboards.achievements import NAME
from leaderboards.floors import best_floor
from leaderboards.report import missing_cases
from leaderboards.schema import Group, TaskRow
from leaderboards.tables import number, percent, three_decimals

__all__ = [
    "Note",
    "coverage",
    "covered",
    "floor_cell",
    "floor_lead",
    "in_unit",
    "measure_cell",
    "note_parts",
    "notes_of",
    "time_cell",
]


@dataclass(frozen=True)
class Note:
    """A remark on a row. Rows with remarks of one kind share a footnote."""

    kind: str
    detail: str = ""
    """What differs from row to row."""
    text: str = ""
    """Both, where it stands beside its row."""

    def __str__(self) -> str:
        return self.text or self.kind


def notes_of(row: TaskRow | Group) -> str:
    """What is missing, in error or repeated among the episodes of a row."""
    return "; ".join(map(str, note_parts(row)))


def note_parts(row: TaskRow | Group) -> list[Note]:
    """The same, part by part."""
    found = []
    if row.privileged:
        found.append(Note(f"privileged: reads {', '.join(row.privileged)}"))
    if row.partial:
        worst = (
            f", at worst {percent(row.rate_if_missing_fail)}%"
            if row.rate_if_missing_fail is not None
            else ""
        )
        missing = f"{missing_cases(row)}{worst}"
        found.append(Note("partial", missing, f"partial: {missing}"))
    if row.agent_errors:
        errors = counted(row.agent_errors, "agent error")
        found.append(Note("agent errors, which count as failures", str(row.agent_errors), errors))
    if row.no_interval:
        found.append(Note(row.no_interval))
    if isinstance(row, TaskRow):
        found += [*_ever_and_end(row), *_cut_short(row), *_distinct(row), *_scored(row)]
        found += [*_violations_known(row), *_asked(row)]
    return found


def _ever_and_end(row: TaskRow) -> list[Note]:
    """Both rates where they differ, and when the first success was."""
    ever, end = row.success_ever, row.success_end
    if ever is None or end is None or ever == end:
        return []
    first = row.time_to_success.first if row.time_to_success else None
    when = "" if first is None else f", first at step {first:.1f}"
    told = f"success at some step {percent(ever)} %{when}; at the last step {percent(end)} %"
    detail = f"{percent(ever)} %{when}, and {percent(end)} %"
    return [Note("success at some step, and at the last one", detail, told)]


def _cut_short(row: TaskRow) -> list[Note]:
    """How many episodes a limit of the simulator's own ended, where the task has a longer one."""
    if row.cut_short is None:
        return []
    told = (
        f"the simulator ended {row.cut_short} of {counted(row.n, 'episode')} before the horizon of "
        f"{row.horizon}"
    )
    detail = f"{row.cut_short} of {row.n}, horizon {row.horizon}"
    return [Note("episodes that the simulator ended before the horizon", detail, told)]


def _distinct(row: TaskRow) -> list[Note]:
    """How many of the episodes and of their starts are different ones."""
    n, starts = counted(row.n, "episode"), row.distinct_starts
    if row.distinct is not None:
        origin = f" from {counted(starts, 'start')}" if starts not in (None, row.distinct) else ""
        told = f"{n}, {row.distinct} distinct{origin}"
        return [Note("distinct episodes", f"{row.distinct} of {row.n}{origin}", told)]
    if starts is None:
        return []
    told = f"{n} from {counted(starts, 'distinct start')}"
    return [Note("distinct starts", f"{starts} of {row.n}", told)]


def _scored(row: TaskRow) -> list[Note]:
    if row.scored is None or row.successes is not None:
        return []
    told = f"score: of {row.scored} of {counted(row.n, 'episode')}"
    return [Note("episodes in the score", f"{row.scored} of {row.n}", told)]


def _violations_known(row: TaskRow) -> list[Note]:
    if row.violation_known is None:
        return []
    of = f"{row.violation_known} of {row.n}"
    return [Note("episodes in the violations", of, f"violations: of {of} episodes")]


def _asked(row: TaskRow) -> list[Note]:
    """How often the agent let the expert act (`Answer.ask`)."""
    steps = row.metrics.get("expert_steps")
    if not steps:
        return []
    told = f"{steps:.1f} steps an episode"
    return [Note("the expert acted where it was asked", told, f"the expert acted in {told}")]


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


def coverage(group: Group) -> list[Note]:
    """Of which tasks the means are, where one of them is not of all."""
    rated, of = group.tasks_in_rate, group.tasks_with_result
    some = group.tasks_in_normalised
    told = []
    if rated is not None:
        told.append(f"{rated} of {of} tasks {'has' if rated == 1 else 'have'} a success")
    if some is not None:
        told.append(f"normalised: of {some} of {of} tasks")
    measured = group.tasks_in_violation
    notes = []
    if measured is not None:
        of_tasks = f"{measured} of {of}"
        notes.append(
            Note("tasks that measure violations", of_tasks, f"violations: of {of_tasks} tasks")
        )
    if not told:
        return notes
    rates = "none" if group.interval is None else f"{of if rated is None else rated}"
    detail = f"{rates}, {of if some is None else some} of {of}"
    rated_notes = Note("tasks in the mean of rates, and in normalised", detail, "; ".join(told))
    return [rated_notes, *notes]


def in_unit(value: float, metric: str, row: TaskRow) -> str:
    """A published figure in the unit of the column of ours that it is compared with.

    Where the row has no such column, the metric is named.
    """
    if metric == "success_rate":
        return percent(value) if row.successes is not None else f"{percent(value)} % success"
    if metric.endswith("normalised"):
        shown, is_ours = three_decimals(value), row.normalised is not None
    else:
        shown, is_ours = f"{value:g}", row.score is not None and metric != NAME
    return shown if is_ours and row.successes is None else f"{shown} {metric}"


def covered(name: str, rows: Sequence[TaskRow], tasks: int) -> str:
    """Of how many tasks and episodes a metric's mean is, where it is not all of them."""
    n = sum(row.n for row in rows)
    episodes = sum((row.measured or {}).get(name, row.n) for row in rows)
    parts = [f"{len(rows)} of {tasks} tasks"] if len(rows) < tasks else []
    parts += [f"{episodes} of {counted(n, 'episode')}"] if episodes < n else []
    return f" ({', '.join(parts)})" if parts else ""


def floor_cell(row: TaskRow | Group, *, expert: bool, alone: bool = False) -> str:
    """The highest floor and its agent, in the unit of the rate or score that it stands beside.

    `alone`: without the agent, of which `floor_lead` tells.

    `expert`: whether our agent is shown the expert's action. A floor across the line of privilege
    is marked as leaderboards.references.MARKS says.
    """
    found = best_floor(row.floors) if isinstance(row, TaskRow) else row.floor
    if found is None or found.value is None:
        missing = row.n and (isinstance(row, TaskRow) or row.interval)
        return "" if not missing else "none" if alone else "not measured"
    shown = number(found.value) if found.success_rate is None else percent(found.value)
    across = found.privileged != (expert or bool(row.privileged))
    mark = "~" * (found.other_versions or found.other_renderer) + "‡" * across
    return f"{shown}{mark}" if alone else f"{shown}{mark} {found.agent}"


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
