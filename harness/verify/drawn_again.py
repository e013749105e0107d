"""Whether a replay draws the first images of episodes as the run had them.

Another renderer may draw other pixels of the same state. That breaks no record, so it is a note.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.core import Result
from harness.core.grammar import counted
from harness.records.renderer import renderer_of

__all__ = ["DrawnAgain"]


class DrawnAgain:
    """Counts them."""

    def __init__(self) -> None:
        self._images = self._differently = 0
        self._renderers: tuple[str | None, str | None] = None, None

    def add(self, recorded: Result, before: str, again: Result, now: str) -> None:
        """Compare the first images of a case: in the run, and in its replay.

        before, now: their digests (`Trace.pixels`). A replay draws without the perturbations
        between adapter and agent.
        """
        if not (before and now) or recorded.perturbations:
            return
        self._images += 1
        if now != before:
            if not self._differently:
                self._renderers = renderer_of(recorded), renderer_of(again)
            self._differently += 1

    def notes(self) -> Iterator[str]:
        """One sentence where any were drawn differently."""
        if not self._differently:
            return
        before, here = self._renderers
        if not before or not here:
            why = "another machine or driver"
        elif before == here:
            why = f"although {here!r} drew both"
        else:
            why = f"by {here!r}, not by {before!r}"
        yield (
            f"the first images of {self._differently} of {counted(self._images, 'episode')} are "
            f"drawn differently here: {why}"
        )
