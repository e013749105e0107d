"""Agents that solve MiniGrid's Memory levels as far as they remember: planted truth for a probe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from harness.core import Agent, Answer, Turn

RIGHT, DOWN, LEFT, UP = range(4)
TURN_LEFT, TURN_RIGHT, FORWARD = range(3)
KEY, BALL = 5, 6


def _thing(cell: np.ndarray) -> int:
    """KEY or BALL, or 0."""
    return int(cell[0]) if cell[0] in (KEY, BALL) else 0


def cue_in(seen: Mapping[str, Any]) -> int:
    """The cue in sight, or its double in the wall ahead of the junction: KEY, BALL or 0."""
    grid, direction = seen["grid"], seen["direction"]
    if direction == LEFT:
        # The cue stands one cell north of the middle, and north is at the right hand here.
        return max(_thing(cell) for cell in grid[4])
    if direction == RIGHT:
        return max(_thing(cell) for cell in grid[3])
    return _thing(grid[4 if direction == UP else 2, 6])


def step_with(seen: Mapping[str, Any], cue: int) -> int:
    """Where to go, seeing this and knowing that cue (0: none).

    To the junction, from there back until the cue is seen, and to the junction again.
    """
    grid, direction = seen["grid"], seen["direction"]
    if direction == RIGHT:
        north, south = _thing(grid[1, 6]), _thing(grid[5, 6])
        if not (north and south):
            return FORWARD
        return TURN_RIGHT if cue == south else TURN_LEFT
    if direction == LEFT:
        return TURN_RIGHT if cue else FORWARD
    if direction == UP:
        ahead = _thing(grid[3, 4])
        if cue and ahead == cue:
            return FORWARD
        return TURN_RIGHT if cue else TURN_LEFT
    return FORWARD if cue and _thing(grid[3, 4]) == cue else TURN_RIGHT


class Looks(Agent):
    """Knows the newest cue among its last `context` observations, and nothing else."""

    reads = ("grid", "direction")

    def __init__(self, context: int = 64) -> None:
        self.history = context  # type: ignore[misc]

    @classmethod
    def declares(cls, arguments: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
        return cls.reads, arguments.get("context", 64)

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [
            step_with(
                turn.observation,
                next(filter(None, map(cue_in, reversed(turn.observations))), 0),
            )
            for turn in turns
        ]


class Remembers(Agent):
    """Carries the newest cue from answer to answer."""

    reads: ClassVar[tuple[str, ...]] = ("grid", "direction")

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        answers = []
        for turn in turns:
            cue = cue_in(turn.observation) or turn.memory or 0
            answers.append(Answer([step_with(turn.observation, cue)], memory=cue))
        return answers


class Forgets(Looks):
    """Knows what it sees now, whatever its context is."""

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [step_with(turn.observation, cue_in(turn.observation)) for turn in turns]


class ReadsAll(Remembers):
    """Touches whatever it wants to."""

    reads: ClassVar[tuple[str, ...]] = ("*",)
