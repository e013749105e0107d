"""One lane of ManiSkill on the CPU.

Source of the protocol: ManiSkill 3's documentation of evaluation ("ignore terminations, reconfigure
each episode, report success_once and success_at_end"), arXiv 2410.00425.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from adapters.maniskill import expert, needs, perturbations, simulation
from adapters.maniskill.course import Course, stages_of
from adapters.maniskill.goals import EXCHANGED, STACK, Cubes
from adapters.maniskill.safety import Safety
from adapters.maniskill.stages import Controller, objects_of, skills_of
from harness.core import (
    GOAL,
    Adapter,
    Case,
    Goal,
    Missing,
    SimulatorPerturbation,
    Skill,
    SkillCall,
    SkillEnd,
    Task,
    TimeStep,
    UserError,
)

__all__ = ["ManiSkillAdapter"]


class ManiSkillAdapter(Adapter):
    """One task of ManiSkill 3, simulated by PhysX on the CPU and drawn by Mesa in software.

    `task.params`: `id` (of ManiSkill's registry, say `PickCube-v1`), `control_mode` (any of the
    robot's; None: the task's default), `instruction` (the package has none; `{direction}` in it is
    the way in which this episode's valve is to be turned, seen from above) and, optionally,
    `make`: further arguments of gymnasium.make as JSON, say `{"robot_uids": "xarm6_robotiq"}`,
    `{"reward_mode": "sparse"}` or `{"sensor_configs": {"width": 224, "height": 224}}`.

    Case.simulator_seed seeds the environment. At every reset the environment is reconfigured, which
    builds the scene again, as the protocol asks.

    Views, computed when read:
        state    float32 (N,)  the package's `state` observation, flat: the body's joints, then what
                               the task shows; privileged
        proprio  float32 (M,)  its first M elements: the body's joints, their velocities and the
                               controller's state
        image    uint8 (H, W, 3)   RGB from the task's first camera, row 0 at the top
        depth    float32 (H, W)    m, from the same camera
        image_<camera>, depth_<camera>   the same from each further camera, say `hand_camera`
    `brief.observation["state"].meaning` lists the elements. Goal markers are seen by the cameras;
    the package hides those of PickCube, PickCubeSO100, TwoRobotPickCube and TriFingerRotateCube
    from them.

    Action: Box, one element per controlled degree of freedom, see `brief.action`; the actions of
    several robots follow one another.
    Reward: the package's, by the task's reward mode. Success: the package's test of the current
    state; the package's terminations are ignored. With `Task.max_steps=None` the package's own
    horizon truncates.
    Metrics: `success_at_end` (0 or 1) where the task has a success, `fail_once` and `fail_at_end`
    where it has a failure, `expert_gave_up` (1) once the expert has given up, and the measures of
    safety and cost that safety.py lists.
    Expert: the package's motion-planning solutions, for the tasks that have one, in control mode
    pd_joint_pos; see expert.py.
    Skills: the stages of those solutions, see stages.py; whoever has them played is privileged.
    """

    code_params: ClassVar[tuple[str, ...]] = ("id", "make")
    packages: ClassVar[tuple[str, ...]] = ("mani_skill", "sapien", "torch", "gymnasium")
    redraws: ClassVar[bool] = False
    own_streams: ClassVar[bool] = True
    start_kind: ClassVar[str] = "continuous"
    privileged_views: ClassVar[tuple[str, ...]] = ("state",)
    goal_views: ClassVar[tuple[str, ...]] = ("state",)
    extra: ClassVar[str] = "maniskill"

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        """The packages, or the software Vulkan driver."""
        return super().missing(task) or needs.software_vulkan()

    @classmethod
    def simulator_perturbations(cls, task: Task | None = None) -> tuple[SimulatorPerturbation, ...]:
        if task is None or task.params["id"] == STACK:
            return (*perturbations.PERTURBATIONS, GOAL)
        return perturbations.PERTURBATIONS

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        """Whether the package ships a motion-planning solution for it."""
        robot = task.params.get("make", {}).get("robot_uids")
        return (
            task.params["id"] in expert.SOLUTIONS
            and task.params.get("control_mode") in expert.CONTROL_MODES
            and robot is None
        )

    @classmethod
    def skills(cls, task: Task) -> tuple[Skill, ...]:
        """The solution's stages, where the package ships one."""
        return skills_of(task.params["id"]) if cls.has_expert(task) else ()

    @classmethod
    def stages(cls, task: Task) -> tuple[str, ...]:
        """Those of the tasks of the package's own robot."""
        other_robot = "robot_uids" in task.params.get("make", {})
        return () if other_robot else stages_of(task.params["id"])

    @classmethod
    def failure_modes(cls, task: Task) -> tuple[str, ...]:
        return ("stopped_early",)

    @classmethod
    def make(cls, task: Task) -> tuple[Any, int | None]:
        """The environment, and its own horizon in steps."""
        return simulation.make(task, 1, "physx_cpu", "cpu")

    @classmethod
    def reset_options(cls, case: Case) -> dict[str, Any]:
        """What the environment's reset is told besides the seed."""
        return {"reconfigure": True}

    def __init__(self, task: Task) -> None:
        self._task, self._instruction = task, ""
        self._env, horizon = self.make(task)
        self._horizon = None if task.max_steps is not None else horizon
        self._safety = Safety(self._env, task.params["id"])
        self.brief = simulation.describe(self._env, task, "CPU")
        self._command = command(self._env)
        self._action = simulation.as_box(self.brief.action)
        self._own = simulation.as_box(self.brief.observation["proprio"]).shape[0]
        self._expert: expert.Expert | None = None
        self._controller: Controller | None = None
        self._course: Course | None = None
        self._gave_up = False
        images = {}
        for suffix, name in simulation.cameras(self._env).items():
            images[f"image{suffix}"] = functools.partial(self._image, name)
            images[f"depth{suffix}"] = functools.partial(self._depth, name)
        # All views are computed when read, so one mapping serves every step.
        self._views = MappingProxyType({"state": self._state, "proprio": self._proprio, **images})

    def reset(self, case: Case) -> TimeStep:
        self._dismiss_expert()
        with simulation.quiet():
            self._observed, info = self._env.reset(
                seed=case.simulator_seed, options=self.reset_options(case)
            )
            if perturbations.apply(self._env, case):
                info = self._env.get_info()
                self._observed = self._env.get_obs(info)
            self._cubes = Cubes(self._env) if self._task.params["id"] == STACK else None
            exchanged = case.simulator_perturbation(GOAL.name) is not None
            if self._cubes is not None and exchanged:
                self._cubes.exchange()
                info = self._env.get_info()
                self._observed = self._env.get_obs(info)
        self._safety.begin(info)
        self._course = None
        self._drawn: Any = None
        self._steps, self._failed, self._solved = 0, False, False
        self._instruction = simulation.instruction_of(self._task, self._env, 0)
        if self._cubes is not None and exchanged:
            self._instruction = EXCHANGED.instruction
        if (self._task.success is not None) != ("success" in info):
            has = (
                "has no success: give its task success=None"
                if self._task.success
                else "has a success: name the rule in its task"
            )
            raise UserError(f"ManiSkill's {self._task.params['id']} {has}")
        return TimeStep(
            self._views,
            self._instruction,
            success=bool(info["success"]) if "success" in info else None,
            metrics=self._safety.metrics(),
        )

    def step(self, action: Any) -> TimeStep:
        action = self._action.validate(action)
        self._observed, reward, _, _, info = self._env.step(self._command(action))
        self._drawn = None
        self._steps += 1
        self._safety.step(info)
        success, metrics = None, self._safety.metrics()
        if "success" in info:
            success = bool(info["success"])
            metrics["success_at_end"] = float(success)
            self._solved = success
        if "fail" in info:
            fail = bool(info["fail"])
            self._failed |= fail
            metrics |= {"fail_once": float(self._failed), "fail_at_end": float(fail)}
        if self._gave_up:
            metrics["expert_gave_up"] = 1.0
        truncated = self._horizon is not None and self._steps >= self._horizon
        return TimeStep(
            self._views, self._instruction, float(reward), False, truncated, success, metrics
        )

    def _state(self) -> np.ndarray:
        state: np.ndarray = self._observed[0].numpy().copy()
        return state

    def _proprio(self) -> np.ndarray:
        proprio: np.ndarray = self._observed[0, : self._own].numpy().copy()
        return proprio

    def _draw(self, camera: str) -> Any:
        """The package draws RGB and depth of all cameras together; this is done once per step."""
        if self._drawn is None:
            self._drawn = simulation.draw(self._env)
        return self._drawn[camera]

    def _image(self, camera: str) -> np.ndarray:
        image: np.ndarray = self._draw(camera)["rgb"][0].numpy().copy()
        return image

    def _depth(self, camera: str) -> np.ndarray:
        depth: np.ndarray = metres(self._draw(camera)["depth"][0, :, :, 0]).numpy()
        return depth

    def render(self) -> np.ndarray:
        """The view of the task's camera for people, uint8 (H, W, 3); goal markers are shown."""
        frame: np.ndarray = self._env.render_rgb_array()[0].numpy()
        return frame

    def renderer_info(self) -> str:
        return simulation.renderer_info(self._env)

    def expert(self, executed: Any) -> np.ndarray | None:
        # The solution reads the real state wherever it plans, so it need not know `executed`.
        if self._expert is None:
            self._expert = expert.Expert(self._task.params["id"], self._env)
        action = self._expert.act()
        self._gave_up = action is None
        return None if action is None else self._action.coerce(action)[0]

    def skill_objects(self) -> Mapping[str, tuple[str, ...]]:
        return objects_of(self._task.params["id"])

    def skill(self, call: SkillCall, taken: int, executed: Any) -> np.ndarray | SkillEnd:
        return self._skilled().act(call, taken)

    def expert_plan(self) -> tuple[SkillCall, ...]:
        return () if self._solved else self._skilled().plan()

    def _skilled(self) -> Controller:
        if self._controller is None:
            self._controller = Controller(self._task.params["id"], self._env)
        return self._controller

    def _dismiss_expert(self) -> None:
        if self._expert is not None:
            self._expert.close()
        if self._controller is not None:
            self._controller.close()
        self._expert, self._controller, self._gave_up = None, None, False

    def stage(self) -> int:
        if not self.stages(self._task):
            return 0
        if self._course is None:
            self._course = Course(self._env, self._task.params["id"])
        return self._course.stage()

    def other_goals(self, case: Case) -> tuple[Goal, ...]:
        """StackCube with the colours exchanged."""
        return () if self._cubes is None else (EXCHANGED,)

    def goals_met(self, executed: Any) -> tuple[str, ...]:
        return () if self._cubes is None else self._cubes.met()

    def state(self) -> bytes:
        """The package's `state` observation."""
        state: bytes = self._observed.numpy().tobytes()
        return state

    def close(self) -> None:
        self._dismiss_expert()
        self._env.close()


def metres(depth: Any) -> Any:
    """Depth in millimetres, int16 -> in metres, float32; both torch tensors."""
    return depth.clamp(min=0).float() / 1000.0


def command(env: Any) -> Callable[[np.ndarray], Any]:
    """A function from the flat action to what the environment takes.

    That is one tensor, or a tensor for each robot by its name.
    """
    import torch

    parts = simulation.action_parts(env)
    if len(parts) == 1:
        alone: Callable[[np.ndarray], Any] = torch.from_numpy
        return alone
    return lambda action: {name: torch.from_numpy(action[part]) for name, part in parts}
