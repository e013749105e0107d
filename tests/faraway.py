"""Agents for the tests of another interpreter: what they keep, answer and raise is awkward."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.core import Agent, AgentUnavailable, Answer, Brief, Discrete, Missing, Turn


class Keeper(Agent):
    """Remembers what cannot pass to another process, and samples by it and by what it sees."""

    reads = ("image?", "state?", "grid?", "direction?")
    history = 2

    def __init__(self, chunk: int = 2) -> None:
        self.chunk = chunk
        self.ended: list[str] = []

    def act(self, turns: Sequence[Turn]) -> Any:
        return tuple(self._answer(turn) for turn in turns)

    def _answer(self, turn: Turn) -> Answer:
        count = 0 if turn.memory is None else turn.memory()
        seen = sum(
            int(np.sum(np.asarray(view, np.float64) * 1000)) & 0xFFFF
            for observation in turn.observations
            for view in observation.values()
        )
        rng = np.random.default_rng([seen, count, int(turn.rng.integers(1 << 30))])
        actions = (turn.brief.action.sample(rng) for _ in range(self.chunk))
        said = f"step {turn.step}"
        return Answer(
            actions, lambda: count + 1, figures={"requests": 1.0}, said=said, confidence=0.5
        )

    def embed(self, texts: Sequence[str]) -> Any:
        return Tensor([[float(len(text)), 1.0] for text in texts])

    def end(self, episodes: Iterable[str]) -> None:
        self.ended += episodes


class Tensor:
    """Like a tensor, an array in all but its type."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(self._value, dtype)


class Awkward(Agent):
    """`how` says what it does instead of a plain answer."""

    def __init__(self, how: str, folder: str = "") -> None:
        self.how = how
        self.folder = folder
        if how == "unbuildable":
            raise RuntimeError("the weights are torn")

    def act(self, turns: Sequence[Turn]) -> Any:
        return [self._answer(turn) for turn in turns]

    def _answer(self, turn: Turn) -> Any:
        action = turn.brief.action.noop()
        if self.how == "tensor":
            return Tensor(action)
        if self.how == "object":
            return object()
        if self.how == "raises" and turn.step == 1:
            raise ValueError("it slipped")
        if self.how == "unavailable":
            raise AgentUnavailable("nobody answers")
        if self.how == "exits" and turn.step == 1:
            os._exit(3)
        if self.how == "exits once" and turn.step == 1 and self._first("exited"):
            os._exit(3)
        if self.how == "forgets" and turn.step == 1 and self._first("exited"):
            os._exit(3)
        if self.how == "sleeps":
            time.sleep(60)
        return Answer([action], memory=object()) if self.how == "forgets" else action

    def _first(self, name: str) -> bool:
        file = Path(self.folder, name)
        there = file.exists()
        file.touch()
        return not there


class Served(Keeper):
    """One for all workers."""

    served = True


class Picky(Keeper):
    """Plays only tasks with as many choices as it is told."""

    @classmethod
    def unfit(cls, arguments: Mapping[str, Any], brief: Brief) -> Missing | None:
        choices = brief.action.n if isinstance(brief.action, Discrete) else 0
        if choices == arguments["chunk"]:
            return None
        return Missing(f"it has {choices} choices", "play another task")


class Everything(Keeper):
    """Reads all views on offer, of the newest observation; of those in a chunk it saw none."""

    reads = ("*",)

    def _answer(self, turn: Turn) -> Answer:
        newest = {
            name: view for name, view in turn.observation.items() if isinstance(view, np.ndarray)
        }
        return super()._answer(dataclasses.replace(turn, observations=(newest,)))
