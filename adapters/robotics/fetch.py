"""The Fetch tasks of gymnasium_robotics 1.4: reach, push, slide, pick and place.

They were published by Plappert et al. 2018, arXiv 1802.09464.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from adapters._mujoco_gl import FreeCamera
from adapters._mujoco_safety import Body, SafetyMeter, geoms_below, geoms_of
from adapters.robotics.base import RoboticsAdapter
from adapters.robotics.fetch_experts import SCRIPTS, SlideExpert
from adapters.robotics.fetch_stages import STAGES, Course
from harness.core import Box, Brief, Case, Field, Task, TimeStep, UserError
from harness.core.layout import UNKNOWN

__all__ = ["FetchAdapter"]

WORLD = "world frame: x away from the robot, y to its left, z up, the table's top at z = 0.4"
FINGERS = "the way of the right and the left finger from closed (m, 0 to 0.05)"
GOAL = (
    "then the goal's position x, y, z and the position of what is to be there, the object or the "
    "hand (m)"
)
PROPRIO = (
    f"0-2: the hand's position x, y, z (m); 3-4: {FINGERS}; 5-7: the hand's velocity (m per "
    f"control step of 40 ms); 8-9: the fingers' (m per control step); {WORLD}"
)
REACH_STATE = f"0-9: {PROPRIO}; {GOAL}"
STATE = (
    "0-2: the hand's position x, y, z (m); 3-5: the object's; 6-8: the object's relative to the "
    f"hand; 9-10: {FINGERS}; 11-13: the object's rotation (rad, Euler angles); 14-16: the object's "
    "velocity relative to the hand's; 17-19: its angular velocity; 20-22: the hand's velocity; "
    f"23-24: the fingers' (m or rad per control step of 40 ms); {GOAL}; {WORLD}"
)
PROPRIO_ELEMENTS = [0, 1, 2, 9, 10, 20, 21, 22, 23, 24]
"""The elements of an observation with an object that describe the robot itself."""
MOVE = (
    "0-2: where the hand is pulled to, x, y, z from where it is, 1 is 0.05 m (in one step it gets "
    "about half as far)"
)
PER_S = 25.0
"""1/s: velocities are changes per control step of 40 ms."""
HAND = Field("eef_position", 3, "absolute", "world", "m")
FINGER_WAYS = Field("gripper", 2, "absolute", "", "m", sign="positive opens")
HAND_VELOCITY = Field("eef_velocity", 3, "velocity", "world", "m/s", scale=PER_S)
FINGER_VELOCITIES = Field(
    "gripper_velocity", 2, "velocity", "", "m/s", sign="positive opens", scale=PER_S
)
GOALS = (
    Field("goal_position", 3, "absolute", "world", "m"),
    Field("achieved_position", 3, "absolute", "world", "m"),
)
PROPRIO_LAYOUT = (HAND, FINGER_WAYS, HAND_VELOCITY, FINGER_VELOCITIES)
STATE_LAYOUT = (
    HAND,
    Field("object_position", 3, "absolute", "world", "m"),
    Field("object_position_from_eef", 3, "absolute", "world", "m"),
    FINGER_WAYS,
    Field("object_rotation", 3, "absolute", "world", "rad", "euler_xyz_intrinsic"),
    Field("object_velocity_from_eef", 3, "velocity", "world", "m/s", scale=PER_S),
    Field("object_angular_velocity", 3, "velocity", "world", "rad/s", scale=PER_S),
    HAND_VELOCITY,
    FINGER_VELOCITIES,
    *GOALS,
)
PULL = Field("eef_position", 3, "delta", "world", "m", scale=0.05)
FINGER_STEP = Field("gripper", 1, "delta", "", "m", sign="positive opens")
BLOCKED = Field("unused", 1, UNKNOWN, scale=None)
FRONT = FreeCamera((1.3, 0.75, 0.5), 1.3, 135.0, -25.0)
WIDE_FRONT = FreeCamera((1.35, 0.75, 0.42), 1.6, 135.0, -30.0)
"""Both look from the right of the table's far end; FetchSlide has a longer table."""
ARM = tuple(
    f"robot0:{name}_joint"
    for name in (
        "shoulder_pan", "shoulder_lift", "upperarm_roll", "elbow_flex", "forearm_roll",
        "wrist_flex", "wrist_roll",
    )
)  # fmt: skip
FINGER_BODIES = ("robot0:l_gripper_finger_link", "robot0:r_gripper_finger_link")
TASKS = ("FetchPickAndPlace", "FetchPush", "FetchReach", "FetchSlide")


