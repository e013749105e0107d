"""Experts for gym-aloha, written for this project: they know the poses of the objects.

Each arm follows waypoints that are laid through where the objects lie at the start; inverse
kinematics turns them into joints. What both arms hold is brought together by where it is now.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from adapters.aloha.kinematics import Arm, rotation

__all__ = ["Insertion", "TransferCube"]

OPEN, CLOSED = 1.0, 0.0
PICK = 0.5
"""rad below the horizon that a hand points when it picks something up."""
ABOVE, AT = 0.10, 0.003
"""m above an object's centre: before a hand goes down, and where it grips."""
OVER, DOWN, GRIPPED = 60, 95, 125
"""Steps by which a hand is above an object, around it, and has gripped it."""


@dataclass(frozen=True)
class Waypoint:
    """Where a gripper is at a step."""

    step: int
    point: np.ndarray
    """m, float (3,), between the fingertips, world frame."""
    pitch: float
    roll: float
    """rad, see `rotation`."""
    grip: float
    """0 closed, 1 open."""
    turn: float = 0.0
    """rad, counter-clockwise from where the arm points at `point` without a twist."""


def along(way: list[Waypoint], step: int) -> Waypoint:
    """Where a way is at this step: smoothly between two waypoints, or at its end."""
    for before, after in itertools.pairwise(way):
        if step < after.step:
            share = min(max((step - before.step) / (after.step - before.step), 0.0), 1.0)
            share = share * share * (3.0 - 2.0 * share)
            return Waypoint(
                step,
                before.point + share * (after.point - before.point),
                before.pitch + share * (after.pitch - before.pitch),
                before.roll + share * (after.roll - before.roll),
                before.grip + share * (after.grip - before.grip),
            )
    return way[-1]


def pick(start: Waypoint, at: np.ndarray) -> list[Waypoint]:
    """The way of a hand to an object at this place, float (3,), and down, until it has gripped."""
    above, there = at + np.array([0.0, 0.0, ABOVE]), at + np.array([0.0, 0.0, AT])
    return [
        start,
        Waypoint(OVER, above, PICK, 0.0, OPEN),
        Waypoint(DOWN, there, PICK, 0.0, OPEN),
        Waypoint(GRIPPED, there, PICK, 0.0, CLOSED),
    ]


class _TwoArms:
    """What both experts share: arms, and the way from waypoints to an action.

    `objects`, of all methods: float (n, 7), each object's x, y, z (m) and quaternion w, x, y, z.
    """

    def __init__(self, model: Any) -> None:
        """`model`: an MjModel of gym-aloha."""
        self._arms = (Arm(model, "left"), Arm(model, "right"))

    def reset(self, joints: np.ndarray, objects: np.ndarray) -> None:
        """Plan the ways. `joints`: rad, float (2, 6), of the left and the right arm."""
        self._step = 0
        self._joints = [joints[0].copy(), joints[1].copy()]
        starts = [
            Waypoint(0, arm.pose(each)[0], -0.1, 0.0, OPEN) for arm, each in zip(self._arms, joints)
        ]
        self._left, self._right = self.plan(starts[0], starts[1], objects)

    def plan(
        self, left: Waypoint, right: Waypoint, objects: np.ndarray
    ) -> tuple[list[Waypoint], list[Waypoint]]:
        """The ways of the left and of the right gripper, which are at `left` and `right`."""
        raise NotImplementedError

    def aim(self, step: int, objects: np.ndarray) -> tuple[Waypoint, Waypoint]:
        """Where both grippers should be at this step."""
        raise NotImplementedError

    def act(self, objects: np.ndarray) -> np.ndarray:
        """The next action, float (14,)."""
        aims = self.aim(self._step, objects)
        self._step += 1
        action: list[float] = []
        for number, (arm, aim) in enumerate(zip(self._arms, aims)):
            frame = rotation(arm.heading(aim.point) + aim.turn, aim.pitch, aim.roll)
            self._joints[number] = arm.solve(aim.point, frame, self._joints[number])
            action.extend([*self._joints[number], aim.grip])
        return np.array(action)


