"""What of the two arms is what in the model, for the metrics of safety and cost."""

from __future__ import annotations

import math
from typing import Any

from adapters._mujoco_safety import Body, geoms_below, geoms_of

__all__ = ["Ways", "body_of"]

SIDES = ("left", "right")
JOINTS = ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate")
OBJECTS = ("box", "peg", "socket")
DRIVEN = slice(0, 16)
"""The degrees of freedom of both arms: six joints and two fingers each."""


def body_of(model: Any) -> Body:
    """What is measured in this MjModel of gym-aloha. The base of an arm stands on the table."""
    objects = [geoms_of(model, name) for name in OBJECTS]
    table = geoms_of(model, "table")
    return Body(
        parts=[geoms_below(model, f"vx300s_{side}/shoulder_link") for side in SIDES],
        forbidden=table | geoms_of(model, "world"),
        # dm_control ends a step with new contacts whose forces are not computed yet: what stands in
        # their memory is nothing, and to compute them would change what follows.
        force=False,
        joints=[f"vx300s_{side}/{joint}" for side in SIDES for joint in JOINTS],
        driven=DRIVEN,
        grippers=[
            (
                geoms_of(model, f"vx300s_{side}/left_finger_link"),
                geoms_of(model, f"vx300s_{side}/right_finger_link"),
            )
            for side in SIDES
        ],
        objects=[geoms for geoms in objects if geoms],
        supports=table,
    )


class Ways:
    """How far both grippers have moved together, m."""

    def __init__(self, model: Any, data: Any) -> None:
        self._data = data
        self._bodies = [model.body(f"vx300s_{side}/gripper_link").id for side in SIDES]
        self.reset()

    def reset(self) -> None:
        """Begin where they are."""
        self.length, self._at = 0.0, self._places()

    def sample(self) -> None:
        """Add the way since the last sample."""
        places = self._places()
        way = sum(math.dist(one, other) for one, other in zip(places, self._at))
        if math.isfinite(way):  # else the model has diverged
            self.length += way
        self._at = places

    def _places(self) -> list[list[float]]:
        return [self._data.xpos[body].tolist() for body in self._bodies]
