"""Navigation metrics, and angles in the body's frame.

World frame: metres, y up; forward is -z; a positive turn is to the left. Rotations are quaternions
(w, x, y, z). The formulas are habitat-lab's (`habitat/tasks/nav/nav.py`): those of Anderson et al.
2018 (arXiv 1807.06757), and SoftSPL by the authors of arXiv 1911.00357.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Way", "compass", "heading", "pointgoal", "rotate_back", "yaw"]


class Way:
    """The path of one episode, and its metrics.

    With l the geodesic distance from start to goal, p the length of the path, and d the geodesic
    distance left, all in m:

    success          stop was called and d < `near`
    spl              success * l / max(l, p)
    soft_spl         max(0, 1 - d / l) * l / max(l, p)
    distance_to_goal d
    path_length      p
    shortest_path    l
    collisions       the number of steps in which something was in the way
    """

    def __init__(self, start: ArrayLike, distance: float, near: float) -> None:
        """`start` (3,) in m; `distance` is l.

        Raises ValueError if l is not positive and finite: such an episode cannot be scored.
        """
        if not (math.isfinite(distance) and distance > 0):
            raise ValueError(
                f"the geodesic distance from start to goal is {distance}: "
                "it must be positive and finite"
            )
        self._at = np.asarray(start, np.float64)
        self.shortest, self.near = float(distance), near
        self.distance, self.walked, self.collisions, self.stopped = float(distance), 0.0, 0, False

    def moved(self, position: ArrayLike, collided: bool, distance: float) -> float:
        """Record a step that ended at `position` (3,), `distance` m from the goal.

        Returns the decrease of the distance to the goal, m.
        """
        at = np.asarray(position, np.float64)
        self.walked += float(np.linalg.norm(at - self._at))
        gained = self.distance - distance
        self._at, self.distance = at, float(distance)
        self.collisions += bool(collided)
        return gained

    @property
    def success(self) -> bool:
        """Whether stop was called near the goal."""
        return self.stopped and self.distance < self.near

    def metrics(self) -> dict[str, float]:
        """The metrics listed above, except `success`, by name."""
        share = self.shortest / max(self.shortest, self.walked)
        return {
            "distance_to_goal": self.distance,
            "spl": share * self.success,
            "soft_spl": share * max(0.0, 1.0 - self.distance / self.shortest),
            "collisions": float(self.collisions),
            "path_length": self.walked,
            "shortest_path": self.shortest,
        }


def yaw(angle: float) -> tuple[float, float, float, float]:
    """The rotation of a turn to the left by `angle` rad about the vertical."""
    return (math.cos(angle / 2), 0.0, math.sin(angle / 2), 0.0)


def rotate_back(rotation: Sequence[float], vector: ArrayLike) -> np.ndarray:
    """A vector (3,) of the world frame in the frame of a body with this rotation, float64 (3,).

    v + 2 w (a x v) + a x (2 a x v), with (w, a) the conjugate of the rotation.
    """
    w, axis = float(rotation[0]), -np.asarray(rotation[1:], np.float64)
    v = np.asarray(vector, np.float64)
    twice = 2.0 * np.cross(axis, v)
    rotated: np.ndarray = v + w * twice + np.cross(axis, twice)
    return rotated


def heading(rotation: Sequence[float]) -> float:
    """The heading of a body with this rotation: rad to the left of -z, in -pi..pi."""
    w, x, y, z = (float(part) for part in rotation)
    return math.atan2(2 * (w * y + x * z), 1 - 2 * (x * x + y * y))


def compass(rotation: Sequence[float], start: Sequence[float]) -> float:
    """The heading relative to that of rotation `start`, rad in -pi..pi, positive to the left."""
    angle = heading(rotation) - heading(start)
    return math.atan2(math.sin(angle), math.cos(angle))


def pointgoal(
    position: ArrayLike, rotation: Sequence[float], goal: ArrayLike
) -> tuple[float, float]:
    """The goal (3,) in the body's frame: (horizontal distance in m, angle in rad).

    The angle is in -pi..pi, positive to the left.
    """
    x, _, z = rotate_back(rotation, np.asarray(goal, np.float64) - np.asarray(position, np.float64))
    return math.hypot(x, z), math.atan2(-x, -z)
