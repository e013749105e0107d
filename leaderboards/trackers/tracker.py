"""What a tracker does with a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

__all__ = ["Tracker"]

Parameter = str | int | float | bool


class Tracker(Protocol):
    """One run in a tracker. Any method may raise what the tracker's package raises."""

    def begin(self, run: Path, parameters: Mapping[str, Parameter], known: str | None) -> str:
        """Begin a run, or go on with one.

        run: the run directory, whose name is that of the tracker's run.
        known: what an earlier call returned for this run directory; None: it is new there. If the
        tracker does not have that run, a new one begins.
        Returns what names the run there.
        """
        ...

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Log figures as they are after `step` episodes."""
        ...

    def finish(self, files: Path, summary: str, complete: bool) -> str:
        """Keep the files in this folder as artefacts, and end the run.

        summary: the report in a few lines. complete: whether every case was played.
        Returns where to look, for a message.
        """
        ...
