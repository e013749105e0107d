"""Shortest paths of a disc among walls and discs on a flat floor: the geodesic distance that SPL needs, and that an expert descends.

A grid of 0.1 m with 32 directions gives the distance from every place to the goal (at most 1.3 % too long by its directions, plus some
centimetres by its cells). The way along it, pulled taut wherever nothing stands between two of its points, is the shortest path, to some
centimetres. Lengths are in metres, places are (x, z) on the floor.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np

__all__ = ["Field", "Floor"]

CELL = 0.1
"""m"""
MOVES = (
    (1, 0),
    (0, 1),
    (1, 1),
    (1, -1),
    (1, 2),
    (2, 1),
    (1, -2),
    (2, -1),
    (1, 3),
    (3, 1),
    (1, -3),
    (3, -1),
    (2, 3),
    (3, 2),
    (2, -3),
    (3, -2),
)
"""Half of the 32 directions, in cells; the graph goes both ways."""
SLACK = 1e-6


class Floor:
    """Where the centre of a disc of `radius` may be: at least that far from every wall (m, 2, 2) [wall, end, (x, z)] and, for each of
    `discs` (x, z, distance), at least `distance` from its centre; and where `allowed` (points (n, 2) -> bool (n,)) says so. Metres."""

    def __init__(
        self,
        walls: np.ndarray,
        discs: Sequence[tuple[float, float, float]],
        radius: float,
        bounds: tuple[float, float, float, float],
        allowed: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        """`bounds` are the least and greatest x, then z, of interest."""
        self._walls, self._radius, self._allowed = walls, radius, allowed
        self._discs = np.asarray(discs, float).reshape(-1, 3)
        self._x, self._z = bounds[0], bounds[2]
        self._shape = tuple(int((high - low) / CELL) + 2 for low, high in (bounds[:2], bounds[2:]))
        self._free = self._rasterise()

    def field(self, goal: tuple[float, float], reach: float) -> Field:
        """The distances to the disc of `reach` around `goal`."""
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import dijkstra

        rows, columns = np.nonzero(self._free)
        number = np.full(self._shape, -1, np.int32)
        number[rows, columns] = np.arange(len(rows))
        ends: list[np.ndarray] = []
        lengths: list[np.ndarray] = []
        for di, dj in MOVES:
            i, j = rows + di, columns + dj
            inside = (i < self._shape[0]) & (j >= 0) & (j < self._shape[1])
            here = np.nonzero(inside)[0]
            there = number[i[here], j[here]]
            ends.append(np.stack([here[there >= 0], there[there >= 0]]))
            lengths.append(np.full(ends[-1].shape[1], math.hypot(di, dj) * CELL))
        pairs = np.concatenate(ends, 1)
        graph = csr_array(
            (np.concatenate(lengths), (pairs[0], pairs[1])), shape=(len(rows), len(rows))
        )
        points = np.stack([self._x + rows * CELL, self._z + columns * CELL], 1)
        sources = np.nonzero(np.hypot(*(points - goal).T) < reach)[0]
        distance = np.full(self._shape, math.inf)
        previous = np.full(len(rows), -9999, np.int32)
        if sources.size:
            along, previous, _ = dijkstra(
                graph, directed=False, indices=sources, return_predecessors=True, min_only=True
            )
            distance[rows, columns] = along
        return Field(self, goal, reach, distance, number, points, previous)

    def clear(self, start: np.ndarray, end: np.ndarray, squeeze: float = SLACK) -> bool:
        """Whether the disc can move straight from start to end, (2,) each, if it may come nearer by `squeeze` than it should."""
        if self._allowed is not None:
            steps = np.linspace(0.0, 1.0, 2 + int(np.hypot(*(end - start)) / CELL))[:, None]
            if not self._allowed(start + steps * (end - start)).all():
                return False
        a, b = self._walls[:, 0], self._walls[:, 1]
        crosses = (_side(a, b, start) * _side(a, b, end) < 0) & (
            _side(start, end, a) * _side(start, end, b) < 0
        )
        if crosses.any():
            return False
        gaps = [_gap(start, a, b), _gap(end, a, b), _gap(a, start, end), _gap(b, start, end)]
        if any((gap < self._radius - squeeze).any() for gap in gaps):
            return False
        return bool((_gap(self._discs[:, :2], start, end) >= self._discs[:, 2] - squeeze).all())

    def _rasterise(self) -> np.ndarray:
        free = np.ones(self._shape, bool)
        for a, b in self._walls:
            window, points = self._window(
                np.minimum(a, b) - self._radius, np.maximum(a, b) + self._radius
            )
            free[window] &= _gap(points, a, b) >= self._radius
        for x, z, distance in self._discs:
            window, points = self._window(np.array([x, z]) - distance, np.array([x, z]) + distance)
            free[window] &= np.hypot(points[..., 0] - x, points[..., 1] - z) >= distance
        if self._allowed is not None:
            _, points = self._window(np.full(2, -math.inf), np.full(2, math.inf))
            free &= self._allowed(points.reshape(-1, 2)).reshape(self._shape)
        return free

    def _window(self, low: np.ndarray, high: np.ndarray) -> tuple[tuple[slice, slice], np.ndarray]:
        """The cells between two corners, and their centres (i, j, 2)."""
        origin = np.array([self._x, self._z])
        first = np.clip(np.floor((low - origin) / CELL), 0, self._shape).astype(int)
        last = np.clip(np.ceil((high - origin) / CELL) + 1, 0, self._shape).astype(int)
        i, j = np.meshgrid(
            np.arange(first[0], last[0]), np.arange(first[1], last[1]), indexing="ij"
        )
        return (slice(first[0], last[0]), slice(first[1], last[1])), origin + np.stack(
            [i, j], -1
        ) * CELL


class Field:
    """Distances to one goal."""

    def __init__(
        self,
        floor: Floor,
        goal: tuple[float, float],
        reach: float,
        distance: np.ndarray,
        number: np.ndarray,
        points: np.ndarray,
        previous: np.ndarray,
    ) -> None:
        self.floor, self.goal, self._reach, self._points, self._previous = (
            floor,
            np.asarray(goal, float),
            reach,
            points,
            previous,
        )
        self._number = number
        self._rows: list[list[float]] = (
            distance.tolist()
        )  # many single look-ups: lists are faster than arrays

    def __call__(self, x: float, z: float) -> float:
        """The distance to go from (x, z), m, by the grid; infinite where there is no way."""
        return self._nearest(x, z)[0]

    def shortest(self, x: float, z: float) -> float:
        """The length of the shortest path from (x, z) to within reach of the goal, m; infinite where there is none."""
        best, walked, taut = math.inf, 0.0, self.path(x, z)
        for number, point in enumerate(taut):
            walked += math.dist(point, taut[number - 1]) if number else 0.0
            # The goal may come within reach earlier than at the path's last cell: on the line to its centre, once that is clear.
            gap = math.dist(point, self.goal)
            to = point + (self.goal - point) * max(0.0, 1 - self._reach / gap) if gap else point
            if self.floor.clear(point, to):
                best = min(best, walked + max(0.0, gap - self._reach))
        return min(best, walked) if taut else math.inf

    def path(self, x: float, z: float) -> list[np.ndarray]:
        """The corners of the shortest path, (2,) each, from (x, z) to a cell within reach of the goal; empty where there is none."""
        _, cell = self._nearest(x, z)
        if cell is None:
            return []
        path, node = [np.array([x, z])], int(self._number[cell])
        while node >= 0:
            path.append(self._points[node])
            node = int(self._previous[node])
        # Pulled forth, back and forth again: one pass alone leaves the slack behind each corner.
        taut = self._pull(path)
        taut = self._pull(_dense(taut[::-1]))[::-1]
        return self._pull(_dense(taut))

    def _nearest(self, x: float, z: float) -> tuple[float, tuple[int, int] | None]:
        """The least way through one of the cells around, and which; those four that enclose the place first."""
        u, v = (x - self.floor._x) / CELL, (z - self.floor._z) / CELL
        i, j = math.floor(u), math.floor(v)
        best: tuple[float, tuple[int, int] | None] = (math.inf, None)
        for span in ((0, 1), (-1, 0, 1, 2)):
            for a in span:
                for b in span:
                    if 0 <= i + a < len(self._rows) and 0 <= j + b < len(self._rows[0]):
                        way = self._rows[i + a][j + b] + CELL * math.hypot(u - i - a, v - j - b)
                        if way < best[0]:
                            best = way, (i + a, j + b)
            if best[1] is not None:
                break
        return best

    def _pull(self, path: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Leave out what lies between two points with a clear line; galloping, since the points are many."""
        taut, here, last = [path[0]], 0, len(path) - 1
        while here < last:
            leap = 1
            while here + 2 * leap <= last and self.floor.clear(path[here], path[here + 2 * leap]):
                leap *= 2
            far = leap
            while leap > 1:
                leap //= 2
                if here + far + leap <= last and self.floor.clear(
                    path[here], path[here + far + leap]
                ):
                    far += leap
            here += far
            taut.append(path[here])
        return taut


def _dense(path: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The same path with a point every half cell."""
    points = [path[0]]
    for a, b in itertools.pairwise(path):
        count = max(1, math.ceil(math.dist(a, b) / (CELL / 2)))
        points.extend(a + (b - a) * (step / count) for step in range(1, count + 1))
    return points


def _gap(points: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distances of points from the segments a b; shapes (..., 2) that broadcast."""
    along, to = b - a, points - a
    share = np.clip((to * along).sum(-1) / np.maximum((along * along).sum(-1), 1e-12), 0.0, 1.0)
    return np.hypot(*np.moveaxis(to - share[..., None] * along, -1, 0))


def _side(a: np.ndarray, b: np.ndarray, point: np.ndarray) -> np.ndarray:
    along, to = b - a, point - a
    return along[..., 0] * to[..., 1] - along[..., 1] * to[..., 0]
