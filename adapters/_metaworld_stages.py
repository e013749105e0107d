"""Stages and the failure mode of Meta-World, from the places of the hand, the object and the goal.

The package's own `near_object` and `grasp_success` mean another thing in each task. Here they mean
the same in all: the middle between the finger tips, and the position of the first object or handle
in the package's observation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adapters._reached import Reached

__all__ = ["Course", "modes_of", "stages_of"]

REACH = ("reach-v3", "reach-wall-v3")
CARRY = frozenset(
    {
        "assembly-v3", "basketball-v3", "bin-picking-v3", "box-close-v3", "disassemble-v3",
        "hammer-v3", "peg-insert-side-v3", "pick-out-of-hole-v3", "pick-place-v3",
        "pick-place-wall-v3", "shelf-place-v3", "stick-pull-v3", "stick-push-v3",
    }
)  # fmt: skip
"""The tasks whose object is to be lifted."""
NEAR_GOAL_M, NEAR_M = 0.15, 0.1
"""How near the hand is to the goal of a reaching task, or to the object."""
MOVED_M, LIFTED_M, LOST_M = 0.015, 0.03, 0.015
"""How far the object is from its start, and how much above it; what was lifted is lost below."""


def stages_of(name: str) -> tuple[str, ...]:
    """The stages of a task by its name in the package."""
    if name in REACH:
        return ("near the goal", "at the goal")
    if name in CARRY:
        return ("object reached", "object moved", "object lifted", "at the goal")
    return ("object reached", "object moved", "at the goal")


def modes_of(name: str) -> tuple[str, ...]:
    """The failure modes that are told of a task."""
    return ("dropped", "stopped_early") if name in CARRY else ("stopped_early",)


class Course:
    """What happened in one episode. Made right after the reset."""

    def __init__(self, env: Any, name: str, observed: np.ndarray) -> None:
        self._env, self._name = env, name
        self._start = observed[4:7].copy()
        self._reached = Reached()
        self._lifted = self._lost = False

    def stage(self, observed: np.ndarray) -> int:
        """As Adapter.stage; `observed` is the package's observation, shape (39,)."""
        hand, thing, goal = self._env.tcp_center, observed[4:7], observed[36:39]
        if self._name in REACH:
            return self._reached.note(_apart(hand, goal) <= NEAR_GOAL_M)
        near, moved = _apart(hand, thing) <= NEAR_M, _apart(thing, self._start) >= MOVED_M
        if self._name not in CARRY:
            return self._reached.note(near, moved)
        height = float(thing[2] - self._start[2])
        lifted = near and height >= LIFTED_M
        self._lifted = self._lifted or lifted
        self._lost = self._lifted and height <= LOST_M
        return self._reached.note(near, moved, lifted)

    def failure_mode(self) -> tuple[str, ...]:
        """As Adapter.failure_mode."""
        return ("dropped",) if self._lost else ()


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(one - other))
