"""Agents that tell embeddings of which it is known how they are made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from harness.core import Agent, Turn


class Words(Agent):
    """The expert, who knows of an instruction which words it has; untrained it knows no word."""

    reads: ClassVar[tuple[str, ...]] = ("expert",)

    def __init__(self, untrained: bool = False) -> None:
        self._untrained = untrained

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [turn.expert for turn in turns]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([self._one(text) for text in texts])

    def _one(self, text: str) -> np.ndarray:
        words = re.findall(r"\w+", text.lower())
        seeds = [[*text.encode()]] if self._untrained else [[*each.encode()] for each in words]
        return np.sum([np.random.default_rng(each).normal(size=96) for each in seeds], axis=0)


class Idle(Words):
    """Knows the words, and does nothing."""

    reads = ()

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [turn.brief.action.noop() for turn in turns]


class Mute(Agent):
    """Has no embeddings."""

    reads = ("expert",)

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [turn.expert for turn in turns]
