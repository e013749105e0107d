"""Atari from the console's memory, the view `state`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.core import Agent, Discrete, Turn

__all__ = ["Freeway", "Pong"]

# Where Pong's console keeps these (AtariARI, arXiv 1906.08226); y grows downwards.
BALL_X, PADDLE_Y, BALL_Y = 49, 51, 54
MIDDLE = 7
"""From the upper end of the paddle, as the memory has it, to where the ball should meet it."""
WAITS = 120
"""Where the paddle waits while the ball goes away."""
AHEAD, GLIDES = 0.5, 0.6
"""Steps by which the ball's way is extended, and the paddle's: it goes on after a move."""
NEAR = 6


class Pong(Agent):
    """Keeps the paddle where the ball is about to be, and in the middle while the ball goes away.

    It wins or loses by a few points, as the ball comes; random play loses by 20.
    """

    reads = ("state",)
    history = 2

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The action of each turn: NOOP, RIGHT (up) or LEFT (down)."""
        return [self._action(turn) for turn in turns]

    def _action(self, turn: Turn) -> int:
        spec = turn.brief.action
        assert isinstance(spec, Discrete)
        off = ball_below(turn.observations)
        name = "NOOP" if abs(off) < NEAR else "LEFT" if off > 0 else "RIGHT"
        return spec.names.index(name)


def ball_below(observations: Sequence[Mapping[str, Any]]) -> float:
    """By how many lines the ball will be below the paddle, from the last two memories of Pong."""
    now = observations[-1]["state"].astype(np.int64)
    before = observations[0]["state"].astype(np.int64)
    if now[BALL_Y] == 0:  # no ball is in play
        return 0.0
    falls = now[BALL_Y] - before[BALL_Y] if before[BALL_Y] else 0
    comes = now[BALL_X] >= before[BALL_X]
    wanted = now[BALL_Y] + AHEAD * falls if comes else WAITS
    paddle = now[PADDLE_Y] + GLIDES * (now[PADDLE_Y] - before[PADDLE_Y])
    return float(wanted - MIDDLE - paddle)


class Freeway(Agent):
    """Goes up, whatever comes: a car only throws the chicken back a little."""

    reads = ()

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """UP, for each turn."""
        return [_named(turn, "UP") for turn in turns]


def _named(turn: Turn, name: str) -> int:
    spec = turn.brief.action
    assert isinstance(spec, Discrete)
    return spec.names.index(name)
