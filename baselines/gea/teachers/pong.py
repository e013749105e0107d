"""Two players of Pong that read the console's memory, the view `state`.

`Pong` plans over the lag of its paddle and wins. `PongFollower` looks one step ahead and loses a
little; it is the one that the included eyes learned from, and the easier one to learn from: what it
does follows from where things are, where the other one's pushes must come at the right step.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.core import Agent, Discrete, Turn

__all__ = ["Ball", "Pong", "PongFollower", "ball", "ball_below", "first_push", "paddle_ways"]

# Where Pong's console keeps these (AtariARI, arXiv 1906.08226); y grows downwards.
BALL_X, PADDLE_Y, BALL_Y = 49, 51, 54
LAG = np.array([10.0, 9.8, 2.3, 0.65])
"""Lines that a push of one step moves the paddle in that step and in the three after it: least
squares over 6,000 steps of random pushes."""
REACH = (38.0, 203.0)
"""Lines between which the paddle stays."""
COURT = (46.0, 206.0)
"""Lines at which the ball bounces."""
MEETS = 188
"""The ball's x where the paddle meets it."""
WAITS, PATIENCE = 120.0, 8.0
"""Where the ball is expected while it goes away, and in how many steps it will be back."""
PADDLE = (0.0, 14.0)
"""The ball's line at both ends of the paddle, from the paddle's: there it flies off steeply."""
MISSED = 10.0
"""How much worse a line outside of the paddle is than one inside."""
EFFORT = 0.3
"""Lines that a push must save: without it the paddle would never rest."""
AHEAD = 8
"""Steps that are foreseen."""
PUSHES = {-1: "RIGHT", 0: "NOOP", 1: "LEFT"}
"""Up, rest and down, by their actions."""
UP_OR_DOWN = {"RIGHT": -1, "RIGHTFIRE": -1, "LEFT": 1, "LEFTFIRE": 1}
PLANS = np.array(list(itertools.product((0, -1, 1), repeat=4)))
"""Pushes of the next four steps; after them the paddle is let go."""


class Pong(Agent):
    """Takes the push that begins the best plan: the ball is to meet an end of the paddle.

    A push goes on to move the paddle in the three steps after it, so where the paddle will be
    follows from the last pushes, too, whoever made them.
    """

    reads = ("state",)
    history = 4

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The action of each turn: NOOP, RIGHT (up) or LEFT (down)."""
        return [self._action(turn) for turn in turns]

    def _action(self, turn: Turn) -> int:
        spec = turn.brief.action
        assert isinstance(spec, Discrete)
        if len(turn.observations) < 2:  # how the ball moves is in no single memory
            return spec.names.index(PUSHES[0])
        before, now = (each["state"].astype(int) for each in turn.observations[-2:])
        pushed = [UP_OR_DOWN.get(spec.names[int(each)], 0) for each in turn.actions]
        push = first_push(ball(before, now), float(now[PADDLE_Y]), pushed)
        return spec.names.index(PUSHES[push])


Ball = tuple[float, float, bool]
"""Where the ball will meet the paddle's column: its line, in how many steps, and whether it is on
its way there."""


def ball(before: np.ndarray, now: np.ndarray) -> Ball:
    """What the ball will do, from two memories, int (128,), that follow one another."""
    falls, comes = now[BALL_Y] - before[BALL_Y], now[BALL_X] - before[BALL_X]
    if comes <= 0 or not now[BALL_Y] or not before[BALL_Y]:  # line 0: no ball is in play
        return WAITS, PATIENCE, False
    steps = max((MEETS - now[BALL_X]) / comes, 1.0)
    top, bottom = COURT
    span = bottom - top
    way = (now[BALL_Y] + falls * steps - top) % (2 * span)
    return top + min(way, 2 * span - way), steps, True


def paddle_ways(paddle: float, pushed: Sequence[int]) -> np.ndarray:
    """The paddle's line now and in each of the next AHEAD steps by each plan.

    `pushed`: up to three last pushes, -1, 0 or 1, the newest last. Returns (AHEAD + 1, plans).
    """
    memory = len(LAG) - 1
    last = ([0] * memory + list(pushed))[-memory:]
    rest = AHEAD - PLANS.shape[1]
    pushes = np.hstack([np.tile(last, (len(PLANS), 1)), PLANS, np.zeros((len(PLANS), rest))])
    ways = [np.full(len(PLANS), paddle)]
    for step in range(AHEAD):
        moved = pushes[:, step : step + memory + 1] @ LAG[::-1]
        ways.append(np.clip(ways[-1] + moved, *REACH))
    return np.stack(ways)


def first_push(ball: Ball, paddle: float, pushed: Sequence[int]) -> int:
    """-1 (up), 0 or 1 (down): how the best plan begins, with the paddle at this line."""
    line, steps, comes = ball
    whole = min(int(steps), AHEAD - 1)
    part = min(steps, AHEAD) - whole
    ways = paddle_ways(paddle, pushed)
    off = line - (ways[whole] * (1 - part) + ways[whole + 1] * part)
    low, high = PADDLE
    if comes:
        outside = np.maximum(0, np.maximum(low - off, off - high))
        cost = MISSED * outside + np.minimum(abs(off - low), abs(off - high))
    else:
        cost = abs(off)
    return int(PLANS[np.argmin(cost + EFFORT * abs(PLANS).sum(1))][0])


MIDDLE = 7
"""From the upper end of the paddle, as the memory has it, to where the ball should meet it."""
AHEAD_OF_BALL, GLIDES = 0.5, 0.6
"""Steps by which the ball's way is extended, and the paddle's: it goes on after a push."""
NEAR = 6


class PongFollower(Agent):
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
        return spec.names.index(PUSHES[0 if abs(off) < NEAR else 1 if off > 0 else -1])


def ball_below(observations: Sequence[Mapping[str, Any]]) -> float:
    """By how many lines the ball will be below the paddle, from the last two memories of Pong."""
    before, now = (observations[at]["state"].astype(int) for at in (0, -1))
    if now[BALL_Y] == 0:  # no ball is in play
        return 0.0
    falls = now[BALL_Y] - before[BALL_Y] if before[BALL_Y] else 0
    comes = now[BALL_X] >= before[BALL_X]
    wanted = now[BALL_Y] + AHEAD_OF_BALL * falls if comes else WAITS
    paddle = now[PADDLE_Y] + GLIDES * (now[PADDLE_Y] - before[PADDLE_Y])
    return float(wanted - MIDDLE - paddle)
