"""A Shadow hand that turns a block, an egg or a pen, with 92 touch sensors: gymnasium_robotics 1.4.

The tasks were published by Plappert et al. 2018, arXiv 1802.09464, the touch sensors by Melnik et
al. 2021, doi 10.3389/frobt.2021.538773.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from adapters._mujoco_gl import FreeCamera
from adapters._mujoco_safety import Body, SafetyMeter, geoms_below
from adapters.robotics.base import RoboticsAdapter
from harness.core import Box, Brief, Case, Field, Task, TimeStep, UserError

__all__ = ["HandAdapter"]

SENSORS = 92
ENDING = "_ContinuousTouchSensors-v1"
OBJECTS = ("Block", "Egg", "Pen")
ON_PALM_M = 0.04
"""The package's own rule of a start: the object lies on the hand while its centre is above this."""
WORLD = "world frame: z up, the fingers point along -y, away from the wrist"
JOINTS = (
    "2 of the wrist, 4 each of the first, middle and ring finger, 5 each of the little finger and "
    "the thumb"
)
PROPRIO = f"0-23: the hand's joints (rad): {JOINTS}; 24-47: their velocities (rad/s)"
GOAL = "the object's position x, y, z (m) and its rotation (quaternion w, x, y, z)"
STATE = (
    f"{PROPRIO}; 48-50: the object's velocity (m/s), 51-53: its angular velocity in its own frame "
    f"(rad/s); 54-60: {GOAL} now; 61-67: those to be reached; {WORLD}"
)
TOUCH = (
    "the sum of the normal forces in the zone of each touch sensor: 0-7 of the palm; 8-24 of the "
    "first, 25-41 of the middle, 42-58 of the ring, 59-76 of the little finger; 77-91 of the thumb"
)
TOUCH_LAYOUT = tuple(
    Field(f"{part}/touch", size, "force", "", "N")
    for part, size in (
        ("palm", 8),
        ("first_finger", 17),
        ("middle_finger", 17),
        ("ring_finger", 17),
        ("little_finger", 18),
        ("thumb", 15),
    )
)
PROPRIO_LAYOUT = (
    Field("joint_position", 24, "absolute", "", "rad"),
    Field("joint_velocity", 24, "velocity", "", "rad/s"),
)
GOAL_LAYOUT = (
    Field("goal_position", 3, "absolute", "world", "m"),
    Field("goal_rotation", 4, "absolute", "world", "", "quaternion_wxyz"),
)
STATE_LAYOUT = (
    *PROPRIO_LAYOUT,
    Field("object_velocity", 3, "velocity", "world", "m/s"),
    Field("object_angular_velocity", 3, "velocity", "body", "rad/s"),
    Field("object_position", 3, "absolute", "world", "m"),
    Field("object_rotation", 4, "absolute", "world", "", "quaternion_wxyz"),
    *GOAL_LAYOUT,
)
CAMERA = FreeCamera((1.0, 0.96, 0.14), 0.5, 55.0, -25.0)
"""The package's own, from beside and above the hand."""
SIDE_M = 0.15
"""Where only the rotation counts, the goal is drawn this far beside the object along x."""


