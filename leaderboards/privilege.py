"""What a report says of privileged views that the agent read, by task and by domain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.core.reads import view_of
from harness.records.privilege import FIRST_SCHEMA
from leaderboards.schema import Group, Report, TaskRow

__all__ = ["is_privileged", "privileged_group", "privilege_lines"]


def privileged_group(rows: Iterable[TaskRow]) -> tuple[str, ...]:
    """The privileged views that were read in any of these tasks."""
    return tuple(sorted({view for row in rows for view in row.privileged}))


def is_privileged(run: Mapping[str, Any], row: TaskRow | Group) -> bool:
    """Whether the agent of a run saw more in a task, or in tasks, than its body senses."""
    return bool(row.privileged or run["agent"].get("privileged"))


def privilege_lines(report: Report, *, short: bool = False) -> list[str]:
    """What the header says, by domain; nothing where no privileged view was read."""
    if short and any(group.privileged for group in report.domains):
        domains = [str(group.domain) for group in report.domains if group.privileged]
        views = privileged_group(report.tasks)
        return [f"privileged: read {', '.join(views)}, in {', '.join(domains)}"]
    told = [
        f"{', '.join(group.privileged)} in {group.domain}"
        for group in report.domains
        if group.privileged
    ]
    if told:
        free = [group.domain for group in report.domains if group.n and not group.privileged]
        rest = f"; not in {' and '.join(map(str, free))}" if free else ""
        return [
            f"privileged: the agent read what comes from no camera, text or sensor of its body: "
            f"{'; '.join(told)}{rest}"
        ]
    if report.run_schema < FIRST_SCHEMA and _names_views(report.run):
        return ["whether a view that was read is privileged was not recorded: results of schema 1"]
    return []


def _names_views(run: Mapping[str, Any]) -> bool:
    reads: Sequence[str] = run["agent"]["reads"]
    return any(view_of(name) != "expert" for name in reads)
