"""Stages and failure modes of MiniWorld: the goal seen, near, reached; objects taken.

Seen: the centre of the goal is within the agent's field of view and no wall is between them.
Near: a metre before it counts as reached.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from adapters._reached import Reached
from adapters.miniworld.worlds import WORLDS, Health, Named, Objective, Pickup, PutNext, Sign

__all__ = ["Course", "modes_of", "stages_of"]

NEAR_M = 1.0


def stages_of(world: str) -> tuple[str, ...]:
    """The stages of a world by its name; none of CollectHealth, which only asks to stay alive."""
    kind = WORLDS.get(world, Health)
    if issubclass(kind, Health):
        return ()
    if issubclass(kind, Pickup):
        return ("an object taken", "half of the objects taken", "all objects taken")
    if issubclass(kind, PutNext):
        return ("red box held", "red box beside the yellow one")
    return ("goal seen", "goal near", "goal reached")


def modes_of(world: str) -> tuple[str, ...]:
    """The failure modes that are told of a world."""
    kind = WORLDS.get(world, Health)
    named = issubclass(kind, (Named, Sign))
    return ("wrong_object",) if named else ()


class Course:
    """What happened in one episode. Made right after the reset."""

    def __init__(self, env: Any, objective: Objective, size: tuple[int, int]) -> None:
        """`size`: width and height of the agent's picture, which say how wide its view is."""
        self._env, self._objective = env, objective
        width, height = size
        self._half = math.atan(math.tan(math.radians(env.agent.cam_fov_y / 2)) * width / height)
        self._objects = len(env.entities) - 1
        self._reached = Reached()

    def stage(self) -> int:
        """As Adapter.stage."""
        env, objective = self._env, self._objective
        if isinstance(objective, Health):
            return 0
        if isinstance(objective, Pickup):
            taken = env.num_picked_up / self._objects
            return self._reached.note(taken > 0, taken >= 0.5)
        if isinstance(objective, PutNext):
            return self._reached.note(env.agent.carrying is env.red_box)
        apart = math.dist(self._place(env.agent), self._place(objective.target))
        return self._reached.note(self._sees(), apart < objective.reach() + NEAR_M)

    def failure_mode(self) -> tuple[str, ...]:
        """As Adapter.failure_mode."""
        env, objective = self._env, self._objective
        if not isinstance(objective, (Named, Sign)):
            return ()
        others = (
            entity
            for entity in env.entities
            if entity is not env.agent and entity is not objective.target and not entity.is_static
        )
        return ("wrong_object",) if any(map(env.near, others)) else ()

    def _sees(self) -> bool:
        here, goal = self._place(self._env.agent), self._place(self._objective.target)
        across, along = goal[0] - here[0], goal[1] - here[1]
        # Headings are counter-clockwise from x as seen from above, and z points down there.
        turn = math.atan2(-along, across) - self._env.agent.dir
        if abs(math.remainder(turn, math.tau)) > self._half:
            return False
        return not bool(_crosses(np.array(here), np.array(goal), self._env.wall_segs[:, :, ::2]))

    @staticmethod
    def _place(entity: Any) -> tuple[float, float]:
        return float(entity.pos[0]), float(entity.pos[2])


def _crosses(one: np.ndarray, other: np.ndarray, walls: np.ndarray) -> bool:
    """Whether the line from one point to another, (2,), crosses a wall, (walls, 2 ends, 2)."""

    def side(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
        found: np.ndarray = (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (
            b[..., 1] - a[..., 1]
        ) * (c[..., 0] - a[..., 0])
        return found

    begin, end = walls[:, 0], walls[:, 1]
    apart = side(one, other, begin) * side(one, other, end) < 0
    return bool((apart & (side(begin, end, one) * side(begin, end, other) < 0)).any())
