"""Procgen's maze from its picture alone: the way to the cheese by breadth-first search."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.core import Agent, Discrete, Turn

__all__ = ["Maze", "first_move", "read_maze"]

CELLS = 15
"""The easy levels show 15 x 15 cells; smaller mazes have walls around them."""
WALL = np.array([196.0, 145.0, 97.0])
"""The mean colour of a wall, the same in all levels; that of the ways differs by level."""
AS_WALL = 22.0
"""How far from WALL, in RGB, the mean colour of a cell of wall can be."""
MOVES = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}

Cell = tuple[int, int]
"""(row, column), from the upper left."""


class Maze(Agent):
    """Walks the shortest way to the cheese.

    It reads each picture anew, so it also finds back after a wrong step. Where it does not find the
    mouse, the cheese or a way, it does nothing. It knows the picture of easy mode only.
    """

    reads = ("image",)

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The action of each turn: a direction, or nothing."""
        return [self._action(turn) for turn in turns]

    def _action(self, turn: Turn) -> int:
        spec = turn.brief.action
        assert isinstance(spec, Discrete)
        return spec.names.index(first_move(*read_maze(turn.observation["image"])))


def read_maze(image: np.ndarray) -> tuple[np.ndarray, Cell | None, Cell | None]:
    """Which cells are free, bool (15, 15), and where the mouse and the cheese are; None: not seen.

    image: uint8 (64, 64, 3), RGB.
    """
    pixels = image.astype(np.float64)
    middles = ((np.arange(CELLS) + 0.5) * image.shape[0] / CELLS).astype(int)
    around = (middles[:, None] + np.arange(-1, 2)).ravel()
    blocks = pixels[around][:, around].reshape(CELLS, 3, CELLS, 3, 3)
    free = np.linalg.norm(blocks.mean((1, 3)) - WALL, axis=-1) > AS_WALL
    red, blue = blocks[..., 0], blocks[..., 2]
    pale = (blocks.min(-1) > 150) & (blocks.max(-1) - blocks.min(-1) < 40)
    orange = (red > 225) & (red - blue > 130)
    mouse, cheese = _where(pale), _where(orange)
    for cell in (mouse, cheese):
        if cell is not None:
            free[cell] = True
    return free, mouse, cheese


def _where(mask: np.ndarray) -> Cell | None:
    """The cell with most of these pixels, of a mask (15, 3, 15, 3); None where there are none."""
    counts = mask.sum((1, 3))
    row, column = np.unravel_index(counts.argmax(), counts.shape)
    return (int(row), int(column)) if counts.any() else None


def first_move(free: np.ndarray, start: Cell | None, goal: Cell | None) -> str:
    """The first move of a shortest way through free cells; `nothing` where there is none."""
    if start is None or goal is None:
        return "nothing"
    seen, ahead = {goal}, deque([goal])
    while ahead:  # from the goal, so that the cell that reaches the start is the first step
        row, column = ahead.popleft()
        for name, (down, right) in MOVES.items():
            cell = (row - down, column - right)
            if cell == start:
                return name
            inside = 0 <= cell[0] < len(free) and 0 <= cell[1] < len(free)
            if inside and cell not in seen and free[cell]:
                seen.add(cell)
                ahead.append(cell)
    return "nothing"
