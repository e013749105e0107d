"""A toy whose state and actions are vectors, and policies that are wired to it in a wrong way.

The task: lift the hand to the object's height, turn it as the object is turned, and set a joint to
an angle that the height says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import toys

from harness.core import Adapter, Agent, Answer, Box, Brief, Case, Field, Task, TimeStep, Turn
from harness.policies.profiles.rotations import convert

__all__ = ["FAULTS", "PoseAdapter", "Posed", "pose_task"]

QUATERNION = "quaternion_xyzw"
STATE = (
    Field("object_rotation", 4, "absolute", "world", "1", QUATERNION),
    Field("eef_rotation", 4, "absolute", "world", "1", QUATERNION),
    Field("object_height", 1, "absolute", "world", "m"),
    Field("eef_height", 1, "absolute", "world", "m"),
)
ACTION = (
    Field("eef_rotation", 3, "absolute", "world", "rad", "axis_angle"),
    Field("joint_position", 1, "absolute", unit="rad"),
    Field("eef_height", 1, "delta", "world", "m"),
)
TOP = 3.0
"""Metres."""
LIFT = 0.2
"""Metres of one step."""
TURN = 1.2
"""Radians of one step."""
SEEN_LOW, SEEN_HIGH = np.array([-1.0] * 8 + [0, 0]), np.array([1.0] * 8 + [TOP, TOP])
HIGH = np.array([6.4, 6.4, 6.4, 3.2, LIFT])
LOW = -HIGH


def pose_task() -> Task:
    """The task toys/pose@1."""
    return toys.toy_task("pose", adapter="wired_pose:PoseAdapter", max_steps=9,
                         domain="manipulation")  # fmt: skip


class PoseAdapter(Adapter):
    """A hand that turns towards a rotation and is lifted, and a joint that goes to an angle."""

    patience_s = 120.0
    own_streams = True

    def __init__(self, task: Task) -> None:
        state = Box((10,), "float32", tuple(SEEN_LOW), tuple(SEEN_HIGH), layout=STATE)
        self.brief = Brief(
            observation={"state": state},
            action=Box((5,), "float32", tuple(LOW), tuple(HIGH), layout=ACTION),
            embodiment="a hand",
            simulator="toy hand",
        )

    @classmethod
    def env_key(cls, task: Task) -> str:
        return "pose"

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        return True

    def reset(self, case: Case) -> TimeStep:
        rng = case.rng("start")
        self.steps = 0
        self.object = _turned(rng.normal(size=3), rng.uniform(1.0, 2.8))
        self.hand = np.array([0.0, 0.0, 0.0, 1.0])
        self.wanted = float(rng.uniform(1.05, 1.95))
        self.height = self.wanted + float(rng.choice([-1, 1]) * rng.uniform(0.75, 1.0))
        self.joint = 0.0
        return self.seen()

    def step(self, action: Any) -> TimeStep:
        action = self.brief.action.validate(action).astype(np.float64)
        self.steps += 1
        goal = convert(action[:3], "axis_angle", QUATERNION)
        missing = convert(_times(goal, _back(self.hand)), QUATERNION, "axis_angle")
        self.hand = _times(convert(_within(missing), "axis_angle", QUATERNION), self.hand)
        self.joint += float(np.clip(action[3] - self.joint, -TURN, TURN))
        self.height = float(np.clip(self.height + action[4], 0.0, TOP))
        return self.seen()

    def seen(self) -> TimeStep:
        turn = _within(convert(_times(self.object, _back(self.hand)), QUATERNION, "axis_angle"), 9)
        off = max(
            float(np.linalg.norm(turn)) / 0.15,
            abs(self.joint - 1.5 * self.wanted) / 0.1,
            abs(self.height - self.wanted) / 0.02,
        )
        state = np.array([*self.object, *self.hand, self.wanted, self.height], np.float32)
        solved = off <= 1
        return TimeStep(
            observation={"state": np.clip(state, SEEN_LOW, SEEN_HIGH).astype(np.float32)},
            instruction="take it",
            reward=float(solved),
            terminated=solved,
            success=solved,
            metrics={"off": off},
        )

    def expert(self, executed: Any) -> Any:
        return answer_for(np.array([*self.object, *self.hand, self.wanted, self.height]))

    def state(self) -> bytes:
        numbers = [*self.object, *self.hand, self.wanted, self.height, self.joint, self.steps]
        return np.array(numbers).tobytes()


def answer_for(state: np.ndarray) -> np.ndarray:
    """The right action."""
    turn = convert(state[:4], QUATERNION, "axis_angle")
    lift = np.clip(state[8] - state[9], -LIFT, LIFT)
    return np.array([*turn, 1.5 * state[8], lift], np.float64)


def _turned(axis: np.ndarray, angle: float) -> np.ndarray:
    return convert(axis / np.linalg.norm(axis) * angle, "axis_angle", QUATERNION)


def _times(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The turn `other` followed by the turn `one`; quaternions x, y, z, w."""
    a, b = one[:3], other[:3]
    vector = one[3] * b + other[3] * a + np.cross(a, b)
    return np.array([*vector, one[3] * other[3] - a @ b])


