"""What drew the views that an agent read, as the lines of a run tell.

A line of an agent that may read drawn views says so under `timing.renderer`: what the adapter says
of the renderer (`Adapter.renderer_info`), empty where no drawn view was read or where the packages
alone draw. It may be a stranger's line: what is malformed counts as not recorded.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from harness.core import Result
from harness.core.text import printable, shorten

__all__ = ["Renderers", "renderer_of"]

MOST_NAME = 200
MOST_RENDERERS = 16
"""Of one task: a run may be played on several machines."""


def renderer_of(result: Result) -> str | None:
    """What drew; empty: nothing that has a name. None: the line does not say it."""
    told = result.timing.get("renderer")
    # One string for all of a million lines.
    return sys.intern(shorten(printable(told), MOST_NAME)) if type(told) is str else None


class Renderers:
    """Collects them by task."""

    def __init__(self) -> None:
        self._found: dict[str, set[str]] = {}

    def add(self, result: Result) -> None:
        """Take what one line says, of a perturbed episode too."""
        told = renderer_of(result)
        if told:
            found = self._found.setdefault(result.task, set())
            if len(found) < MOST_RENDERERS:
                found.add(told)

    def by_task(self) -> Mapping[str, tuple[str, ...]]:
        """Task id -> the renderers of its episodes; no task without any."""
        return {task: tuple(sorted(found)) for task, found in self._found.items()}
