"""A trot for the ant of Gymnasium, in any direction without turning: what the expert of AntMaze walks with.

Two diagonal pairs of legs swing in turn, after a clock. In its stance a foot goes back along the wanted direction: the hip sweeps it
sideways, the ankle pulls it in or pushes it out; then it is lifted. Torques follow the wanted joint angles (proportional and derivative).
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["trot"]

_LEGS = np.radians([45.0, 135.0, 225.0, 315.0])
"""Where front left, front right, back left and back right point to in the torso's frame."""
_OUT = np.stack([np.cos(_LEGS), np.sin(_LEGS)], 1)
_ROUND = np.stack([-np.sin(_LEGS), np.cos(_LEGS)], 1)
_DOWN = np.array([1.0, -1.0, -1.0, 1.0])
"""The sign that lowers the foot, of each ankle."""
_PHASE = np.array([0.0, math.pi, 0.0, math.pi])
_ACTUATORS = [6, 7, 0, 1, 2, 3, 4, 5]
"""The joint of each element of an action."""

STRIDE, SWEEP, BEND, LIFT, PULL, STIFF, DAMP = 12.036, 0.292, 0.918, 0.245, 0.617, 1.714, 0.118
"""rad/s of the clock; rad of the hips' sweep, the ankles' mean bend, lift and pull; torque (of 150 N m) for a rad and for a rad/s.

Found by a random search, on flat ground, for the speed along the slowest of four directions between two legs, less half of the drift."""


def trot(time_s: float, direction: float, qpos: np.ndarray, qvel: np.ndarray) -> np.ndarray:
    """The action, float32 (8,) in -1..1, that walks towards `direction` (rad, world frame); qpos (15,) and qvel (14,) are MuJoCo's."""
    w, x, y, z = qpos[3:7].tolist()
    ahead = direction - math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
    forward = np.array([math.cos(ahead), math.sin(ahead)])
    clock = STRIDE * time_s + _PHASE
    swing = np.cos(clock)
    wanted = np.empty(8)
    wanted[0::2] = np.clip(SWEEP * (_ROUND @ forward) * swing, -0.55, 0.55)
    wanted[1::2] = _DOWN * np.clip(
        BEND + LIFT * np.sin(clock) - PULL * (_OUT @ forward) * swing, 0.5, 1.25
    )
    torques = STIFF * (wanted - qpos[7:15]) - DAMP * qvel[6:14]
    return np.clip(torques, -1.0, 1.0)[_ACTUATORS].astype(np.float32)