def _back(turn: np.ndarray) -> np.ndarray:
    return turn * [-1, -1, -1, 1]


def _within(turn: np.ndarray, most: float = TURN) -> np.ndarray:
    """The rotation vector the short way round, of at most so many radians."""
    angle = float(np.linalg.norm(turn))
    if angle < 1e-9:
        return turn
    short = (angle + np.pi) % (2 * np.pi) - np.pi
    return turn / angle * np.clip(short, -most, most)


def _rotation(representation: str) -> Callable[[Any], Any]:
    return lambda action: np.array(
        [*convert(action[:3], "axis_angle", representation), *action[3:]]
    )


STATES: Mapping[str, Callable[[Any], Any]] = {
    "quaternion_order": lambda state: np.array(
        [*np.roll(state[:4], -1), *np.roll(state[4:8], -1), *state[8:]]
    ),
    "normalised_state": lambda state: SEEN_LOW + (state + 1) / 2 * (SEEN_HIGH - SEEN_LOW),
}
ACTIONS: Mapping[str, Callable[[Any], Any]] = {
    "euler": _rotation("euler_xyz"),
    "intrinsic": _rotation("euler_xyz_intrinsic"),
    "degrees": lambda action: action * [1, 1, 1, 180 / np.pi, 1],
    "radians_twice": lambda action: action * [1, 1, 1, np.pi / 180, 1],
    "tenth": lambda action: action * [1, 1, 1, 1, 0.1],
    "half": lambda action: action * [1, 1, 1, 1, 0.5],
    "double": lambda action: action * [1, 1, 1, 1, 2],
    "ten_times": lambda action: action * [1, 1, 1, 1, 10],
    "normalised_again": lambda action: 2 * (action - LOW) / (HIGH - LOW) - 1,
    "unnormalised_again": lambda action: LOW + (action + 1) / 2 * (HIGH - LOW),
}
FAULTS: Mapping[str, Sequence[str]] = {
    "quaternion_order": [
        "state: object_rotation as quaternion_wxyz", "state: all rotations as quaternion_wxyz",
    ],
    "normalised_state": ["state normalised into -1..1"],
    "euler": ["action: eef_rotation read as euler_xyz"],
    "intrinsic": ["action: eef_rotation read as euler_xyz_intrinsic"],
    "degrees": ["action: joint_position read as degrees"],
    "radians_twice": ["action: joint_position read as radians twice"],
    "tenth": ["actions 10 times as large"],
    "half": ["actions 2 times as large"],
    "double": ["actions 0.5 times as large"],
    "ten_times": ["actions 0.1 times as large"],
    "normalised_again": ["actions un-normalised from -1..1"],
    "unnormalised_again": ["actions normalised into -1..1"],
    "late": ["answers follow what was seen 1 requests before, not what is seen now"],
    "first_only": ["after the first answer nothing that is seen matters: it sees one view only"],
    "chunk": ["asked at every step"],
    "blind": ["no answer depends on any view"],
    "newest_first": ["observations in the order newest first"],
}  # fmt: skip
"""Fault -> what is right to say of it first; that of each list is the same here."""


class Posed(Agent):
    """Does the right thing by one wrong wire. Without a fault it succeeds.

    `errs`: in this share of its episodes it does nothing.
    """

    reads = ("state",)

    def __init__(self, fault: str = "", errs: float = 0.0) -> None:
        self.fault, self.errs = fault, errs
        if fault == "newest_first":
            self.history = 2  # type: ignore[misc]

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [self._one(turn) for turn in turns]

    def _one(self, turn: Turn) -> Any:
        fault = self.fault
        newest = 0 if fault == "newest_first" else -1
        state = turn.observations[newest]["state"].astype(np.float64)
        memory = turn.memory
        if fault == "late":
            state, memory = state if memory is None else memory, state
        if fault == "first_only":
            state = memory = state if memory is None else memory
        if fault == "blind":
            state = np.array([0, 0, 0, 1, 0, 0, 0, 1, 1.0, 1.0])
        action = answer_for(STATES[fault](state) if fault in STATES else state)
        if int(turn.episode, 16) % 1000 < 1000 * self.errs:
            action = np.zeros(5)
        if fault in ACTIONS:
            action = ACTIONS[fault](action)
        return Answer([action] * (4 if fault == "chunk" else 1), memory=memory)