class TransferCube(_TwoArms):
    """The right hand lifts the cube to the middle; the left one takes it from above and below."""

    LIFTED, TOUCHING, TAKEN = 200, 245, 260
    MEET = np.array([0.0, 0.5, 0.25])
    ASIDE = MEET - np.array([0.16, 0.0, 0.0])

    def plan(
        self, left: Waypoint, right: Waypoint, objects: np.ndarray
    ) -> tuple[list[Waypoint], list[Waypoint]]:
        cube = np.array([objects[0, 0], objects[0, 1], 0.02])
        lift = Waypoint(self.LIFTED, self.MEET, PICK, 0.0, CLOSED)
        wait = Waypoint(self.LIFTED, self.ASIDE, 0.0, math.pi / 2, OPEN)
        return [left, wait], [*pick(right, cube), lift]

    def aim(self, step: int, objects: np.ndarray) -> tuple[Waypoint, Waypoint]:
        right, cube = along(self._right, step), objects[0, :3]
        there = [
            Waypoint(self.TOUCHING, cube, 0.0, math.pi / 2, OPEN),
            Waypoint(self.TAKEN, cube, 0.0, math.pi / 2, CLOSED),
        ]
        return along([*self._left, *there], step), right


class Insertion(_TwoArms):
    """The right hand lifts the peg, the left one the socket; the peg is pushed in, level."""

    LIFTED, ALIGNED, PUSHED = 195, 225, 285
    MIDDLE = np.array([0.0, 0.5, 0.16])
    APART, GAP, DEEP = 0.17, 0.04, -0.03
    """m: between the centres of both when they are lifted, from the tip of the peg to the opening
    before it is pushed, and after."""
    HALF = 0.06
    """m, of the lengths of both."""
    GAIN, TURN_GAIN = 0.15, 0.1
    """Shares of what is off that are corrected in a step."""

    def plan(
        self, left: Waypoint, right: Waypoint, objects: np.ndarray
    ) -> tuple[list[Waypoint], list[Waypoint]]:
        self._shift, self._pitch, self._turn = np.zeros(3), 0.0, 0.0
        ways = []
        for start, held, height, side in ((left, 1, 0.022, -1), (right, 0, 0.01, 1)):
            at = np.array([objects[held, 0], objects[held, 1], height])
            middle = self.MIDDLE + np.array([side * self.APART / 2, 0.0, 0.0])
            ways.append([*pick(start, at), Waypoint(self.LIFTED, middle, PICK, 0.0, CLOSED)])
        return ways[0], ways[1]

    def aim(self, step: int, objects: np.ndarray) -> tuple[Waypoint, Waypoint]:
        left, right = along(self._left, step), along(self._right, step)
        if step < self.LIFTED:
            return left, right
        (peg, along_peg), (socket, along_socket) = (_axis(each) for each in objects)
        share = (step - self.ALIGNED) / (self.PUSHED - self.ALIGNED)
        gap = self.GAP + (self.DEEP - self.GAP) * min(max(share, 0.0), 1.0)
        tip = peg - self.HALF * along_peg
        off = socket + (self.HALF + gap) * along_socket - tip
        self._shift = self._shift + self.GAIN * off
        rises = math.asin(along_socket[2]) - math.asin(along_peg[2])
        turns = math.atan2(along_socket[1], along_socket[0]) - math.atan2(
            along_peg[1], along_peg[0]
        )
        self._pitch += self.TURN_GAIN * rises
        self._turn += self.TURN_GAIN * turns
        right = replace(
            right,
            point=right.point + self._shift,
            pitch=right.pitch + self._pitch,
            turn=self._turn,
        )
        return left, right


def _axis(pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(an object's place, m; the direction of its long side, which is its x axis)."""
    w, x, y, z = pose[3:] / np.linalg.norm(pose[3:])
    way = np.array([1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)])
    return pose[:3], way
