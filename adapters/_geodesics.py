"""Geodesic distances of a disc among walls and round obstacles on a flat floor.

SPL needs the length of the shortest path, and an expert descends the distance. A grid of 0.1 m
cells with 32 directions gives the distance from every cell to the goal; its directions make it at
most 1.3 % too long, its cells add some centimetres. Pulling the grid path taut wherever the line
between two of its points is free gives the shortest path to within some centimetres.

All lengths are in metres. Points are (x, z) on the floor, or (x, y) where the simulator calls its
second horizontal axis y.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np

__all__ = ["DistanceField", "Floor", "spl"]

CELL = 0.1
"""Side of a grid cell, m."""
MOVES = (
    (1, 0), (0, 1), (1, 1), (1, -1), (1, 2), (2, 1), (1, -2), (2, -1),
    (1, 3), (3, 1), (1, -3), (3, -1), (2, 3), (3, 2), (2, -3), (3, -2),
)  # fmt: skip
"""Half of the 32 directions, in cells; the graph is undirected."""
TOLERANCE = 1e-6
"""How much nearer to an obstacle than allowed the disc may come by rounding, m."""


def spl(success: bool, shortest: float, walked: float) -> float:
    """Success weighted by path length, success * l / max(l, p), 0 to 1.

    `shortest` (l) and `walked` (p) are in the same unit. Source: Anderson et al. 2018,
    arXiv 1807.06757.
    """
    return shortest / max(shortest, walked) if success else 0.0


class Floor:
    """The free space of a disc: where its centre may be.

    The centre keeps at least `radius` m from every wall and, from the centre of each obstacle, at
    least that obstacle's distance.
    """

    def __init__(
        self,
        walls: np.ndarray,
        discs: Sequence[tuple[float, float, float]],
        radius: float,
        bounds: tuple[float, float, float, float],
        allowed: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        """Rasterise the free space.

        `walls` is float (m, 2, 2), [wall, end, (x, z)] in m; `discs` holds (x, z, distance) in m;
        `bounds` are the least and greatest x, then z, of the grid. `allowed` further restricts
        where the centre may be: points float (n, 2) -> bool (n,).
        """
        self._walls, self._radius, self._allowed = walls, radius, allowed
        self._discs = np.asarray(discs, float).reshape(-1, 3)
        self._x, self._z = bounds[0], bounds[2]
        self._shape = tuple(int((high - low) / CELL) + 2 for low, high in (bounds[:2], bounds[2:]))
        self._free = self._rasterise()

    def distances_to(self, goal: tuple[float, float], reach: float) -> DistanceField:
        """The distances to the disc of radius `reach` (m) around `goal` (x, z)."""
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import dijkstra

        rows, columns = np.nonzero(self._free)
        node_of = np.full(self._shape, -1, np.int32)
        node_of[rows, columns] = np.arange(len(rows))
        edges: list[np.ndarray] = []
        lengths: list[np.ndarray] = []
        for di, dj in MOVES:
            i, j = rows + di, columns + dj
            # No move goes towards smaller i, so only j can leave the grid at its lower end.
            inside = (i < self._shape[0]) & (j >= 0) & (j < self._shape[1])
            here = np.nonzero(inside)[0]
            there = node_of[i[here], j[here]]
            edges.append(np.stack([here[there >= 0], there[there >= 0]]))
            lengths.append(np.full(edges[-1].shape[1], math.hypot(di, dj) * CELL))
        pairs = np.concatenate(edges, 1)
        graph = csr_array(
            (np.concatenate(lengths), (pairs[0], pairs[1])), shape=(len(rows), len(rows))
        )
        points = np.stack([self._x + rows * CELL, self._z + columns * CELL], 1)
        sources = np.nonzero(np.hypot(*(points - goal).T) < reach)[0]
        distance = np.full(self._shape, math.inf)
        previous = np.full(len(rows), -9999, np.int32)  # scipy's mark of "no predecessor"
        if sources.size:
            along, previous, _ = dijkstra(
                graph, directed=False, indices=sources, return_predecessors=True, min_only=True
            )
            distance[rows, columns] = along
        return DistanceField(self, goal, reach, distance, node_of, points, previous)

    def is_clear(self, start: np.ndarray, end: np.ndarray, tolerance: float = TOLERANCE) -> bool:
        """Whether the disc can move straight from `start` to `end`, float (2,) each.

        It may come `tolerance` m nearer to walls and obstacles than the free space allows.
        """
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
        # Two segments that do not cross are nearest at an end of one of them.
        gaps = [_gap(start, a, b), _gap(end, a, b), _gap(a, start, end), _gap(b, start, end)]
        if any((gap < self._radius - tolerance).any() for gap in gaps):
            return False
        return bool((_gap(self._discs[:, :2], start, end) >= self._discs[:, 2] - tolerance).all())

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
        """The cells between two corners (2,), and their centres (i, j, 2)."""
        origin = np.array([self._x, self._z])
        first = np.clip(np.floor((low - origin) / CELL), 0, self._shape).astype(int)
        last = np.clip(np.ceil((high - origin) / CELL) + 1, 0, self._shape).astype(int)
        i, j = np.meshgrid(
            np.arange(first[0], last[0]), np.arange(first[1], last[1]), indexing="ij"
        )
        centres = origin + np.stack([i, j], -1) * CELL
        return (slice(first[0], last[0]), slice(first[1], last[1])), centres


class DistanceField:
    """Geodesic distances to one goal, m. Calling it gives the distance by the grid."""

    def __init__(
        self,
        floor: Floor,
        goal: tuple[float, float],
        reach: float,
        distance: np.ndarray,
        node_of: np.ndarray,
        points: np.ndarray,
        previous: np.ndarray,
    ) -> None:
        """Built by `Floor.distances_to`.

        `distance` float (i, j) and `node_of` int (i, j) are by grid cell; `points` float (n, 2) and
        `previous` int (n,), the next node towards the goal, are by node of the graph.
        """
        self.floor, self.goal = floor, np.asarray(goal, float)
        self._reach, self._points, self._previous = reach, points, previous
        self._node_of = node_of
        # Looked up cell by cell in the expert's search, where lists are faster than arrays.
        self._rows: list[list[float]] = distance.tolist()

    def __call__(self, x: float, z: float) -> float:
        """The distance from (x, z) to the goal by the grid, m; infinite where there is no path."""
        return self._nearest(x, z)[0]

    def shortest(self, x: float, z: float) -> float:
        """The length of the shortest path from (x, z) to within reach of the goal, m.

        Infinite where there is no path.
        """
        best, walked, taut = math.inf, 0.0, self.path(x, z)
        for number, point in enumerate(taut):
            walked += math.dist(point, taut[number - 1]) if number else 0.0
            # The goal may come within reach before the last cell of the path: on the straight line
            # to its centre, as soon as that line is clear.
            gap = math.dist(point, self.goal)
            to = point + (self.goal - point) * max(0.0, 1 - self._reach / gap) if gap else point
            if self.floor.is_clear(point, to):
                best = min(best, walked + max(0.0, gap - self._reach))
        return min(best, walked) if taut else math.inf

    def path(self, x: float, z: float) -> list[np.ndarray]:
        """The corners (2,) of the shortest path from (x, z) to a cell within reach of the goal.

        Empty where there is no path.
        """
        _, cell = self._nearest(x, z)
        if cell is None:
            return []
        path, node = [np.array([x, z])], int(self._node_of[cell])
        while node >= 0:
            path.append(self._points[node])
            node = int(self._previous[node])
        # Forwards, backwards and forwards again: a single pass leaves slack behind each corner.
        taut = self._pull(path)
        taut = self._pull(_resample(taut[::-1]))[::-1]
        return self._pull(_resample(taut))

    def _nearest(self, x: float, z: float) -> tuple[float, tuple[int, int] | None]:
        """The least distance by way of a neighbouring cell, and that cell.

        The four cells that enclose the point are tried first, then the sixteen around it.
        """
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
        """Drop the points between any two that a clear line connects.

        The farthest such point is found by galloping, since a path has many points.
        """
        taut, here, last = [path[0]], 0, len(path) - 1
        while here < last:
            leap = 1
            while here + 2 * leap <= last and self.floor.is_clear(
                path[here], path[here + 2 * leap]
            ):
                leap *= 2
            far = leap
            while leap > 1:
                leap //= 2
                if here + far + leap <= last and self.floor.is_clear(
                    path[here], path[here + far + leap]
                ):
                    far += leap
            here += far
            taut.append(path[here])
        return taut


def _resample(path: Sequence[np.ndarray]) -> list[np.ndarray]:
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
    gap: np.ndarray = np.hypot(*np.moveaxis(to - share[..., None] * along, -1, 0))
    return gap


def _side(a: np.ndarray, b: np.ndarray, point: np.ndarray) -> np.ndarray:
    """The cross product of a b and a point: its sign tells the side of the line through a and b."""
    along, to = b - a, point - a
    side: np.ndarray = along[..., 0] * to[..., 1] - along[..., 1] * to[..., 0]
    return side
