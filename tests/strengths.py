"""Agents on toys whose strength can be chosen, or that look and act in unusual ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import toys

from harness.core import Agent, Answer, Turn


class Wanderer(toys.GoodAgent):
    """Goes to the goal and stays there, but for a share of random moves."""

    def __init__(self, epsilon: float) -> None:
        self.epsilon = epsilon

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [
            turn.brief.action.sample(turn.rng) if turn.rng.random() < self.epsilon else action
            for turn, action in zip(turns, super().act(turns))
        ]


class Toucher(Agent):
    """Reads any view lazily, touches the state alone, and sometimes answers two actions."""

    reads = ("*",)

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [self._one(turn) for turn in turns]

    def _one(self, turn: Turn) -> Any:
        point, goal = np.split(turn.observation["state"], 2)
        spec = turn.brief.action
        if turn.step % 3:
            return spec.sample(turn.rng)
        return Answer([toys.towards(spec, point, goal), spec.sample(turn.rng)])
