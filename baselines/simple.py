"""The agents that every table needs beside it: chance, nothing, and the best that is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.core import Agent, Turn

__all__ = ["Noop", "Oracle", "Uniform"]


class Uniform(Agent):
    """Samples the action spec: uniform within bounds, each choice with the same probability. It looks at nothing."""

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """One sample a turn, from the turn's own generator."""
        return [turn.brief.action.sample(turn.rng) for turn in turns]


class Noop(Agent):
    """Does nothing, at no cost: the null agent, to measure the harness with."""

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The action that does nothing."""
        return [turn.brief.action.nothing() for turn in turns]


class Oracle(Agent):
    """Plays the expert's action, which it alone is shown; where the expert has given up it does nothing until the episode ends."""

    reads = ("expert",)

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The expert's action."""
        return [turn.brief.action.nothing() if turn.expert is None else turn.expert for turn in turns]
