"""Atari with one action."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.core import Agent, Discrete, Turn

__all__ = ["Freeway"]


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
