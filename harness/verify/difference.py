"""What a verification finds."""

from __future__ import annotations

from dataclasses import dataclass

from harness.core import Result
from harness.records.traces import Trace

__all__ = ["Difference"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Something in a run that is not as it should be."""

    what: str
    recorded: object
    expected: object
    """What it should be, or what the replay gave."""
    task: str = ""
    seed: int | None = None
    case: str = ""

    @classmethod
    def of(
        cls, episode: Result | Trace, what: str, recorded: object, expected: object
    ) -> Difference:
        """A difference in one episode."""
        return cls(
            what=what,
            recorded=recorded,
            expected=expected,
            task=episode.task,
            seed=episode.seed,
            case=episode.case,
        )
