"""Agents that draw: with a known chance of success, or as an endpoint that ignores seeds."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Any

from toys import GoodAgent

from harness.core import Answer, Turn


class Sometimes(GoodAgent):
    """Goes to the goal with this chance, drawn by `turn.rng` at the start of an episode."""

    def __init__(self, chance: float = 0.5) -> None:
        self.chance = chance

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [self.one(turn, good) for turn, good in zip(turns, super().act(turns))]

    def one(self, turn: Turn, good: Any) -> Any:
        """The answer to this turn, of which `good` is right."""
        goes = self.draws(turn) if turn.step == 0 else turn.memory
        return Answer([good if goes else turn.brief.action.noop()], memory=goes)

    def draws(self, turn: Turn) -> bool:
        """Whether it goes to the goal in this episode."""
        return bool(turn.rng.random() < self.chance)


class ByCase(Sometimes):
    """Always goes to goals on the left half, and to others with this chance."""

    def draws(self, turn: Turn) -> bool:
        return bool(turn.observation["state"][2] < 4) or super().draws(turn)


class Endpoint(Sometimes):
    """Draws by itself, whatever the seed."""

    built = itertools.count(1)
    """Each instance draws from a stream of its own, and a test that sets this knows which."""

    def __init__(self, chance: float = 0.5) -> None:
        super().__init__(chance)
        self.own = random.Random(next(Endpoint.built))

    def draws(self, turn: Turn) -> bool:
        return self.own.random() < self.chance
