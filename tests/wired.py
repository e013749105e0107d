"""A toy with two cameras and a gripper, and policies that are wired to it in a wrong way.

The task: move the point to the goal and close the gripper there. `image` shows the point in red,
`image_side` the goal in green.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import toys

from harness.core import Agent, Answer, Box, Brief, Case, Field, Task, TimeStep, Turn
from harness.probes.wiring.pictures import zoomed

__all__ = ["FAULTS", "SIDE", "Broken", "OneEyed", "WiredAdapter", "wired_task"]

SIDE = 32
"""Pixels of a picture."""
LOW, HIGH = np.array([-4, -4, -1.0]), np.array([4, 4, 1.0])
LAYOUT = (
    Field("eef_position", 2, "delta", "world"),
    Field("gripper", 1, "command", unit="1", sign="positive closes"),
)


def wired_task(name: str = "grasp", **params: Any) -> Task:
    """The task toys/NAME@1; params of ToyAdapter, and `words`: instructions that differ."""
    return toys.toy_task(
        name, adapter="wired:WiredAdapter",
        **{"size": 16, "max_steps": 10, "domain": "manipulation", **params},
    )  # fmt: skip


class WiredAdapter(toys.ToyAdapter):
    """The toys' square with other views and actions: dx, dy, gripper (1 closes)."""

    patience_s = 120.0  # nothing here hangs, however busy the machine is

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        picture = Box((SIDE, SIDE, 3), "uint8", 0, 255, "", "RGB from above")
        self.brief = Brief(
            observation={"image": picture, "image_side": picture, "clock": Box((1,), low=0.0)},
            action=Box((3,), "float32", tuple(LOW), tuple(HIGH), layout=LAYOUT),
            embodiment="a point with a gripper",
            simulator="toy square",
        )

    @classmethod
    def env_key(cls, task: Task) -> str:
        return f"wired {task.params['size']}"

    def reset(self, case: Case) -> TimeStep:
        self.closed = False
        self.far = bool(case.rng("far").integers(2)) and "words" in case.task.params
        return super().reset(case)

    def step(self, action: Any) -> TimeStep:
        action = self.brief.action.validate(action)
        self.steps += 1
        self.closed = bool(action[2] > 0.5)
        # Only what is open moves.
        move = action[:2] if action[2] < -0.5 else np.zeros(2)
        self.point = np.clip(self.point + move, 0, self.size - 1).astype(np.float32)
        return self.seen()

    def target(self) -> np.ndarray:
        """Where the point is to go: the goal, or the opposite corner where it is told `far`."""
        return self.size - 1 - self.goal if self.far else self.goal

    def seen(self) -> TimeStep:
        distance = float(np.abs(self.target() - self.point).max())
        solved = distance <= 0.5 and self.closed
        point, goal = self.point.copy(), self.goal.copy()
        return TimeStep(
            observation={
                "image": lambda: self.paint(point, 0),
                "image_side": lambda: self.paint(goal, 1),
                "clock": np.array([self.steps], np.float32),
            },
            instruction="go far" if self.far else "go near",
            reward=float(solved),
            terminated=solved,
            success=solved,
            metrics={"distance": distance},
        )

    def paint(self, place: np.ndarray, channel: int) -> np.ndarray:
        """A picture with a blot."""
        image = np.zeros((SIDE, SIDE, 3), np.uint8)
        column, row = np.round(place * SIDE / self.size).astype(int)
        image[row : row + 2, column : column + 2, channel] = 255
        return image

    def expert(self, executed: Any) -> Any:
        return answer_for(self.point, self.target())


