"""What is measured on a way, and angles in the body's frame. Frame: x, y up, z, metres; forward is -z, a positive turn is to the left.

The formulas are habitat-lab's (`habitat/tasks/nav/nav.py`), from Anderson et al. 2018 (arXiv 1807.06757); SoftSPL from arXiv 1911.00357's
authors, as habitat-lab has it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

__all__ = ["Way", "compass", "heading", "pointgoal", "rotate_back", "yaw"]


class Way:
    """One episode's way. With l the geodesic distance from start to goal, p the length walked, d the distance still to go:

    success          stop was called and d < `near`
    spl              success * l / max(l, p)
    soft_spl         max(0, 1 - d / l) * l / max(l, p)
    distance_to_goal d, m; path_length p, m; shortest_path l, m
    collisions       steps in which something was in the way
    """

    def __init__(self, start: Sequence[float], distance: float, near: float) -> None:
        """`start` (3,) m; `distance` is l. Raises ValueError where l is not positive and finite: such an episode cannot be scored."""
        if not (math.isfinite(distance) and distance > 0):
            raise ValueError(
                f"the geodesic distance from start to goal is {distance}: it must be positive and finite"
            )
        self._at = np.asarray(start, np.float64)
        self._shortest, self._near = float(distance), near
        self.distance, self.walked, self.collisions, self.stopped = float(distance), 0.0, 0, False

    def moved(self, position: Sequence[float], collided: bool, distance: float) -> float:
        """A step that ended at `position` (3,), `distance` from the goal; returns by how much the distance has shrunk, m."""
        position = np.asarray(position, np.float64)
        self.walked += float(np.linalg.norm(position - self._at))
        gained = self.distance - distance
        self._at, self.distance = position, float(distance)
        self.collisions += bool(collided)
        return gained

    @property
    def success(self) -> bool:
        """Whether stop was called near the goal."""
        return self.stopped and self.distance < self._near

    def metrics(self) -> dict:
        """All of the above by name."""
        share = self._shortest / max(self._shortest, self.walked)
        return {
            "distance_to_goal": self.distance,
            "spl": share * self.success,
            "soft_spl": share * max(0.0, 1.0 - self.distance / self._shortest),
            "collisions": float(self.collisions),
            "path_length": self.walked,
            "shortest_path": self._shortest,
        }


def yaw(angle: float) -> tuple:
    """The rotation (w, x, y, z) of a turn to the left by `angle` rad about the vertical."""
    return (math.cos(angle / 2), 0.0, math.sin(angle / 2), 0.0)


def rotate_back(rotation: Sequence[float], vector: Sequence[float]) -> np.ndarray:
    """`vector` (3,) of the world in the frame of a body turned by `rotation` (w, x, y, z)."""
    w, axis = float(rotation[0]), -np.asarray(rotation[1:], np.float64)
    vector = np.asarray(vector, np.float64)
    twice = 2.0 * np.cross(axis, vector)
    return vector + w * twice + np.cross(axis, twice)


def heading(rotation: Sequence[float]) -> float:
    """The angle, rad in -pi..pi, by which a body turned by `rotation` (w, x, y, z) looks to the left of -z."""
    w, x, y, z = (float(part) for part in rotation)
    return math.atan2(2 * (w * y + x * z), 1 - 2 * (x * x + y * y))


def compass(rotation: Sequence[float], start: Sequence[float]) -> float:
    """The heading relative to that at the start, rad in -pi..pi, positive to the left."""
    angle = heading(rotation) - heading(start)
    return math.atan2(math.sin(angle), math.cos(angle))


def pointgoal(position: Sequence[float], rotation: Sequence[float], goal: Sequence[float]) -> tuple:
    """(distance on the floor m, angle rad in -pi..pi, positive to the left) of the goal (3,) in the body's frame."""
    x, _, z = rotate_back(rotation, np.asarray(goal, np.float64) - np.asarray(position, np.float64))
    return math.hypot(x, z), math.atan2(-x, -z)
