"""How far an episode of ManiSkill came, read from SAPIEN on the CPU.

Reached: the middle between the finger tips is near the object's centre, or its nearest end where it
is long. Grasped: as the package's `is_grasping` says. What is put down where it belongs is the
package's own test of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from adapters._reached import Reached
from adapters.maniskill.safety import HELD

__all__ = ["Course", "stages_of"]

REACHED, GRASPED, LIFTED = "object reached", "object grasped", "object lifted"


@dataclass(frozen=True)
class _Way:
    """The stages of a task, and the environment's attribute of the object that they are of."""

    thing: str
    stages: tuple[str, ...]
    near_m: float = 0.05


WAYS: Mapping[str, _Way] = {
    "PickCube-v1": _Way(
        "cube", (REACHED, GRASPED, LIFTED, "object at the goal", "held still there")
    ),
    "PlaceSphere-v1": _Way("obj", (REACHED, GRASPED, LIFTED, "object at the goal", "let go there")),
    "StackCube-v1": _Way("cubeA", (REACHED, GRASPED, LIFTED, "object at the goal", "let go there")),
    "PushCube-v1": _Way("obj", (REACHED, "object moved", "at the goal"), 0.08),
    "PullCube-v1": _Way("obj", (REACHED, "object moved", "at the goal"), 0.08),
    "LiftPegUpright-v1": _Way("peg", (REACHED, GRASPED, LIFTED, "upright"), 0.15),
    "PegInsertionSide-v1": _Way("peg", (REACHED, GRASPED, LIFTED, "inserted"), 0.15),
    "PlugCharger-v1": _Way("charger", (REACHED, GRASPED, LIFTED, "inserted"), 0.08),
}
"""Task -> its stages, for those with one robot with a parallel gripper and one object."""
MOVED_M, LIFTED_M = 0.02, 0.02
"""How far the object is from its start, and how much above it."""


def stages_of(name: str) -> tuple[str, ...]:
    """The stages of a task by its id in the package; none of those that are not known here."""
    return WAYS[name].stages if name in WAYS else ()


class Course:
    """What happened in one episode. Made right after the reset."""

    def __init__(self, env: Any, name: str) -> None:
        """`env`: the environment, unwrapped, with one lane; `name`: a key of WAYS."""
        self._env, self._name, self._way = env, name, WAYS[name]
        self._thing = getattr(env, self._way.thing)
        self._start = _place(self._thing)
        self._reached = Reached()

    def stage(self) -> int:
        """As Adapter.stage."""
        place = _place(self._thing)
        apart = float(np.linalg.norm(_place(self._env.agent.tcp) - place))
        near = apart <= self._way.near_m
        holds = {
            REACHED: near,
            GRASPED: bool(self._env.agent.is_grasping(self._thing).any()),
            "object moved": float(np.linalg.norm(place - self._start)) >= MOVED_M,
        }
        holds[LIFTED] = holds[GRASPED] and float(place[2] - self._start[2]) >= LIFTED_M
        if self._name in HELD:
            holds["object at the goal"] = bool(self._env.evaluate()[HELD[self._name][2]].any())
        # The last stage is the success.
        return self._reached.note(*(holds[stage] for stage in self._way.stages[:-1]))


def _place(thing: Any) -> np.ndarray:
    """The position of a body with one lane, m, shape (3,)."""
    place: np.ndarray = thing.pose.p[0].numpy().copy()
    return place
