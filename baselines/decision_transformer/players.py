"""An agent of several strengths, to record what a decision transformer learns from.

It is named by its entry: `--agent baselines.decision_transformer.players:LinearPolicy`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from baselines.decision_transformer.search import Checkpoint
from harness.core import Agent, Box, Turn, UserError

__all__ = ["LinearPolicy"]


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
