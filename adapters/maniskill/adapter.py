"""One lane of ManiSkill on the CPU.

Source of the protocol: ManiSkill 3's documentation of evaluation ("ignore terminations, reconfigure each episode, report success_once and
success_at_end"), arXiv 2410.00425.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from adapters.maniskill import expert, needs, perturbations, simulation
from harness.core import Adapter, Case, Missing, SimulatorPerturbation, Task, TimeStep, UserError

__all__ = ["ManiSkillAdapter"]


class ManiSkillAdapter(Adapter):
    """One task of ManiSkill 3, simulated by PhysX on the CPU and drawn by Mesa's software Vulkan driver.

    `task.params`: `id` (of ManiSkill's registry, say `PickCube-v1`), `control_mode` (any of the robot's; None: the task's default),
    `instruction` (the package has none) and, if need be, `make`: further arguments of gymnasium.make as JSON, say
    `{"robot_uids": "xarm6_robotiq"}`, `{"reward_mode": "sparse"}` or `{"sensor_configs": {"width": 224, "height": 224}}`.

    Case.simulator_seed seeds the environment, which is reconfigured - the scene is built anew - at every reset, as the protocol asks.

    Views, computed when read:
        state    float32 (N,)   the package's `state` observation, flat: the body's joints, then what the task shows; privileged
        proprio  float32 (M,)   its first M elements: the body's own joints, their velocities and the controller's state
        image, depth            uint8 (H, W, 3) RGB and float32 (H, W) metres from the task's own first camera, row 0 at the top
        image_<camera>, depth_<camera>   the same from each further one, say `hand_camera`
    `brief.observation["state"].meaning` lists the elements. Goal markers are hidden from the cameras, as the package does.

    Action: Box, one element a controlled degree of freedom, see `brief.action`; several robots' actions follow one another.
    Reward: the package's own, by the task's reward mode. Success: the package's test of the current state; the package's terminations are
    ignored. Where the task has no max_steps the package's own horizon truncates.
    Metrics: `success_at_end` (0 or 1) where there is a success, `fail_once` and `fail_at_end` where there is a failure, and
    `expert_gave_up` (1) when the expert has.
    Expert: the package's motion-planning solutions, for the tasks that have one, in control mode pd_joint_pos; see expert.py.
    """

    packages: ClassVar[tuple[str, ...]] = ("mani_skill", "sapien", "torch", "gymnasium")
    extra: ClassVar[str] = "maniskill"

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        """The packages, or the software Vulkan driver."""
        return super().missing(task) or needs.software_vulkan()

    @classmethod
    def simulator_perturbations(cls, task: Task | None = None) -> tuple[SimulatorPerturbation, ...]:
        """What SAPIEN's scene offers."""
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

    def __init__(self, task: Task) -> None:
        self._task, self._instruction = task, task.params["instruction"]
        self._env, horizon = simulation.make(task, 1, "physx_cpu", "cpu")
        self._horizon = None if task.max_steps is not None else horizon
        self.brief = simulation.describe(self._env, task, "CPU")
        self._command = command(self._env)
        self._own = self.brief.observation["proprio"].shape[0]
        self._expert: expert.Expert | None = None
        self._gave_up = False
        images = {}
        for suffix, name in simulation.cameras(self._env).items():
            images[f"image{suffix}"] = functools.partial(self._image, name)
            images[f"depth{suffix}"] = functools.partial(self._depth, name)
        # All views are computed when read, so one mapping serves every step.
        self._views = MappingProxyType({"state": self._state, "proprio": self._proprio, **images})

    def reset(self, case: Case) -> TimeStep:
        """Build the scene anew and start the case's episode."""
        self._dismiss_expert()
        with simulation.quiet():
            self._observed, info = self._env.reset(
                seed=case.simulator_seed, options={"reconfigure": True}
            )
            if perturbations.apply(self._env, case):
                info = self._env.get_info()
                self._observed = self._env.get_obs(info)
        self._drawn: Any = None
        self._steps, self._failed = 0, False
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
        )

    def step(self, action: Any) -> TimeStep:
        """Execute one action for one control period."""
        action = self.brief.action.validate(action)
        self._observed, reward, _, _, info = self._env.step(self._command(action))
        self._drawn = None
        self._steps += 1
        success, metrics = None, {}
        if "success" in info:
            success = bool(info["success"])
            metrics["success_at_end"] = float(success)
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
        return self._observed[0].numpy().copy()

    def _proprio(self) -> np.ndarray:
        return self._observed[0, : self._own].numpy().copy()

    def _draw(self, camera: str) -> Any:
        """RGB and depth of all cameras are drawn together, once a step."""
        if self._drawn is None:
            self._drawn = self._env._get_obs_sensor_data()
        return self._drawn[camera]

    def _image(self, camera: str) -> np.ndarray:
        return self._draw(camera)["rgb"][0].numpy().copy()

    def _depth(self, camera: str) -> np.ndarray:
        return metres(self._draw(camera)["depth"][0, :, :, 0]).numpy()

    def render(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB from the task's camera for people; goal markers are shown."""
        return self._env.render_rgb_array()[0].numpy()

    def expert(self, executed: Any) -> np.ndarray | None:
        """The solution's next action, clipped. It reads the real state wherever it plans, so what was executed need not be told."""
        if self._expert is None:
            self._expert = expert.Expert(self._task.params["id"], self._env)
        action = self._expert.act()
        self._gave_up = action is None
        return None if action is None else self.brief.action.coerce(action)[0]

    def _dismiss_expert(self) -> None:
        if self._expert is not None:
            self._expert.close()
        self._expert, self._gave_up = None, False

    def state(self) -> bytes:
        """The package's `state` observation."""
        return self._observed.numpy().tobytes()

    def close(self) -> None:
        """Free the scene."""
        self._dismiss_expert()
        self._env.close()


def metres(depth: Any) -> Any:
    """Millimetres of 16 bits -> float32 metres."""
    return depth.clamp(min=0).float() / 1000.0


def command(env: Any) -> Callable[[np.ndarray], Any]:
    """Our flat action -> what the environment takes: a tensor, or one for each robot by name."""
    import torch

    parts = simulation.action_parts(env)
    if len(parts) == 1:
        return torch.from_numpy
    return lambda action: {name: torch.from_numpy(action[part]) for name, part in parts}
