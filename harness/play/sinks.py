"""What a coordinator is given: where results and videos go, and when a run may stop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from harness.core import Case, Result
from harness.play.outcome import VideoClip
from harness.records.plan import CaseIndex
from harness.records.traces import Trace

__all__ = ["ResultSink", "Stopping", "VideoStore"]


class Stopping(Protocol):
    """A stopping rule: it opens the plan's cases in steps and in the plan's order.

    See harness/compare/early_stopping.py.
    """

    def opened(self, item: int) -> int:
        """How many episodes of this item are open, in every condition."""
        ...

    def scored(self, case: CaseIndex, result: Result) -> None:
        """Take note of the result of a case."""
        ...

    def more(self) -> bool:
        """Open further episodes.

        False if the rule has decided, or must first know the results of the open episodes.
        """
        ...

    @property
    def enough(self) -> bool:
        """Whether the rule has decided and nothing more needs to be played."""
        ...


class ResultSink(Protocol):
    """Where results go, for example a RunDirectory."""

    @property
    def counts(self) -> Mapping[str, int]:
        """The numbers of `finished`, `agent_error` and `successes` so far."""
        ...

    def done(self, index: CaseIndex) -> bool:
        """Whether this case of the plan already has a result that counts."""
        ...

    def append(self, result: Result, trace: Trace | None, now: float) -> None:
        """Store one result; `now` is a time.monotonic() value in seconds."""
        ...


class VideoStore(Protocol):
    """Where videos go."""

    def keep(self, case: Case, clip: VideoClip) -> str | None:
        """Store one video; returns a message for the user if it could not be stored."""
        ...
