"""Stages of the Fetch tasks, from the places of the hand, the object and the goal."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from adapters._reached import Reached

__all__ = ["STAGES", "Course"]

PUSH = ("object reached", "object moved", "at the goal")
STAGES: Mapping[str, tuple[str, ...]] = {
    "FetchReach": ("near the goal", "at the goal"),
    "FetchPush": PUSH,
    "FetchSlide": PUSH,
    "FetchPickAndPlace": ("object reached", "object moved", "object lifted", "at the goal"),
}
NEAR_GOAL_M, NEAR_M = 0.1, 0.06
"""How near the hand is to the goal of FetchReach, or to the object."""
MOVED_M, LIFTED_M = 0.02, 0.03
"""How far the object is from its start, and how much above it."""


class Course:
    """What happened in one episode. Made right after the reset."""

    def __init__(self, kind: str, observed: Mapping[str, np.ndarray]) -> None:
        self._kind, self._start = kind, observed["achieved_goal"].copy()
        self._reached = Reached()

    def stage(self, observed: Mapping[str, np.ndarray]) -> int:
        """As Adapter.stage; `observed` is the package's observation."""
        hand, thing = observed["observation"][:3], observed["achieved_goal"]
        if self._kind == "FetchReach":
            return self._reached.note(_apart(thing, observed["desired_goal"]) <= NEAR_GOAL_M)
        near, moved = _apart(hand, thing) <= NEAR_M, _apart(thing, self._start) >= MOVED_M
        if self._kind != "FetchPickAndPlace":
            return self._reached.note(near, moved)
        lifted = near and float(thing[2] - self._start[2]) >= LIFTED_M
        return self._reached.note(near, moved, lifted)


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(one - other))
