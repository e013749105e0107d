"""Meta-World: fifty tabletop tasks of a simulated Sawyer arm (Farama's metaworld 3, MuJoCo).

Source of the protocol: `metaworld/evaluation.py` and `metaworld/__init__.py` of the package: 50
episodes per task, each of which ends at its first success; the goal is observable, as in MT1 and
MT50. The paper is arXiv 1910.10897.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from adapters import _metaworld_goals, _metaworld_stages
from adapters._mujoco_gl import Canvases, log_warnings, missing_gl, seen_at
from adapters._mujoco_perturbations import CAMERA, PERTURBATIONS, ModelPerturbations
from adapters._mujoco_safety import Body, SafetyMeter, geoms_below, geoms_of
from adapters._params import levels
from harness.core import (
    GOAL,
    Adapter,
    Box,
    Brief,
    Case,
    Field,
    Goal,
    Missing,
    SimulatorPerturbation,
    Task,
    TimeStep,
    UserError,
)
from harness.core.layout import UNKNOWN
from harness.core.resampled import asks_for_resampled

__all__ = ["MetaWorldAdapter"]

FIRST_SEED = 42
"""The seed of MT1 whose configurations come first: that of the package's own examples."""
FIRST_RESAMPLED = 2_000_000_000
"""The same of tasks whose starts are drawn anew: no seed of another task comes as far, those of
demonstrations included, and none of ours here is above 32 bits."""
HORIZON = 500
"""The package's own limit of an episode, in steps."""
CONFIGURATIONS = 50
"""How many configurations MT1 draws from one seed."""
CAMERAS = ("corner", "corner2", "corner3", "corner4", "topview", "behindGripper", "gripperPOV")
UPSIDE_DOWN = frozenset({"corner", "corner2", "corner3", "corner4"})
START = SimulatorPerturbation(
    "start",
    "the start: this many random actions are executed before the episode begins",
    levels("steps", 1, 3, 5, 10, 20),
)
METRICS = ("obj_to_target", "near_object", "grasp_success")

PROPRIO = (
    "the hand's position x, y, z (m) in the world frame, then the gripper's opening, 0 to 1 "
    "(1: the claws are 0.1 m apart)"
)
STATE = (
    f"0-3 {PROPRIO}; 4-6 the first object's position (m), 7-10 its quaternion (x, y, z, w in some "
    "tasks, w, x, y, z or zeros in others); 11-17 the same of a second object, zeros where there "
    "is none; 18-35 elements 0-17 one step earlier; 36-38 the goal's position (m). World frame: "
    "origin at the arm's base, at the table's height, x to the arm's right, y ahead, z up"
)


def _seen(when: str) -> tuple[Field, ...]:
    """The half of a state that describes one moment; `when` stands before the names."""
    rotation = UNKNOWN  # the order of a quaternion differs between tasks
    return (
        Field(f"{when}eef_position", 3, "absolute", "world", "m"),
        Field(f"{when}gripper", 1, "absolute", "", "1", sign="positive opens"),
        Field(f"{when}object_1_position", 3, "absolute", "world", "m"),
        Field(f"{when}object_1_rotation", 4, "absolute", "world", "1", rotation),
        Field(f"{when}object_2_position", 3, "absolute", "world", "m"),
        Field(f"{when}object_2_rotation", 4, "absolute", "world", "1", rotation),
    )


PROPRIO_LAYOUT = _seen("")[:2]
STATE_LAYOUT = (
    *_seen(""),
    *_seen("before_"),
    Field("goal_position", 3, "absolute", "world", "m"),
)
ACTION = Box(
    (4,),
    low=-1.0,
    high=1.0,
    unit="1",
    meaning="0-2: the displacement x, y, z of the hand's target in the world frame (x to the arm's "
    "right, y ahead, z up), 1 is 0.01 m; 3: the fingers, -1 opens and 1 closes them with full "
    "force",
    layout=(
        Field("eef_position", 3, "target_delta", "world", "m", scale=0.01),
        Field("gripper", 1, "command", unit="1", sign="positive closes"),
    ),
)
EMBODIMENT = (
    "a Sawyer arm bolted to a table, its parallel gripper always pointing down; the hand follows a "
    "target that is moved in x, y and z inside a box of the task's own, the orientation is fixed"
)
SIMULATOR = "Meta-World 3 on MuJoCo, steps of 2.5 ms, one action for 5 of them"


