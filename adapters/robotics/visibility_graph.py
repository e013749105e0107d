"""Shortest paths through a maze of square cells: a visibility graph between its wall corners.

A shortest path among polygons bends at their corners only (Lozano-Perez and Wesley 1979). The walls
are grown by `clearance`, the radius of the body that moves, with square corners: that makes a path
that turns a corner by 90 degrees 2 - pi/2 = 0.43 clearances longer than rounded corners would, and
other paths by less.

Unlike the grid of adapters/_geodesics.py this is exact, but it knows walls of square cells only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["VisibilityGraph"]

TOUCH = 1e-9
"""A path may touch a wall: walls are open sets, smaller by this (m)."""


class VisibilityGraph:
    """The free space of a body in a maze, and the shortest paths through it.

    World frame: the centre of the maze is at (0, 0), x points along rows, y from the last row to
    the first. Points are float64 (2,), m.
    """

    def __init__(self, walls: Sequence[Sequence[bool]], size: float, clearance: float) -> None:
        """`walls` holds rows of cells, `size` is their side (m), `clearance` the body's radius (m).

        Row 0 is at the largest y.
        """
        wall = np.asarray(walls, bool)
        rows, columns = wall.shape
        left, top = -columns / 2 * size, rows / 2 * size
        boxes = []
        for row in range(rows):
            # A run of wall cells in a row is one box.
            edges = np.flatnonzero(np.diff(np.r_[False, wall[row], False]))
            for start, end in edges.reshape(-1, 2):
                x, y = left + start * size, top - (row + 1) * size
                boxes.append((x, y, left + end * size, top - row * size))
        grown = np.array(boxes) + clearance * np.array([-1, -1, 1, 1])
        self._low, self._high = grown[:, :2] + TOUCH, grown[:, 2:] - TOUCH
        corners = []
        for row in range(1, rows):
            for column in range(1, columns):
                around = np.argwhere(wall[row - 1 : row + 1, column - 1 : column + 1])
                # One wall cell of four is a convex corner; the body passes it on the other side.
                if len(around) == 1:
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
        """Straight distances (m), (n, m), between points (n, 2) and (m, 2); inf through a wall.

        A segment crosses a box if the intervals in which it lies between the box's sides, one per
        axis, overlap within 0..1 of its length (the slab method).
        """
        step = ends[None] - starts[:, None]
        divisor = np.where(np.abs(step) < 1e-12, 1e-12, step)[:, :, None]
        one = (self._low - starts[:, None, None]) / divisor
        other = (self._high - starts[:, None, None]) / divisor
        enters, leaves = np.minimum(one, other).max(-1), np.maximum(one, other).min(-1)
        blocked = (np.maximum(enters, 0.0) < np.minimum(leaves, 1.0)).any(-1)
        return np.where(blocked, np.inf, np.hypot(step[..., 0], step[..., 1]))

    def push_out(self, point: np.ndarray) -> np.ndarray:
        """`point`, or the nearest point outside the grown walls where it is inside one."""
        for _ in range(2):  # leaving one wall may lead into its neighbour
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

    def distances_to(self, goal: np.ndarray) -> np.ndarray:
        """The distance (m) from every corner to `goal`, float64 (n,); inf where there is no path.

        `shortest_path` takes it, so that it is computed once per goal.
        """
        if not len(self._corners):
            return np.empty(0)
        by_corner = self._between + self._distances(goal[None], self._corners)
        distances: np.ndarray = by_corner.min(1)
        return distances

    def shortest_path(
        self, start: np.ndarray, goal: np.ndarray, distances: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """(length in m, first point to head for) of the shortest path from `start` to `goal`.

        `distances` are `distances_to(goal)`. The length is infinite where there is no path; the
        point is `goal` itself, the same object, where the straight way is free.
        """
        lengths = (
            self._distances(start[None], np.concatenate([goal[None], self._corners]))[0]
            + np.r_[0.0, distances]
        )
        first = int(lengths.argmin())
        return float(lengths[first]), self._corners[first - 1] if first else goal
