"""A stand-in for Habitat's `World`: open ground, on which the shortest path is a straight line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from adapters.habitat.metrics import heading, yaw


class OpenGround:
    """The methods of adapters.habitat.world.World; it draws nothing."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def load(self, scene: str, scene_dataset: str = "default") -> None:
        self.scene = scene

    def place(self, position: Any, rotation: Sequence[float]) -> None:
        self._at = np.array(position, np.float64)
        self._angle = heading(rotation)

    def aim(self, ends: np.ndarray, near: float) -> None:
        self._ends, self._near = np.asarray(ends, np.float64), near

    def distance(self) -> float:
        return float(np.linalg.norm(self._ends - self._at, axis=1).min())

    def nearest_end(self) -> np.ndarray:
        return self._ends[np.linalg.norm(self._ends - self._at, axis=1).argmin()]

    def towards(self, goal: np.ndarray) -> str:
        x, _, z = goal - self._at
        left = math.remainder(math.atan2(-x, -z) - self._angle, 2 * math.pi)
        if abs(left) > math.radians(self._body.turn) / 2:
            return "turn_left" if left > 0 else "turn_right"
        return "move_forward"

    def act(self, action: str) -> bool:
        turn = math.radians(self._body.turn)
        self._angle += {"turn_left": turn, "turn_right": -turn}.get(action, 0.0)
        if action == "move_forward":
            ahead = np.array([-math.sin(self._angle), 0.0, -math.cos(self._angle)])
            self._at = self._at + self._body.forward * ahead
        return False

    def pose(self) -> tuple[np.ndarray, tuple[float, float, float, float]]:
        return self._at.copy(), yaw(self._angle)

    def draw(self, camera: str) -> np.ndarray:
        raise AssertionError("there are no pictures here")

    def snap(self, point: Any) -> np.ndarray:
        return np.array([point[0], 0.0, point[2]], np.float64)

    def room(self, point: Any) -> float:
        return 1.0

    def way(self, start: Any, ends: Any) -> float:
        return float(np.linalg.norm(np.asarray(ends) - start, axis=1).min())

    def close(self) -> None:
        pass