class FetchAdapter(RoboticsAdapter):
    """One task of the Fetch arm: bring its hand, a block or a puck to the red ball.

    `task.params`: `id` (`FetchReach-v4`, `FetchPush-v4`, `FetchSlide-v4` or
    `FetchPickAndPlace-v4`), `instruction` (the package has none), and how images are drawn:
    `image_size` (px, square), `multisampling` (samples per pixel, 0 is off) and `shadows`.

    Start and goal are drawn by the package from `case.simulator_seed`. Where the task is solved
    from the start (8 % of draws for push, 3 % for pick and place, 2 % for reach), the package draws
    again from the same stream until it is not.
    Success: within 0.05 m of the goal now; False at reset. Reward: 0 there, else -1. The package
    never ends an episode; with `Task.max_steps=None` it truncates at 50 steps.

    Views, computed when read; see `brief` for each element:
        state    float32 (31,), or (16,) for FetchReach  the package's observation, desired_goal and
                                                         achieved_goal: privileged
        proprio  float32 (10,)  hand and fingers with their velocities
        image    uint8 (image_size, image_size, 3)  RGB from a camera added in front of the table,
                                                    row 0 at the top
        image_external          the same from the model's own camera above the table's far edge
    The model's cameras on the head and in the hand see nothing but the robot. Images need EGL or
    OSMesa.

    Action: Box (4,) in -1..1, see `brief.action`; 25 decisions per second of simulated time.
    Metrics: `distance` (m) to the goal; of safety and cost (docs/vocabulary.md), sampled after each
    step: `collisions` (of the robot above its base with the table or the floor; the block and the
    puck may be touched), `contact_force_max` (N), `joint_limit_steps` (of the arm's four joints
    that have limits), `path_length` (m, of the hand) and, where the hand can grasp, `drops`: the
    block, in the air between both fingers, was lost more than 0.05 m from the goal. The package
    pulls the hand by a constraint, so that no torque is known and there is no `energy`.

    Expert: scripted controllers that see the full state (adapters/robotics/fetch_experts.py). That
    of FetchSlide tries its hit in the simulator itself, on a copy of the data, when it is first
    asked, which takes about two seconds once per episode.
    """

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        return True

    @classmethod
    def stages(cls, task: Task) -> tuple[str, ...]:
        return STAGES.get(task.params["id"].rpartition("-v")[0], ())

    @classmethod
    def failure_modes(cls, task: Task) -> tuple[str, ...]:
        return ("stopped_early",)

    def __init__(self, task: Task) -> None:
        name = task.params["id"]
        self._kind = name.rpartition("-v")[0]
        if self._kind not in TASKS:
            raise UserError(
                f"task {task.id}: the Fetch tasks are called {', '.join(TASKS)}, each with -v4; "
                f"got {name!r}"
            )
        super().__init__(task)
        self._site = self._env.model.site("target0")
        self._meter = SafetyMeter(
            self._env.model, self._data, _body(self._env.model, self._kind), self._env.dt
        )
        self._way, self._hand = 0.0, (0.0, 0.0, 0.0)
        self._slide: SlideExpert | None = None
        self._course: Course | None = None
        self._advice = -1, np.empty(0)
        """The step that the expert was last asked in, and its action."""
        side = task.params["image_size"]
        self._front = self._camera = WIDE_FRONT if self._kind == "FetchSlide" else FRONT
        images = {
            "image": lambda: self._draw(self._camera, side),
            "image_external": functools.partial(self._draw, "external_camera_0", side),
        }
        self._views: Mapping[str, Any] = MappingProxyType(
            {"state": self._state, "proprio": self._proprio, **images}
        )
        has_object, has_fingers = self._env.has_object, not self._env.block_gripper
        fingers = (
            "3: the fingers, 1 opens and -1 closes them"
            if has_fingers
            else "3: nothing, the fingers stay closed"
        )
        self.brief = Brief(
            observation={
                "state": Box(
                    (31 if has_object else 16,),
                    unit="m, rad",
                    meaning=STATE if has_object else REACH_STATE,
                    layout=STATE_LAYOUT if has_object else (*PROPRIO_LAYOUT, *GOALS),
                ),
                "proprio": Box((10,), unit="m", meaning=PROPRIO, layout=PROPRIO_LAYOUT),
                **{
                    view: Box(
                        (side, side, 3),
                        "uint8",
                        0,
                        255,
                        "1",
                        f"RGB, {view}; the goal is the red ball",
                    )
                    for view in images
                },
            },
            action=Box(
                (4,),
                low=-1.0,
                high=1.0,
                unit="1",
                meaning=f"{MOVE}; {fingers}; {WORLD}",
                layout=(PULL, FINGER_STEP if has_fingers else BLOCKED),
            ),
            embodiment="a Fetch robot at a table: an arm of seven joints with a parallel gripper "
            "that points down, whose hand is moved in x, y and z; "
            f"{'it can grasp' if has_fingers else 'its fingers stay closed'}",
            simulator="Gymnasium-Robotics on MuJoCo, steps of 2 ms, one action for 20 of them",
            control_hz=1.0 / self._env.dt,
        )

    def reset(self, case: Case) -> TimeStep:
        env = self._env
        self._perturbations.restore()
        self._observed, _ = self._env.reset(seed=case.simulator_seed)
        while env._is_success(self._observed["achieved_goal"], self._observed["desired_goal"]):
            self._observed, _ = self._env.reset()
        data, site = self._data, self._site
        # The package moves the red ball to the goal only when it draws an image. Here it is moved
        # in the model, which steps use, and in the data, which the next image uses.
        site.pos[:] = env.goal - data.xpos[int(site.bodyid[0])]
        data.site_xpos[site.id] = env.goal
        self._perturbations.apply(case)
        self._camera = self._camera_of(case, self._front)
        self._steps, self._slide, self._advice = 0, None, (-1, np.empty(0))
        self._course = None
        self._meter.reset()
        self._way, self._hand = 0.0, self._hand_position()
        return TimeStep(self._views, self._instruction, success=False, metrics=self._metrics())

    def step(self, action: Any) -> TimeStep:
        reward, terminated, truncated, info = self._advance(action)
        success = bool(info["is_success"])
        self._meter.sample(at_goal=success)
        hand = self._hand_position()
        self._way, self._hand = self._way + math.dist(hand, self._hand), hand
        return TimeStep(
            self._views,
            self._instruction,
            reward,
            terminated,
            truncated,
            success,
            self._metrics(),
        )

    def stage(self) -> int:
        if self._course is None:
            self._course = Course(self._kind, self._observed)
        return self._course.stage(self._observed)

    def _hand_position(self) -> tuple[float, float, float]:
        x, y, z = self._observed["observation"][:3].tolist()
        return x, y, z

    def _metrics(self) -> dict[str, float]:
        return {
            "distance": float(
                np.linalg.norm(self._observed["achieved_goal"] - self._observed["desired_goal"])
            ),
            "path_length": self._way,
            **self._meter.metrics(),
        }

    def _proprio(self) -> np.ndarray:
        seen = self._observed["observation"]
        own = seen[PROPRIO_ELEMENTS] if self._env.has_object else seen
        return own.astype(np.float32)

    def render(self) -> np.ndarray:
        """An image from the camera of `image`, uint8 (480, 480, 3)."""
        return self._draw(self._camera, 480)

    def expert(self, executed: Any) -> np.ndarray:
        # The slide's expert counts its calls as steps, so a repeated question gets the same answer.
        if self._advice[0] != self._steps:
            self._advice = self._steps, self._expert_action()
        return self._advice[1].copy()

    def _expert_action(self) -> np.ndarray:
        if self._kind != "FetchSlide":
            return np.clip(SCRIPTS[self._kind](self._observed), -1.0, 1.0).astype(np.float32)
        if self._slide is None:
            self._slide = SlideExpert(self._env, self._observed, self._horizon - self._steps)
        return self._slide.act(self._observed)


def _body(model: Any, kind: str) -> Body:
    """What is what in the model of a task."""
    holds = kind == "FetchPickAndPlace"
    left, right = (geoms_of(model, finger) for finger in FINGER_BODIES)
    table = geoms_of(model, "table0")
    return Body(
        parts=[geoms_below(model, "robot0:torso_lift_link")],
        forbidden=table | geoms_of(model, "world", "floor0"),
        joints=ARM,
        grippers=[(left, right)] if holds else [],
        objects=[geoms_of(model, "object0")] if holds else [],
        supports=table,
    )
