"""Agents of several strengths, to record what a decision transformer learns from.

They are named by their entry: `--agent baselines.decision_transformer.players:LinearPolicy`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from baselines.decision_transformer.search import Checkpoint
from harness.core import Agent, Box, Turn, UserError

__all__ = ["LinearPolicy", "Paddle"]

# Where Breakout's console keeps these (AtariARI, arXiv 1906.08226).
PADDLE_X, BALL_X, BALL_Y = 72, 99, 101
HALF_PADDLE = 8
STAY, FIRE, RIGHT, LEFT = range(4)


class LinearPolicy(Agent):
    """A matrix on the standardised state, as baselines/decision_transformer/search.py finds it.

    `policy`: a checkpoint of it. `noise`: the standard deviation of what is added to each element
    of the action, so that recordings show more than one way.
    """

    reads = ("state",)

    def __init__(self, policy: str, noise: float = 0.0) -> None:
        """Raises UserError when there is no such checkpoint, or the noise is no number >= 0."""
        if not 0 <= noise < math.inf:
            raise UserError(f"noise is a standard deviation, 0 or more; got {noise}")
        self._policy, self._noise = Checkpoint.load(policy), noise

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The action of each turn, clipped to its bounds."""
        return [self._action(turn) for turn in turns]

    def _action(self, turn: Turn) -> np.ndarray:
        spec = turn.brief.action
        assert isinstance(spec, Box)
        action = self._policy.act(np.asarray(turn.observation["state"], np.float64))
        action = action + self._noise * turn.rng.standard_normal(action.shape)
        low, high = spec.bounds()
        clipped: np.ndarray = np.clip(action, low, high).astype(spec.dtype)
        return clipped


class Paddle(Agent):
    """Breakout from the console's memory, `obs_type=ram`: keeps the paddle below the ball.

    Privileged. `epsilon`: the share of actions that are drawn at random instead.
    """

    reads = ("state",)

    def __init__(self, epsilon: float = 0.0) -> None:
        """Raises UserError unless 0 <= epsilon <= 1."""
        if not 0 <= epsilon <= 1:
            raise UserError(f"epsilon is a share of actions, from 0 to 1; got {epsilon}")
        self._epsilon = epsilon

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The action of each turn: nothing, fire, right or left."""
        return [self._action(turn) for turn in turns]

    def _action(self, turn: Turn) -> int:
        if turn.rng.random() < self._epsilon:
            return int(turn.rng.integers(4))
        memory = turn.observation["state"]
        if memory[BALL_Y] == 0:  # no ball is in play
            return FIRE
        off = int(memory[BALL_X]) - int(memory[PADDLE_X]) - HALF_PADDLE
        if abs(off) < HALF_PADDLE // 2:
            return STAY
        return RIGHT if off > 0 else LEFT
