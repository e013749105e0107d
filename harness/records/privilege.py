"""Which privileged views an agent read, as the lines of a run tell.

A view is privileged if its adapter says so (`Adapter.privileged_views`): it comes from no camera,
text or sensor of the body. A line has those that the agent read in the episode, under
`timing.privileged`; it may be a stranger's, and what is malformed there is left out.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.core import Result
from harness.core.text import shorten

__all__ = ["FIRST_SCHEMA", "PrivilegedViews"]

FIRST_SCHEMA = 2
"""The first schema of run.json whose lines say what was read."""

MOST_VIEWS = 64
"""Of one task."""


class PrivilegedViews:
    """Collects them by task."""

    def __init__(self) -> None:
        self._found: dict[str, set[str]] = {}

    def add(self, result: Result) -> None:
        """Take what one line says, of a perturbed episode too."""
        told = result.timing.get("privileged")
        if not isinstance(told, list):
            return
        for view in told[:MOST_VIEWS]:
            found = self._found.setdefault(result.task, set())
            if isinstance(view, str) and len(found) < MOST_VIEWS:
                found.add(shorten(view, 80))

    def by_task(self) -> Mapping[str, tuple[str, ...]]:
        """Task id -> the views that were read in any of its episodes; no task without any."""
        return {task: tuple(sorted(found)) for task, found in self._found.items() if found}
