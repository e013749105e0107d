"""Inverse kinematics of the two ViperX arms of gym-aloha, by MuJoCo's own model of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["Arm", "rotation"]

REACH = 0.14
"""m from the frame of `gripper_link` along its x axis to the point between the fingertips."""
ROUNDS, STEP, DAMPING = 60, 0.3, 1e-4
"""Rounds of damped least squares at most; the largest change of a joint in one (rad); the
damping."""
NEAR, TURNED = 2e-4, 2e-3
"""m and rad that a solution may be off."""


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """The frame of a gripper, float (3, 3), columns x, y, z in the world frame.

    Its x axis points where the fingers point: by `yaw` (rad) counter-clockwise from the world's x
    axis as seen from above, and by `pitch` (rad) below the horizon. y is the way of the fingers,
    level where `roll` (rad) is 0.
    """
    cos, sin = math.cos(yaw), math.sin(yaw)
    heading = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    cos, sin = math.cos(pitch), math.sin(pitch)
    down = np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])
    cos, sin = math.cos(roll), math.sin(roll)
    about = np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])
    turned: np.ndarray = heading @ down @ about
    return turned


class Arm:
    """One arm: where its gripper is, and the joints that bring it elsewhere."""

    def __init__(self, model: Any, side: str) -> None:
        """`model`: an MjModel of gym-aloha; `side`: `left` or `right`."""
        import mujoco

        self._mujoco, self._model = mujoco, model
        self._data = mujoco.MjData(model)
        self._base = model.body(f"vx300s_{side}").pos[:2].copy()
        self._body = model.body(f"vx300s_{side}/gripper_link").id
        names = ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate")
        joints = [model.joint(f"vx300s_{side}/{name}") for name in names]
        self._places = [int(joint.qposadr[0]) for joint in joints]
        self._freedoms = [int(joint.dofadr[0]) for joint in joints]
        self._low, self._high = np.array([joint.range for joint in joints]).T

    def pose(self, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(the point between the fingertips, m, float (3,); the gripper's frame, float (3, 3))."""
        self._data.qpos[self._places] = joints
        self._mujoco.mj_kinematics(self._model, self._data)
        self._mujoco.mj_comPos(self._model, self._data)
        frame = self._data.xmat[self._body].reshape(3, 3).copy()
        return self._data.xpos[self._body] + REACH * frame[:, 0], frame

    def heading(self, point: np.ndarray) -> float:
        """The yaw (rad) of a gripper at this point that the arm points at without a twist."""
        away = point[:2] - self._base
        return math.atan2(away[1], away[0])

    def solve(self, point: np.ndarray, frame: np.ndarray, guess: np.ndarray) -> np.ndarray:
        """Joints, rad, float (6,), near `guess`, that bring the gripper to this point and frame.

        Where that is out of reach, the nearest ones that were found.
        """
        joints = np.clip(guess, self._low, self._high)
        towards, turning = np.zeros((3, self._model.nv)), np.zeros((3, self._model.nv))
        for _ in range(ROUNDS):
            here, seen = self.pose(joints)
            off = np.concatenate([point - here, _turn(seen, frame)])
            if np.linalg.norm(off[:3]) < NEAR and np.linalg.norm(off[3:]) < TURNED:
                break
            self._mujoco.mj_jac(self._model, self._data, towards, turning, here, self._body)
            jacobian = np.concatenate([towards, turning])[:, self._freedoms]
            square = jacobian @ jacobian.T + DAMPING * np.eye(6)
            change = jacobian.T @ np.linalg.solve(square, off)
            largest = float(np.abs(change).max())
            joints = np.clip(joints + change * min(1.0, STEP / largest), self._low, self._high)
        return joints


def _turn(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """The rotation vector (rad, world frame) from one frame to another, exact for small angles."""
    turned: np.ndarray = 0.5 * (
        np.cross(here[:, 0], there[:, 0])
        + np.cross(here[:, 1], there[:, 1])
        + np.cross(here[:, 2], there[:, 2])
    )
    return turned
