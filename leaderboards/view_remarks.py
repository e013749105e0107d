"""What the report says of views that were read although they break their spec in a common way.

Values beyond declared bounds were kept and another dtype of the same kind was cast; the lines of a
run say so under `timing.views`. They may be a stranger's: what is malformed there is left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from harness.core import Result
from harness.core.grammar import counted
from harness.core.text import shorten

__all__ = ["ViewRemarks"]

MOST_VIEWS = 64
"""Of one task."""
MOST_TASKS = 10
"""Tasks that have a sentence; the others are counted."""
_CAST = re.compile(r"(?:float|u?int)\d{1,3} to (?:float|u?int)\d{1,3}")


class ViewRemarks:
    """Counts, for each task, the episodes in which a view left its bounds or was cast."""

    def __init__(self) -> None:
        self._found: dict[str, Counter[tuple[str, str]]] = {}

    def add(self, result: Result) -> None:
        """Take what one line says."""
        for view, what in _told(result.timing.get("views")):
            found = self._found.setdefault(result.task, Counter())
            if (view, what) in found or len(found) < MOST_VIEWS:
                found[view, what] += 1

    def sentences(self) -> tuple[str, ...]:
        """One for each task of which there is anything to say."""
        tasks = [
            f"{task}: " + ", ".join(_clause(*key, found[key]) for key in sorted(found))
            for task, found in sorted(self._found.items())
        ]
        more = len(tasks) - MOST_TASKS
        rest = [f"views of {counted(more, 'more task')} left their bounds or were cast"]
        return tuple(tasks[:MOST_TASKS] + (rest if more > 0 else []))


def _told(views: Any) -> Iterator[tuple[str, str]]:
    """(view, the dtypes of a cast; empty where it left its bounds)."""
    if not isinstance(views, Mapping):
        return
    for view, found in views.items():
        if isinstance(view, str) and isinstance(found, Mapping):
            if type(found.get("outside")) is int and found["outside"] > 0:
                yield shorten(view, 80), ""
            if type(cast := found.get("cast")) is str and _CAST.fullmatch(cast):
                yield shorten(view, 80), cast


def _clause(view: str, cast: str, episodes: int) -> str:
    was, _, now = cast.partition(" to ")
    what = f"came as {was} and was cast to {now}" if cast else "left its declared bounds"
    return f"the view {view} {what} in {counted(episodes, 'episode')}"
