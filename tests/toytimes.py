"""Agents for tests of latency."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import toys

from harness.core import Agent, Answer, Turn

HZ = 10.0


class Counting(Agent):
    """Answers `chunk` actions, 1, 2, 3, 4 over and over, of which `rest` are only spare ones."""

    def __init__(self, chunk: int = 1, rest: int = 0) -> None:
        self.chunk, self.rest = chunk, rest

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return [self._one(turn.memory or 0) for turn in turns]

    def _one(self, count: int) -> Answer:
        actions = [1 + (count + each) % 4 for each in range(self.chunk + self.rest)]
        head, rest = actions[: self.chunk], actions[self.chunk :]
        return Answer(head, count + self.chunk, rest)


class Slow(toys.RandomAgent):
    """Takes the time that a control period lasts, and a little more."""

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        time.sleep(1.2 / HZ)
        return super().act(turns)


class Modelled(toys.RandomAgent):
    """Holds a small torch model, twice, inside a list."""

    def __init__(self) -> None:
        import torch

        model = torch.nn.Linear(10, 5)
        self.parts = {"policy": [model], "again": model}


class ServedModelled(Modelled):
    """The same, as one instance for all workers."""

    served = True
