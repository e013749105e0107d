"""Reference agents for every table: chance, no action at all, and the expert."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.core import Agent, Turn, UserError

__all__ = ["NoisyOracle", "Noop", "Oracle", "Uniform"]


class Uniform(Agent):
    """Samples the action space and ignores all observations.

    Numbers are uniform within their bounds; every discrete choice has the same probability.
    """

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """One sample per turn, drawn from the turn's own generator."""
        return [turn.brief.action.sample(turn.rng) for turn in turns]


class Noop(Agent):
    """The null agent: always plays the no-op. It costs nothing, so it measures the harness."""

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The no-op of each turn's action space."""
        return [turn.brief.action.noop() for turn in turns]


class Oracle(Agent):
    """Privileged: plays the expert's action.

    Once the expert has given up, it plays the no-op until the episode ends.
    """

    reads = ("expert",)

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The expert's action, or the no-op where there is none."""
        return [turn.brief.action.noop() if turn.expert is None else turn.expert for turn in turns]


class NoisyOracle(Oracle):
    """The oracle, with each action replaced by a random one with probability `epsilon`.

    An agent that is known to be worse, to try a gate with.
    """

    def __init__(self, epsilon: float = 0.15) -> None:
        """Raises UserError unless 0 <= epsilon <= 1."""
        if not 0 <= epsilon <= 1:
            raise UserError(f"epsilon is a share of actions, from 0 to 1; got {epsilon}")
        self._epsilon = epsilon

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The expert's action, or a uniform sample with probability `epsilon`."""
        played = super().act(turns)
        return [
            t.brief.action.sample(t.rng) if t.rng.random() < self._epsilon else action
            for t, action in zip(turns, played)
        ]
