"""What an agent may know of gym-aloha: its views, its action and the body."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.core import Box, Brief, Field

__all__ = ["CAMERAS", "OBJECTS", "action_of", "describe"]

CAMERAS = {
    "image": "top",
    "image_angle": "angle",
    "image_front_close": "front_close",
    "image_left_wrist": "left_wrist",
    "image_right_wrist": "right_wrist",
}
"""View -> the model's camera."""
OBJECTS = {"transfer_cube": ("cube",), "insertion": ("peg", "socket")}
"""Task -> its objects, in the order in which the simulator has them."""
SIDES = ("left", "right")


def _arms(unit: str, kind: str, joints: str, gripper: str) -> tuple[Field, ...]:
    """The fields of both arms' joints and grippers: what they are called, and their units."""
    fields: list[Field] = []
    for side in SIDES:
        fields += [
            Field(f"{side}/{joints}", 6, kind, "", unit),
            Field(f"{side}/{gripper}", 1, kind, "", unit.replace("rad", "1"), "", "positive opens"),
        ]
    return tuple(fields)


PLACES = _arms("rad", "absolute", "joint_position", "gripper")
SPEEDS = _arms("rad/s", "velocity", "joint_velocity", "gripper_velocity")
ORDER = (
    "of the left, then of the right arm: waist, shoulder, elbow, forearm roll, wrist angle, wrist "
    "rotation (rad), and the gripper"
)


def action_of(model: Any) -> Box:
    """The spec of the action, by the motors of an MjModel of the package."""
    low, high = (tuple(bound.tolist()) for bound in _bounds(model))
    return Box(
        (14,),
        low=low,
        high=high,
        meaning=f"targets, {ORDER} (0 closed, 1 open). No action does nothing: targets that are "
        "the present positions hold them; the neutral one is the pose of the start",
        neutral=tuple(_start().tolist()),
        layout=PLACES,
    )


def describe(size: tuple[int, int], objects: tuple[str, ...], action: Box) -> Brief:
    """The brief for images of this height and width (px)."""
    images = {
        view: Box((*size, 3), "uint8", 0, 255, "1", f"RGB, camera {camera}")
        for view, camera in CAMERAS.items()
    }
    things = tuple(
        field
        for name in objects
        for field in (
            Field(f"{name}_position", 3, "absolute", "world", "m"),
            Field(f"{name}_rotation", 4, "absolute", "world", "1", "quaternion_wxyz"),
        )
    )
    length = 28 + 7 * len(objects)
    return Brief(
        observation={
            **images,
            "proprio": Box((14,), meaning=f"{ORDER} (0 closed, 1 open)", layout=PLACES),
            "state": Box(
                (length,),
                meaning=f"0-13 {ORDER} (0 closed, 1 open); 14-27 their speeds (rad/s, 1/s); then "
                f"of the {' and of the '.join(objects)} x, y, z (m) and a quaternion w, x, y, z. "
                "World frame: x from the left arm to the right one, z up",
                layout=(*PLACES, *SPEEDS, *things),
            ),
        },
        action=action,
        embodiment="two ViperX 300 arms of six joints, with parallel grippers, opposite each other "
        "at a table",
        simulator="gym-aloha on MuJoCo by dm_control, steps of 2 ms, ten an action",
        control_hz=50.0,
    )


def _start() -> np.ndarray:
    """The package's pose of the start, as an action, float (14,)."""
    from gym_aloha.constants import START_ARM_POSE, normalize_puppet_gripper_position

    pose = np.array(START_ARM_POSE, float).reshape(2, 8)
    grip = normalize_puppet_gripper_position(pose[:, 6:7])
    start: np.ndarray = np.concatenate([pose[:, :6], grip], axis=1).reshape(-1)
    return start


def _bounds(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """(low, high), float (14,): what the motors clip to anyway; of the grippers 0 and 1.

    The fingers are clipped a little inside of these.
    """
    ranges = np.array(model.actuator_ctrlrange, float).reshape(2, 8, 2)
    low = np.concatenate([ranges[:, :6, 0], np.zeros((2, 1))], axis=1)
    high = np.concatenate([ranges[:, :6, 1], np.ones((2, 1))], axis=1)
    return low.reshape(-1), high.reshape(-1)
