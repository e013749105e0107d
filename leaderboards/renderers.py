"""What a report says of the renderers that drew what its agent read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.core.grammar import counted
from leaderboards.schema import Report

__all__ = ["other_renderer", "renderer_lines"]


def other_renderer(ours: Sequence[str], theirs: Sequence[str]) -> bool:
    """Whether the agents of two rows saw what different renderers drew. Empty: none that is known,
    or nothing drawn."""
    return bool(ours and theirs) and set(ours) != set(theirs)


def renderer_lines(report: Report) -> list[str]:
    """What the header says; nothing where no drawn view was read, or no renderer has a name."""
    tasks = Counter(name for row in report.tasks for name in row.renderers)
    if not tasks:
        return []
    every = sum(bool(row.renderers) for row in report.tasks)
    told = [
        name if count == every else f"{name} ({counted(count, 'task')})"
        for name, count in tasks.most_common()
    ]
    return [f"the drawn views that the agent read were drawn by: {'; '.join(told)}"]