def answer_for(point: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """The right action."""
    ahead = goal - point
    there = float(np.abs(ahead).max()) <= 0.5
    return np.array([*np.clip(ahead, -4, 4), 1 if there else -1], np.float32)


def _picture(act: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def shown(seen: Any) -> Any:
        return {**seen, **{name: act(seen[name]) for name in ("image", "image_side")}}

    return shown


VIEWS: Mapping[str, Callable[[Any], Any]] = {
    "turned": _picture(lambda image: image[::-1, ::-1]),
    "upside_down": _picture(lambda image: image[::-1]),
    "mirrored": _picture(lambda image: image[:, ::-1]),
    "bgr": _picture(lambda image: image[..., ::-1]),
    "transposed": _picture(lambda image: np.swapaxes(image, 0, 1)),
    "cropped": _picture(lambda image: zoomed(image, 1.25)),
    "padded": _picture(lambda image: zoomed(image, 0.8)),
    "one_mirrored": lambda seen: {**seen, "image": seen["image"][:, ::-1]},
    "cameras": lambda seen: {
        **seen, "image": seen["image_side"], "image_side": seen["image"],
    },
}  # fmt: skip
ACTIONS: Mapping[str, Callable[[Any], Any]] = {
    "gripper_sign": lambda action: action * [1, 1, -1],
    "gripper_unit": lambda action: np.array([*action[:2], (action[2] + 1) / 2]),
    "too_small": lambda action: action * [0.1, 0.1, 1],
    "too_large": lambda action: action * [10, 10, 1],
    "normalised": lambda action: 2 * (action - LOW) / (HIGH - LOW) - 1,
    "unnormalised": lambda action: LOW + (action + 1) / 2 * (HIGH - LOW),
}
OTHERS = ("chunk", "late", "first_only", "blind", "deaf", "unused_camera")
FAULTS: Mapping[str, Sequence[str]] = {
    "turned": ["all pictures turned by 180 degrees"],
    "upside_down": ["all pictures turned upside down"],
    "mirrored": ["all pictures mirrored"],
    "bgr": ["all pictures with red and blue exchanged", "image with red and blue exchanged"],
    "transposed": ["all pictures with rows and columns exchanged"],
    "cropped": [
        "all pictures shrunk 1.25 times",
        "no answer depends on the outer tenth of image: it may be cropped",
    ],
    "padded": ["all pictures enlarged 1.25 times"],
    "one_mirrored": ["image mirrored"],
    "cameras": ["image and image_side exchanged"],
    "gripper_sign": ["the sign of gripper turned"],
    "gripper_unit": ["gripper read as 0..1"],
    "too_small": ["actions 10 times as large"],
    "too_large": ["actions 0.1 times as large"],
    "normalised": ["actions un-normalised from -1..1", "actions 2 times as large"],
    "unnormalised": ["actions normalised into -1..1", "actions 0.5 times as large"],
    "chunk": ["asked at every step"],
    "late": ["answers follow what was seen 1 requests before, not what is seen now"],
    "first_only": ["after the first answer nothing that is seen matters: it sees one view only"],
    "blind": ["no answer depends on any view"],
    "deaf": ["no answer depends on the instruction, although it differs between cases"],
    "unused_camera": ["no answer depends on the view image_side"],
}
"""Fault -> what is right to say of it first; that of each list is the same here."""


class Broken(Agent):
    """Finds point and goal in the pictures, by one wrong wire. Without a fault it succeeds.

    `errs`: in this share of its episodes it does nothing.
    """

    reads = ("image", "image_side")

    def __init__(self, fault: str = "", errs: float = 0.0) -> None:
        self.fault, self.errs = fault, errs

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [self._one(turn) for turn in turns]

    def _one(self, turn: Turn) -> Any:
        seen = dict(turn.observation)
        fault = self.fault
        memory = turn.memory
        if fault == "late":
            seen, memory = dict(turn.memory or seen), seen
        if fault == "first_only":
            seen = memory = dict(turn.memory or seen)
        if fault == "blind":
            seen = {name: np.full_like(view, 128) for name, view in seen.items()}
        if fault == "unused_camera":  # it always goes to one place
            seen["image_side"] = np.zeros((SIDE, SIDE, 3), np.uint8)
            seen["image_side"][16:18, 16:18, 1] = 255
        action = self._right(VIEWS[fault](seen) if fault in VIEWS else seen, turn)
        if int(turn.episode, 16) % 1000 < 1000 * self.errs:
            action = turn.brief.action.noop()
        if fault in ACTIONS:
            action = ACTIONS[fault](action)
        if fault == "chunk":
            return Answer([action] * 8)
        return Answer([action], memory=memory)

    def _right(self, seen: Mapping[str, Any], turn: Turn) -> Any:
        places = [
            np.argwhere(seen[name][..., channel] > 200)
            for name, channel in (("image", 0), ("image_side", 1))
        ]
        if not all(map(len, places)):
            return turn.brief.action.noop()
        point, goal = (place.min(axis=0)[::-1] * 16 / SIDE for place in places)
        if "far" in turn.instruction and self.fault != "deaf":
            goal = 15 - goal
        return answer_for(point, goal)


class OneEyed(Agent):
    """Asks for two pictures, reads one, and acts at random."""

    reads = ("image", "image_side")

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [
            turn.brief.action.sample(turn.rng) for turn in turns if turn.observation["image"].any()
        ]