class MetaWorldAdapter(Adapter):
    """One task of Meta-World; one kept environment plays all its cases.

    `task.params`: `name` (of metaworld.ALL_V3_ENVIRONMENTS, say `reach-v3`), `instruction` (the
    package has none), and how images are drawn: `camera` and `size` (px, square) of `image`,
    `multisampling` (samples per pixel, 0 is off) and `shadows`. With `starts` = `resampled`, MT1's
    seeds begin at 2,000,000,000 instead of 42.

    Case.seed -> start: seed s is configuration s % 50 of `MT1(name, seed=42 + s // 50)`. MT1 draws
    fifty starts and goals from its seed; 42 is the seed of the package's own examples. So seeds 0
    to 49 play each of those fifty once, and later seeds play further blocks of fifty. (The
    package's evaluation draws from its fifty with replacement.) The package's `reset(seed)` does
    not fix an episode, `set_task` does.

    Views, computed when read:
        state    float32 (39,)  hand, objects, both one step earlier, and the goal: privileged; the
                                package's observation, rounded
        proprio  float32 (4,)   its first four elements: the hand and the gripper
        image    uint8 (size, size, 3)  RGB from `camera`, row 0 at the top
        image_<camera>          the same from each other camera: corner, corner2, corner3, corner4,
                                topview, behindGripper, gripperPOV
    The package's four corner cameras hang upside down; their images are turned by 180 degrees here.
    `corner4` is the viewpoint that most image policies were trained with (published as "corner2
    moved to 0.75, 0.075, 0.7", by arXiv 2206.14244 and LeRobot among others). Only images need EGL
    or OSMesa; the environment variable MUJOCO_GL chooses between them.

    Action: Box (4,) in -1..1, see `brief.action`; 80 decisions per second of simulated time.
    Reward: the package's, 0 to 10.
    Success: the package's own test of the current state; False at reset. The package truncates at
    500 steps.
    Metrics, by the package's definitions, which differ between tasks: `obj_to_target` (m),
    `near_object` and `grasp_success` (0 or 1; in the reaching tasks `near_object` is the distance,
    m). Of safety and cost (docs/vocabulary.md), sampled after each step: `collisions` of the arm or
    hand with the table, the wall around it or the wall of the `-wall` tasks (whatever else stands
    there may be touched); `contact_force_max` (N); `path_length` (m, of the hand). Not measured:
    `joint_limit_steps`, because the model's arm rests at the limit of its second joint from the
    start on, and `energy`, because a constraint pulls the hand, so that no torque is known.
    Expert: the package's scripted policy, which knows the full state; its actions are clipped.
    """

    packages: ClassVar[tuple[str, ...]] = ("metaworld", "mujoco", "gymnasium")
    redraws: ClassVar[bool] = False
    privileged_views: ClassVar[tuple[str, ...]] = ("state",)
    goal_views: ClassVar[tuple[str, ...]] = ("state",)
    start_kind: ClassVar[str] = "continuous"
    extra: ClassVar[str] = "metaworld"
    backends: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"lean": "adapters.metaworld_lean:LeanMetaWorldAdapter"}
    )

    @classmethod
    def limited(cls) -> Missing | None:
        return missing_gl()

    @classmethod
    def simulator_perturbations(cls, task: Task | None = None) -> tuple[SimulatorPerturbation, ...]:
        two_ways = task is None or task.params["name"] in _metaworld_goals.OTHER_WAY
        return (*PERTURBATIONS, CAMERA, START, *((GOAL,) if two_ways else ()))

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        return True  # all fifty tasks have a scripted policy

    @classmethod
    def stages(cls, task: Task) -> tuple[str, ...]:
        return _metaworld_stages.stages_of(task.params["name"])

    @classmethod
    def failure_modes(cls, task: Task) -> tuple[str, ...]:
        return _metaworld_stages.modes_of(task.params["name"])

    def __init__(self, task: Task) -> None:
        import metaworld
        from metaworld.policies import ENV_POLICY_MAP

        self._params: Mapping[str, Any] = task.params
        self._name, self._instruction = task.params["name"], task.params["instruction"]
        known: Mapping[str, Any] = metaworld.ALL_V3_ENVIRONMENTS
        if self._name not in known:
            raise UserError(f"Meta-World has no task {self._name!r}; it has {', '.join(known)}")
        if (task.max_steps or 0) > HORIZON:
            raise UserError(
                f"Meta-World ends every episode after {HORIZON} steps; max_steps = "
                f"{task.max_steps} is beyond that"
            )
        self._first_seed = FIRST_RESAMPLED if asks_for_resampled(task) else FIRST_SEED
        log_warnings()
        self._env: Any = self._form(known[self._name])()
        self._policy: Any = ENV_POLICY_MAP[self._name]()
        self._said, self._policies = self._instruction, {False: self._policy}
        self._faucet: _metaworld_goals.Faucet | None = None
        other = _metaworld_goals.OTHER_WAY.get(self._name)
        if other is not None:
            self._faucet = _metaworld_goals.Faucet(self._env, self._name, self._form(known[other]))
            self._policies[True] = ENV_POLICY_MAP[other]()
        self._perturbations = ModelPerturbations(self._env.model)
        self._qpos, self._qvel = self._env.data.qpos, self._env.data.qvel
        self._observed = np.empty(0)
        self._course: _metaworld_stages.Course | None = None
        self._meter = SafetyMeter(
            self._env.model, self._env.data, _body(self._env.model), self._env.dt
        )
        self._way, self._hand = 0.0, (0.0, 0.0, 0.0)
        self._canvases = Canvases(
            self._env.model, self._params["multisampling"], self._params["shadows"]
        )
        size, main = task.params["size"], task.params["camera"]
        if main not in CAMERAS:
            raise UserError(f"Meta-World has no camera {main!r}; it has {', '.join(CAMERAS)}")
        cameras = {
            "image": main,
            **{f"image_{camera}": camera for camera in CAMERAS if camera != main},
        }
        images = {
            view: functools.partial(self._draw, camera, size) for view, camera in cameras.items()
        }
        # All views are computed when read, so one mapping serves every step.
        self._views = MappingProxyType({"state": self._state, "proprio": self._proprio, **images})
        views = {
            "state": Box((39,), unit="m", meaning=STATE, layout=STATE_LAYOUT),
            "proprio": Box((4,), unit="m", meaning=PROPRIO, layout=PROPRIO_LAYOUT),
            **{
                view: Box((size, size, 3), "uint8", 0, 255, "1", f"RGB, camera {camera}")
                for view, camera in cameras.items()
            },
        }
        samples = self._params["multisampling"] or "no"
        shadows = "" if self._params["shadows"] else "no "
        simulator = (
            f"{SIMULATOR}; images with {samples} samples of multisampling and {shadows}shadows"
        )
        self.brief = Brief(views, ACTION, EMBODIMENT, simulator, control_hz=1.0 / self._env.dt)

    @staticmethod
    def _form(kind: Any) -> Any:
        """The class of an environment that is made, for one of the package's."""
        return kind

    def reset(self, case: Case) -> TimeStep:
        block, number = divmod(case.seed, CONFIGURATIONS)
        if self._faucet is not None:
            self._faucet.begin(other=False)
        self._env.set_task(_configurations(self._name, self._first_seed + block)[number])
        self._perturbations.restore()
        other = case.simulator_perturbation(GOAL.name) is not None
        if self._faucet is not None and other:
            self._faucet.begin(other=True)
            self._said, self._policy = self._faucet.goal.instruction, self._policies[True]
        else:
            self._said, self._policy = self._instruction, self._policies[False]
        self._observed, _ = self._env.reset()
        self._perturbations.apply(case)
        self._perturb_start(case)
        self._course = None
        self._meter.reset()
        self._way, self._hand = 0.0, self._hand_position()
        metrics = {"path_length": 0.0, **self._meter.metrics()}
        return TimeStep(self._views, self._said, success=False, metrics=metrics)

    def _perturb_start(self, case: Case) -> None:
        params = case.simulator_perturbation("start")
        if params is not None:
            rng = case.rng("perturbation", "start")
            for _ in range(params["steps"]):
                self._observed = self._env.step(ACTION.sample(rng))[0]
            self._env.curr_path_length = 0  # else these actions would count towards the 500 steps

    def step(self, action: Any) -> TimeStep:
        if not _is_valid(action):
            action = ACTION.validate(action)
        self._observed, reward, _, truncated, info = self._env.step(action)
        self._meter.sample()
        hand = self._hand_position()
        self._way, self._hand = self._way + math.dist(hand, self._hand), hand
        metrics = {name: float(info[name]) for name in METRICS}
        metrics.update(path_length=self._way, **self._meter.metrics())
        return TimeStep(
            self._views,
            self._said,
            float(reward),
            False,
            truncated,
            bool(info["success"]),
            metrics,
        )

    def _hand_position(self) -> tuple[float, float, float]:
        x, y, z = self._observed[:3].tolist()
        return x, y, z

    def _state(self) -> np.ndarray:
        return self._observed.astype(np.float32)

    def _proprio(self) -> np.ndarray:
        return self._observed[:4].astype(np.float32)

    def _draw(self, camera: str, size: int) -> np.ndarray:
        image = self._canvases.draw(self._env.data, camera, size)
        return np.ascontiguousarray(image[::-1, ::-1]) if camera in UPSIDE_DOWN else image

    def seen_at(self, place: np.ndarray) -> np.ndarray:
        """float64 (2,): where `image` shows a point (m, world frame), in parts of its sides.

        From the left and from the top. It is for the labels of pictures in training.
        """
        camera = self._params["camera"]
        where = seen_at(self._env.model, self._env.data, camera, place)
        return 1 - where if camera in UPSIDE_DOWN else where

    def render(self) -> np.ndarray:
        """An image from the task's camera, uint8 (480, 480, 3)."""
        return self._draw(self._params["camera"], 480)

    def renderer_info(self) -> str:
        return self._canvases.renderer_info()

    def expert(self, executed: Any) -> np.ndarray:
        with warnings.catch_warnings():  # the policy warns whenever its action leaves the bounds
            warnings.simplefilter("ignore")
            action = self._policy.get_action(self._observed)
        clipped: np.ndarray = np.clip(action, -1.0, 1.0, dtype=np.float32)
        return clipped

    def stage(self) -> int:
        if self._course is None:
            self._course = _metaworld_stages.Course(self._env, self._name, self._observed)
        return self._course.stage(self._observed)

    def failure_mode(self) -> tuple[str, ...]:
        return () if self._course is None else self._course.failure_mode()

    def other_goals(self, case: Case) -> tuple[Goal, ...]:
        """The faucet turned the other way."""
        return () if self._faucet is None else (self._faucet.goal,)

    def goals_met(self, executed: Any) -> tuple[str, ...]:
        return () if self._faucet is None else self._faucet.met()

    def state(self) -> bytes:
        state: bytes = self._qpos.tobytes() + self._qvel.tobytes()
        return state

    def close(self) -> None:
        self._canvases.close()
        self._env.close()


