"""Agents that let the expert act."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.core import Agent, Answer, Turn


class Asker(Agent):
    """Asks in every n-th step, and else does nothing; never, if n is 0."""

    reads = ("ask",)

    def __init__(self, every: int = 1) -> None:
        self.every = every

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [self._answer(turn) for turn in turns]

    def _answer(self, turn: Turn) -> Any:
        assert turn.expert is None
        if self.every and turn.step % self.every == 0:
            return Answer([], ask=True)
        return turn.brief.action.noop()


class Uncalled(Asker):
    """Asks, and does not declare it."""

    reads = ("state",)