class HandAdapter(RoboticsAdapter):
    """One in-hand task of the Shadow hand: turn the object into the pose of the goal.

    `task.params`: `id` (`HandManipulate*_ContinuousTouchSensors-v1`), `instruction` (the package
    has none), and how images are drawn: `image_size` (px, square), `multisampling` (samples per
    pixel, 0 is off) and `shadows`. The package's environments with Boolean sensors are the same
    simulation, and `touch_contact` is what they show.

    Start and goal are drawn by the package from `case.simulator_seed`, again from the same stream
    where the task is solved at once. Success: now within 0.1 rad of the goal's rotation (of a pen's
    direction) and, where the position counts, within 0.01 m of its position (a pen: 0.05 m); False
    at reset. Reward: 0 there, else -1. The package never ends an episode; with
    `Task.max_steps=None` it truncates at 100 steps.

    Views, computed when read; see `brief` for each element:
        state          float32 (68,)  hand, object and goal: privileged
        state_goal     float32 (7,)   the goal's position and rotation: privileged
        proprio        float32 (48,)  the hand's joints and their velocities
        touch          float32 (92,)  the force on each touch sensor, N
        touch_contact  int8 (92,)     1 where it is more than 0
        image          uint8 (image_size, image_size, 3)  RGB, the hand, the object and the goal
    Images need EGL or OSMesa.

    Action: Box (20,) in -1..1, the target of each actuator as a fraction of its range; 25 decisions
    per second of simulated time. Metrics: `angle` (rad) and, where the position counts, `distance`
    (m) to the goal; of safety and cost (docs/vocabulary.md) `drops`, how often the object came off
    the hand, `contact_force_max` of the hand, `energy` of its joints, and `collisions` with the
    floor. There is no expert.
    """

    privileged_views: ClassVar[tuple[str, ...]] = ("state", "state_goal")

    def __init__(self, task: Task) -> None:
        name = str(task.params["id"])
        if not (name.startswith("HandManipulate") and name.endswith(ENDING)):
            raise UserError(
                f"task {task.id}: the hand's tasks are called HandManipulate{'|'.join(OBJECTS)}..."
                f"{ENDING}; got {name!r}"
            )
        super().__init__(task, touch_visualisation="off")
        import mujoco

        env, model = self._env, self._env.model
        self._mujoco = mujoco
        # A fresh environment plays from here. What a reset of the package leaves as it was, such as
        # the solver's warm start, would make a kept one play otherwise.
        self._fresh = np.empty(mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_INTEGRATION))
        mujoco.mj_getState(model, self._data, self._fresh, mujoco.mjtState.mjSTATE_INTEGRATION)
        self._sensors = np.array([model.sensor_adr[each] for each in env._touch_sensor_id])
        self._centre = model.site("object:center").id
        self._goal_joint = int(model.joint("target:joint").qposadr[0])
        self._drawn: Any = None
        self._on_palm, self._drops = True, 0
        hand = Body(
            parts=[geoms_below(model, "robot0:hand mount")],
            forbidden=[model.geom("floor0").id],
            driven=slice(0, 24),
        )
        self._safety = SafetyMeter(model, self._data, hand, env.dt)
        for hidden in (model.geom(each) for each in range(model.ngeom)):
            if hidden.name == "object_hidden":
                model.geom_rgba[hidden.id, 3] = 1.0  # as the package does when it draws
        side, self._camera = self._params["image_size"], CAMERA
        self._views: Mapping[str, Any] = MappingProxyType(
            {
                "state": self._state,
                "state_goal": lambda: self._observed["desired_goal"].astype(np.float32),
                "proprio": lambda: self._observed["observation"][:48].astype(np.float32),
                "touch": lambda: self._data.sensordata[self._sensors].astype(np.float32),
                "touch_contact": lambda: (self._data.sensordata[self._sensors] > 0).astype(np.int8),
                "image": lambda: self._draw_with_goal(side),
            }
        )
        self.brief = Brief(
            observation={
                "state": Box((68,), unit="rad, rad/s, m, m/s", meaning=STATE, layout=STATE_LAYOUT),
                "state_goal": Box(
                    (7,), unit="m", meaning=f"{GOAL} at the goal; {WORLD}", layout=GOAL_LAYOUT
                ),
                "proprio": Box((48,), unit="rad, rad/s", meaning=PROPRIO, layout=PROPRIO_LAYOUT),
                "touch": Box((SENSORS,), low=0.0, unit="N", meaning=TOUCH, layout=TOUCH_LAYOUT),
                "touch_contact": Box(
                    (SENSORS,), "int8", 0, 1, meaning="1 where that sensor of `touch` feels a force"
                ),
                "image": Box(
                    (side, side, 3),
                    "uint8",
                    0,
                    255,
                    "1",
                    "RGB, image; the goal is the copy of the object that nothing touches",
                ),
            },
            action=Box(
                (20,),
                low=-1.0,
                high=1.0,
                unit="1",
                meaning="the target of each actuator, -1 and 1 are the ends of its range: 2 of the "
                "wrist, 3 each of the first, middle and ring finger (the last joint of a finger "
                "follows), 4 of the little finger, 5 of the thumb; zeros hold the hand as it is at "
                "the start",
                layout=(Field("joint_position", 20, "absolute", "", "1"),),
            ),
            embodiment="a Shadow dexterous hand, palm up, of 24 joints and 20 actuators, with 92 "
            "touch sensors; an object lies in it",
            simulator="Gymnasium-Robotics on MuJoCo, steps of 2 ms, one action for 20 of them",
            control_hz=1.0 / env.dt,
        )

    def reset(self, case: Case) -> TimeStep:
        env = self._env
        self._perturbations.restore()
        state = self._mujoco.mjtState.mjSTATE_INTEGRATION
        self._mujoco.mj_setState(env.model, self._data, self._fresh, state)
        self._observed, _ = env.reset(seed=case.simulator_seed)
        while env._is_success(self._observed["achieved_goal"], self._observed["desired_goal"]):
            self._observed, _ = env.reset()
        self._perturbations.apply(case)
        self._camera = self._camera_of(case, CAMERA)
        self._steps, self._drops, self._on_palm = 0, 0, True
        self._safety.reset()
        return TimeStep(self._views, self._instruction, success=False, metrics=self._metrics())

    def step(self, action: Any) -> TimeStep:
        reward, terminated, truncated, info = self._advance(action)
        self._safety.sample()
        on_palm = bool(self._data.site_xpos[self._centre][2] > ON_PALM_M)
        self._drops += self._on_palm and not on_palm
        self._on_palm = on_palm
        return TimeStep(
            self._views,
            self._instruction,
            reward,
            terminated,
            truncated,
            bool(info["is_success"]),
            self._metrics(),
        )

    def _state(self) -> np.ndarray:
        parts: np.ndarray = np.concatenate(
            [self._observed["observation"][:61], self._observed["desired_goal"]]
        )
        return parts.astype(np.float32)

    def _metrics(self) -> dict[str, float]:
        env = self._env
        distance, angle = env._goal_distance(
            self._observed["achieved_goal"], self._observed["desired_goal"]
        )
        there = {} if env.target_position == "ignore" else {"distance": float(distance)}
        safety = {**self._safety.metrics(), "drops": float(self._drops)}
        return {"angle": float(angle), **there, **safety}

    def _draw_with_goal(self, size: int) -> np.ndarray:
        """The scene with the goal in its place, drawn from a copy: the simulation stays as it is.

        The package puts the goal there in the simulation itself, which changes its next steps.
        """
        mujoco, model, state = self._mujoco, self._env.model, np.empty_like(self._fresh)
        if self._drawn is None:
            self._drawn = mujoco.MjData(model)
        mujoco.mj_getState(model, self._data, state, mujoco.mjtState.mjSTATE_INTEGRATION)
        mujoco.mj_setState(model, self._drawn, state, mujoco.mjtState.mjSTATE_INTEGRATION)
        goal = self._env.goal.copy()
        if self._env.target_position == "ignore":
            goal[0] += SIDE_M
        self._drawn.qpos[self._goal_joint : self._goal_joint + 7] = goal
        mujoco.mj_forward(model, self._drawn)
        return self._canvases.draw(self._drawn, self._camera, size)

    def render(self) -> np.ndarray:
        """An image from the camera of `image`, uint8 (480, 480, 3)."""
        return self._draw_with_goal(480)
