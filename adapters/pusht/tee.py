"""The outline of PushT's T: how far a point is from it, and paths that keep away from it.

All lengths are px of the plane, 512 by 512; x to the right, y down. A pose is (x, y, angle): where
the middle of the outer edge of the T's bar lies, and the angle (rad) by which the T is turned.
"""

from __future__ import annotations

import heapq
import math

import numpy as np

__all__ = ["GOAL", "OUTLINE", "Tee", "error"]

SIDE = 512.0
GOAL = (256.0, 256.0, math.pi / 4)
"""The pose of the goal (`PushTEnv._setup`)."""
BOXES = ((-60.0, 0.0, 60.0, 30.0), (-15.0, 30.0, 15.0, 120.0))
"""The bar and the stem in the T's own frame: x and y from, x and y to (`PushTEnv.add_tee`)."""
OUTLINE = np.array(
    [(-60, 0), (60, 0), (60, 30), (15, 30), (15, 120), (-15, 120), (-15, 30), (-60, 30)], float
)
"""The corners in the T's own frame, one after the other."""
STRIDE = 4.0
"""px between the points of a segment at which its distance from the T is measured."""


def corners(pose: tuple[float, float, float]) -> np.ndarray:
    """The T's corners in the plane, float (8, 2)."""
    x, y, angle = pose
    cos, sin = math.cos(angle), math.sin(angle)
    turned: np.ndarray = OUTLINE @ np.array([[cos, sin], [-sin, cos]]) + (x, y)
    return turned


_GOAL_CORNERS = corners(GOAL)


def error(pose: tuple[float, float, float]) -> float:
    """The mean distance (px) of the T's corners from where they belong."""
    return float(np.hypot(*(corners(pose) - _GOAL_CORNERS).T).mean())


class Tee:
    """A T that stands still."""

    def __init__(self, pose: tuple[float, float, float]) -> None:
        self.pose = pose
        x, y, angle = pose
        cos, sin = math.cos(angle), math.sin(angle)
        self._origin = np.array([x, y])
        self._turn = np.array([[cos, sin], [-sin, cos]])

    def to_plane(self, points: np.ndarray) -> np.ndarray:
        """Points of the T's own frame, float (..., 2), in the plane."""
        moved: np.ndarray = points @ self._turn + self._origin
        return moved

    def turned(self, vectors: np.ndarray) -> np.ndarray:
        """Directions of the T's own frame, float (..., 2), in the plane."""
        found: np.ndarray = vectors @ self._turn
        return found

    def distance(self, points: np.ndarray) -> np.ndarray:
        """How far points of the plane, float (n, 2), are from the T: float (n,), 0 inside."""
        local = (points - self._origin) @ self._turn.T
        found = []
        for low_x, low_y, high_x, high_y in BOXES:
            beyond_x = np.maximum(np.maximum(low_x - local[:, 0], local[:, 0] - high_x), 0.0)
            beyond_y = np.maximum(np.maximum(low_y - local[:, 1], local[:, 1] - high_y), 0.0)
            found.append(np.hypot(beyond_x, beyond_y))
        nearest: np.ndarray = np.minimum(*found)
        return nearest

    def is_clear(self, start: np.ndarray, end: np.ndarray, clearance: float) -> bool:
        """Whether the whole segment keeps at least `clearance` from the T."""
        count = 2 + int(np.hypot(*(end - start)) / STRIDE)
        along = np.linspace(0.0, 1.0, count)[:, None]
        return bool(self.distance(start + along * (end - start)).min() >= clearance)

    def way_out(self, point: np.ndarray, clearance: float) -> np.ndarray:
        """The nearest of 32 points around `point` that is `clearance` away from the T, and inside.

        The point itself where it is far enough away.
        """
        angles = np.linspace(0.0, 2 * math.pi, 32, endpoint=False)
        ways = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        for radius in (0.0, *range(2, 80, 2)):
            around = point + radius * ways
            free = (self.distance(around) >= clearance) & inside(around)
            if free.any():
                found: np.ndarray = around[int(free.argmax())]
                return found
        return point

    def path(self, start: np.ndarray, end: np.ndarray, clearance: float) -> list[np.ndarray] | None:
        """The shortest way found around the T: its corners after `start`, and `end`.

        None where there is none on the plane.
        """
        around = [
            np.array([x, y])
            for low_x, low_y, high_x, high_y in BOXES
            for x in (low_x - clearance - 2, high_x + clearance + 2)
            for y in (low_y - clearance - 2, high_y + clearance + 2)
        ]
        corners = self.to_plane(np.array(around))
        free = (self.distance(corners) >= clearance) & inside(corners)
        nodes = [start, end, *corners[free]]
        best = {0: 0.0}
        came: dict[int, int] = {}
        queue = [(0.0, 0)]
        while queue:
            walked, here = heapq.heappop(queue)
            if here == 1:
                way = [end]
                while came[here]:
                    here = came[here]
                    way.append(nodes[here])
                return way[::-1]
            if walked > best[here]:
                continue
            for there, node in enumerate(nodes):
                length = walked + float(np.hypot(*(node - nodes[here])))
                if length < best.get(there, math.inf) and self.is_clear(
                    nodes[here], node, clearance
                ):
                    best[there], came[there] = length, here
                    heapq.heappush(queue, (length, there))
        return None


def inside(points: np.ndarray) -> np.ndarray:
    """Which points, float (n, 2), the disc can be sent to: bool (n,)."""
    found: np.ndarray = ((points >= 0.0) & (points <= SIDE)).all(axis=1)
    return found
