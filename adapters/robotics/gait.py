"""A trot for Gymnasium's ant, in any direction without turning; the expert of AntMaze uses it.

A clock makes two diagonal pairs of legs swing in turn. In stance a foot moves against the direction
of travel: the hip sweeps it sideways, the ankle pulls it in or pushes it out; then it is lifted. A
proportional-derivative controller turns the wanted joint angles into torques.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["trot"]

_LEGS = np.radians([45.0, 135.0, 225.0, 315.0])
"""The directions of the legs front left, front right, back left and back right, torso frame."""
_OUT = np.stack([np.cos(_LEGS), np.sin(_LEGS)], 1)
_ROUND = np.stack([-np.sin(_LEGS), np.cos(_LEGS)], 1)
_DOWN = np.array([1.0, -1.0, -1.0, 1.0])
"""For each ankle, the sign that lowers the foot."""
_PHASE = np.array([0.0, math.pi, 0.0, math.pi])
_ACTUATORS = [6, 7, 0, 1, 2, 3, 4, 5]
"""The joint of each element of an action."""

STRIDE, SWEEP, BEND, LIFT, PULL, STIFF, DAMP = 12.036, 0.292, 0.918, 0.245, 0.617, 1.714, 0.118
"""The clock (rad/s); the hips' sweep, the ankles' mean bend, lift and pull (rad); torque (1 is
150 N m) per rad and per rad/s.

Found by random search on flat ground. It maximised the speed in the slowest of four directions
between two legs, minus half of the drift.
"""


def trot(time_s: float, direction: float, qpos: np.ndarray, qvel: np.ndarray) -> np.ndarray:
    """The action that walks towards `direction` (rad, world frame), float32 (8,) in -1..1.

    `time_s` is the episode's time; `qpos` (15,) and `qvel` (14,) are MuJoCo's.
    """
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
    action: np.ndarray = np.clip(torques, -1.0, 1.0)[_ACTUATORS]
    return action.astype(np.float32)
