"""How far an episode has come: the furthest of its stages that ever held."""

from __future__ import annotations

__all__ = ["Reached"]


class Reached:
    """Counts stages; one that holds counts for all before it."""

    def __init__(self) -> None:
        self.count = 0

    def note(self, *holds: bool) -> int:
        """Which of the stages hold now, in order; returns how many were reached so far."""
        now = max((number for number, each in enumerate(holds, 1) if each), default=0)
        self.count = max(self.count, now)
        return self.count
