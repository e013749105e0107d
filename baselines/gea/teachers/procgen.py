"""Procgen with one action: no more is needed to be far above random play in these games."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from harness.core import Agent, Discrete, Turn

__all__ = ["BigFish", "CoinRun"]


class CoinRun(Agent):
    """Runs to the right and jumps all the time: the coin is at the right end."""

    reads = ()
    action: ClassVar[str] = "right up"

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The same action for each turn."""
        return [self._index(turn) for turn in turns]

    def _index(self, turn: Turn) -> int:
        spec = turn.brief.action
        assert isinstance(spec, Discrete)
        return spec.names.index(self.action)


class BigFish(CoinRun):
    """Swims into the upper right corner and stays: most fish swim lower."""
