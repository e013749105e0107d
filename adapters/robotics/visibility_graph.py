"""Shortest ways through a maze of square cells: a visibility graph between the corners of its walls.

The centre of the maze is at 0, 0. A shortest way among polygons bends at their corners only (Lozano-Perez and Wesley 1979). The walls
are grown by `clearance`, the radius of the body that walks, with square corners: a way that turns a corner by 90 degrees is 2 - pi/2 =
0.43 clearances longer than round a rounded one, the others by less.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["Ways"]

TOUCH = 1e-9
"""A way may touch a wall: walls are open sets, smaller by this (m)."""


class Ways:
    """The ways of a body of radius `clearance` (m) through `walls`: rows of cells of `size` m, row 0 at the largest y."""

    def __init__(self, walls: Sequence[Sequence[bool]], size: float, clearance: float) -> None:
        wall = np.asarray(walls, bool)
        rows, columns = wall.shape
        left, top = -columns / 2 * size, rows / 2 * size
        boxes = []
        for row in range(rows):  # a run of wall cells is one box
            edges = np.flatnonzero(np.diff(np.r_[False, wall[row], False]))
            for start, end in edges.reshape(-1, 2):
                boxes.append(
                    (
                        left + start * size,
                        top - (row + 1) * size,
                        left + end * size,
                        top - row * size,
                    )
                )
        grown = np.array(boxes) + clearance * np.array([-1, -1, 1, 1])
        self._low, self._high = grown[:, :2] + TOUCH, grown[:, 2:] - TOUCH
        corners = []
        for row in range(1, rows):
            for column in range(1, columns):
                around = np.argwhere(wall[row - 1 : row + 1, column - 1 : column + 1])
                if (
                    len(around) == 1
                ):  # a corner that sticks out; away from it is where the wall is not
                    down, right = around[0]
                    away = np.array([1 - 2 * right, 2 * down - 1])
                    corners.append((left + column * size, top - row * size) + clearance * away)
        self._corners = np.array(corners, np.float64).reshape(-1, 2)
        self._between = self._distances(self._corners, self._corners)
        for middle in range(len(corners)):  # Floyd and Warshall
            self._between = np.minimum(
                self._between, self._between[:, middle, None] + self._between[None, middle]
            )

    def _distances(self, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """(n, m) straight distances (m) between (n, 2) and (m, 2) points; infinite through a wall."""
        step = ends[None] - starts[:, None]
        divisor = np.where(np.abs(step) < 1e-12, 1e-12, step)[:, :, None]
        one, other = (
            (self._low - starts[:, None, None]) / divisor,
            (self._high - starts[:, None, None]) / divisor,
        )
        enters, leaves = np.minimum(one, other).max(-1), np.maximum(one, other).min(-1)
        blocked = (np.maximum(enters, 0.0) < np.minimum(leaves, 1.0)).any(-1)
        return np.where(blocked, np.inf, np.hypot(step[..., 0], step[..., 1]))

    def outside(self, point: np.ndarray) -> np.ndarray:
        """`point` (2,), or the nearest point outside the grown walls where it is inside one."""
        for _ in range(2):  # out of one wall may be into its neighbour
            inside = np.flatnonzero(((point > self._low) & (point < self._high)).all(1))
            if not inside.size:
                break
            low, high = self._low[inside[0]] - TOUCH, self._high[inside[0]] + TOUCH
            moves = [
                (high[0] - point[0], 0),
                (low[0] - point[0], 0),
                (high[1] - point[1], 1),
                (low[1] - point[1], 1),
            ]
            point = point.copy()
            for move, axis in sorted(moves, key=lambda move: abs(move[0])):
                there = point.copy()
                there[axis] += move
                if not ((there > self._low) & (there < self._high)).all(1).any():
                    point = there
                    break
        return point

    def field(self, goal: np.ndarray) -> np.ndarray:
        """The distance (m) from every corner to `goal` (2,): what `way` asks for; infinite where there is no way."""
        if not len(self._corners):
            return np.empty(0)
        return (self._between + self._distances(goal[None], self._corners)).min(1)

    def way(
        self, start: np.ndarray, goal: np.ndarray, field: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """The length (m) of the shortest way from `start` (2,) to `goal`, infinite if there is none, and the first point to head for."""
        lengths = (
            self._distances(start[None], np.concatenate([goal[None], self._corners]))[0]
            + np.r_[0.0, field]
        )
        first = int(lengths.argmin())
        return float(lengths[first]), self._corners[first - 1] if first else goal
