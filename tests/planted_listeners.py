"""Agents for BabyAI's rooms that listen to their instruction in known ways.

All declare the same views and go to what they seek by a shortest way over what they see; they
differ in what they seek alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.core import Agent, Case, Task, Turn
from harness.records.registry import load

COLOURS = ("red", "green", "blue", "purple", "yellow", "grey")
TYPES = {"door": 4, "key": 5, "ball": 6, "box": 7}
EMPTY = 1
LEFT, RIGHT, FORWARD, DONE = 0, 1, 2, 6
START = (3, 6, 0)
AHEAD = ((0, -1), (1, 0), (0, 1), (-1, 0))
"""By direction in the view: away from the agent, right, back, left."""


class Follows(Agent):
    """Seeks what its instruction names."""

    reads = ("grid", "direction")

    def act(self, turns: Sequence[Turn]) -> list[int]:
        return [self._one(turn) for turn in turns]

    def _one(self, turn: Turn) -> int:
        grid = turn.observation["grid"]
        way = _way(grid, self.sought(turn, grid))
        if way is not None:
            return way
        free = grid[3, 5, 0] == EMPTY
        return FORWARD if free and turn.rng.random() < 0.5 else LEFT

    def sought(self, turn: Turn, grid: np.ndarray) -> np.ndarray:
        """Which cells of the view it seeks, bool (7, 7)."""
        return _named(turn.instruction, grid, colour=True)


class ColourBlind(Follows):
    """Seeks the type that its instruction names, in any colour."""

    def sought(self, turn: Turn, grid: np.ndarray) -> np.ndarray:
        return _named(turn.instruction, grid, colour=False)


class Deaf(Follows):
    """Seeks whatever is nearest."""

    def sought(self, turn: Turn, grid: np.ndarray) -> np.ndarray:
        return np.isin(grid[..., 0], [*TYPES.values()])


class SaysDone(Follows):
    """Seeks what its instruction names, and says `done` before it, as MiniGrid's own levels ask."""

    def _one(self, turn: Turn) -> int:
        grid = turn.observation["grid"]
        return DONE if self.sought(turn, grid)[3, 5] else super()._one(turn)


class DeafSaysDone(SaysDone):
    """Seeks whatever is nearest."""

    def sought(self, turn: Turn, grid: np.ndarray) -> np.ndarray:
        return np.isin(grid[..., 0], [*TYPES.values()])


class Memorises(Follows):
    """Seeks what was asked for at this start when it learned it, whatever it is told now."""

    learned: Mapping[bytes, str] = {}
    """The first view of a start -> the instruction."""

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        from harness.core import Answer

        answers = []
        for turn in turns:
            said = turn.memory or self.learned[_view(turn.observation)]
            grid = turn.observation["grid"]
            way = _way(grid, _named(said, grid, colour=True))
            answers.append(Answer([LEFT if way is None else way], memory=said))
        return answers


def learn(task: Task, seeds: Sequence[int]) -> dict[bytes, str]:
    """What Memorises learned of these episodes."""
    adapter = load(task.adapter)(task)
    found = {}
    for seed in seeds:
        first = adapter.reset(Case(task, seed))
        found[_view({view: first.observation[view]() for view in Follows.reads})] = (
            first.instruction
        )
    adapter.close()
    return found


def _view(observation: Mapping[str, Any]) -> bytes:
    return bytes(observation["grid"].tobytes() + bytes([observation["direction"]]))


def _named(instruction: str, grid: np.ndarray, *, colour: bool) -> np.ndarray:
    words = instruction.split()
    kinds = [code for name, code in TYPES.items() if name in words] or [*TYPES.values()]
    found = np.isin(grid[..., 0], kinds)
    colours = [code for code, name in enumerate(COLOURS) if name in words]
    return found & np.isin(grid[..., 1], colours) if colour and colours else found


def _way(grid: np.ndarray, sought: np.ndarray) -> int | None:
    """The first action of a shortest way to stand before a sought cell; None: none is seen."""
    waiting, known = deque([(START, -1)]), {START}
    while waiting:
        (x, y, facing), first = waiting.popleft()
        ahead = x + AHEAD[facing][0], y + AHEAD[facing][1]
        inside = 0 <= ahead[0] < 7 and 0 <= ahead[1] < 7
        if inside and sought[ahead]:
            return FORWARD if first < 0 else first
        for action, place in (
            (FORWARD, (*ahead, facing)),
            (LEFT, (x, y, (facing - 1) % 4)),
            (RIGHT, (x, y, (facing + 1) % 4)),
        ):
            free = action != FORWARD or (inside and grid[ahead][0] == EMPTY)
            if free and place not in known:
                known.add(place)
                waiting.append((place, action if first < 0 else first))
    return None