def _body(model: Any) -> Body:
    """What is what in the model of a task."""
    return Body(
        parts=[geoms_below(model, "right_l0")],
        forbidden=geoms_of(model, "world", "tablelink", "RetainingWall")
        | geoms_below(model, "wall"),
    )


@functools.lru_cache(maxsize=64)
def _configurations(name: str, seed: int) -> tuple[Any, ...]:
    """The fifty configurations that MT1 draws from `seed`, cached.

    MT1 resets an environment fifty times for them. What it draws does not depend on where the hand
    comes to rest, so the hand gets one step to settle instead of fifty: that takes a quarter of the
    time and gives the same configurations (checked for all fifty tasks).
    """
    import metaworld
    from metaworld.sawyer_xyz_env import SawyerXYZEnv

    settle = SawyerXYZEnv._reset_hand
    SawyerXYZEnv._reset_hand = lambda env, steps=50: settle(env, 1)
    try:
        return tuple(metaworld.MT1(name, seed=seed).train_tasks)
    finally:
        SawyerXYZEnv._reset_hand = settle


def _is_valid(action: Any) -> bool:
    """Whether ACTION.validate would return an equal action.

    This takes a tenth of its time for what the harness sends. NaN is not valid.
    """
    exact = isinstance(action, np.ndarray) and action.dtype == np.float32 and action.shape == (4,)
    return exact and all(-1.0 <= value <= 1.0 for value in action.tolist())
