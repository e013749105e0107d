"""The agents that every table needs beside it: chance, nothing, and the best that is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.core import Agent, Turn, UserError

__all__ = ["NoisyOracle", "Noop", "Oracle", "Uniform"]


class Uniform(Agent):
    """Samples the action spec: uniform within bounds, each choice with the same probability. It looks at nothing."""

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """One sample a turn, from the turn's own generator."""
        return [turn.brief.action.sample(turn.rng) for turn in turns]


class Noop(Agent):
    """Does nothing, at no cost: the null agent, to measure the harness with."""

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The action that does nothing."""
        return [turn.brief.action.noop() for turn in turns]


class Oracle(Agent):
    """Plays the expert's action, which it alone is shown; where the expert has given up it does nothing until the episode ends."""

    reads = ("expert",)

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The expert's action."""
        return [
            turn.brief.action.noop() if turn.expert is None else turn.expert for turn in turns
        ]


class NoisyOracle(Oracle):
    """The oracle with a share `epsilon` of its actions drawn at random instead: an agent that is known to be worse, to try a gate with."""

    def __init__(self, epsilon: float = 0.15) -> None:
        """Raises UserError unless 0 <= epsilon <= 1."""
        if not 0 <= epsilon <= 1:
            raise UserError(f"epsilon is a share of actions, from 0 to 1; got {epsilon}")
        self._epsilon = epsilon

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The expert's action, or a sample."""
        played = super().act(turns)
        return [
            t.brief.action.sample(t.rng) if t.rng.random() < self._epsilon else action
            for t, action in zip(turns, played)
        ]
