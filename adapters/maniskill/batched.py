"""Many lanes of ManiSkill in one GPU simulation.

Observations stay on the GPU for agents that read them there. Sources: ManiSkill 3's documentation
of GPU simulation, partial resets (`options={"env_idx": ...}`) and random numbers; arXiv 2410.00425.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from adapters.maniskill import needs, perturbations, simulation
from adapters.maniskill.adapter import metres
from adapters.maniskill.safety import Safety
from harness.core import BatchedAdapter, Brief, Case, Missing, Task, TimeStep, UserError

__all__ = ["ManiSkillBatchedAdapter"]


class ManiSkillBatchedAdapter(BatchedAdapter):
    """One task of ManiSkill 3 in `task.params["lanes"]` lanes, simulated and drawn on one GPU.

    `task.params`: those of ManiSkillAdapter; `lanes`, the number of lanes that are simulated, even
    if fewer are used, because PhysX on a GPU does not promise that a lane's episode is independent
    of it; `sim_backend` (`physx_cuda`, or `physx_cuda:1`; `physx_cpu` with one lane); and
    `render_backend` (`gpu` or `cpu`).

    Case.simulator_seed seeds the lane's episode. Lanes are reset one by one, each with that seed
    for all lanes, because the package draws the starts of all lanes that are reset together with
    one generator. A GPU simulation can rebuild its scenes only for all lanes at once, so no scene
    is built for an episode, and tasks that draw their scene at reconfiguration (PegInsertionSide)
    are refused.

    Views: those of ManiSkillAdapter as numpy arrays, with one copy from the GPU per step for all
    lanes; and each view under the name `gpu/<view>` as a torch tensor that stays on the GPU. What
    nobody reads is neither drawn nor copied.
    Action, reward, success and metrics are ManiSkillAdapter's; a GPU simulation does not measure
    those of safety and cost. There is no expert, and there are no simulator-side perturbations,
    which would have to change a scene.
    A lane that rests while others step is put back to where it was: its poses and velocities are
    the same, but contacts are computed again.
    """

    code_params: ClassVar[tuple[str, ...]] = ("id", "make", "sim_backend", "render_backend")
    packages: ClassVar[tuple[str, ...]] = ("mani_skill", "sapien", "torch", "gymnasium")
    redraws: ClassVar[bool] = False
    own_streams: ClassVar[bool] = True
    privileged_views: ClassVar[tuple[str, ...]] = ("state", "gpu/state")
    start_kind: ClassVar[str] = "continuous"
    extra: ClassVar[str] = "maniskill"
    gpus: ClassVar[float] = 1.0

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        """The packages, and the GPU, or the software Vulkan driver for a task on the CPU."""
        on_cpu = task is not None and task.params["sim_backend"] == "physx_cpu"
        return super().missing(task) or (needs.software_vulkan() if on_cpu else needs.gpu())

    def __init__(self, task: Task, lanes: int) -> None:
        self._task, self._instructions = task, dict[int, str]()
        count = task.params["lanes"]
        if lanes > count:
            raise UserError(
                f"{task.id} simulates {count} lanes, and {lanes} are asked for: use --lanes "
                f"{count} or fewer"
            )
        self._env, horizon = simulation.make(
            task, count, task.params["sim_backend"], task.params["render_backend"]
        )
        if self._env.reconfiguration_freq:
            raise UserError(
                f"ManiSkill's {task.params['id']} builds another scene for every episode, which a "
                "GPU simulation cannot do: use the task on the CPU"
            )
        self._horizon = None if task.max_steps is not None else horizon
        self._safety = None if self._env.gpu_sim_enabled else Safety(self._env, task.params["id"])
        self.brief = self._described(task)
        self._action = simulation.as_box(self.brief.action)
        self._own = simulation.as_box(self.brief.observation["proprio"]).shape[0]
        self._parts = simulation.action_parts(self._env)
        self._noops = np.tile(self._action.noop(), (count, 1))
        self._steps: dict[int, int] = {}
        """The lanes that have an episode -> the steps taken in it."""
        self._failed: set[int] = set()
        self._cameras = simulation.cameras(self._env)
        self._views = [self._lane_views(lane) for lane in range(count)]

    def _described(self, task: Task) -> Brief:
        brief = simulation.describe(self._env, task, "GPU" if self._env.gpu_sim_enabled else "CPU")
        views = {
            **brief.observation,
            **{f"gpu/{name}": spec for name, spec in brief.observation.items()},
        }
        return Brief(views, brief.action, brief.embodiment, brief.simulator, brief.control_hz)

    def reset(self, cases: Mapping[int, Case]) -> Mapping[int, TimeStep]:
        import torch

        info: Any = {}
        for case in cases.values():
            names = (perturbation.name for perturbation in perturbations.PERTURBATIONS)
            refused = [name for name in names if case.simulator_perturbation(name) is not None]
            if refused:
                raise UserError(
                    f"a GPU simulation builds no scene for an episode, so the perturbation "
                    f"{refused[0]} is not available: use the tasks on the CPU"
                )
        for lane, case in cases.items():
            seeds = [case.simulator_seed] * self._env.num_envs
            with simulation.quiet():
                observed, info = self._env.reset(
                    seed=seeds, options={"env_idx": torch.tensor([lane], device=self._env.device)}
                )
            self._see(observed)
            self._steps[lane] = 0
            self._instructions[lane] = simulation.instruction_of(self._task, self._env, lane)
            self._failed.discard(lane)
            if self._safety is not None:  # then there is one lane
                self._safety.begin(info)
        success = self._on_host(info, "success")
        if cases and (success is None) != (self._task.success is None):
            raise UserError(
                f"ManiSkill's {self._task.params['id']} has {'no' if success is None else 'a'} "
                "success, but its task says the opposite"
            )
        return {
            lane: TimeStep(
                self._views[lane],
                self._instructions[lane],
                success=None if success is None else bool(success[lane]),
                metrics={} if self._safety is None else self._safety.metrics(),
            )
            for lane in cases
        }

    def step(self, actions: Mapping[int, Any]) -> Mapping[int, TimeStep]:
        import torch

        checked = {lane: self._action.validate(action) for lane, action in actions.items()}
        if not checked:
            return {}
        batch = self._noops.copy()
        batch[list(checked)] = list(checked.values())
        tensor = torch.from_numpy(batch).to(self._env.device)
        alone = len(self._parts) == 1
        resting = [lane for lane in self._steps if lane not in checked]
        # The simulation moves all lanes, so those that rest are put back afterwards.
        saved = self._save() if resting else None
        observed, reward, _, _, info = self._env.step(
            tensor if alone else {name: tensor[:, part] for name, part in self._parts}
        )
        if saved is not None:
            observed = self._put_back(saved, resting)
        if self._safety is not None:
            self._safety.step(info)
        self._see(observed)
        rewards = reward.cpu().numpy()
        success, fail = self._on_host(info, "success"), self._on_host(info, "fail")
        return {lane: self._timestep(lane, rewards, success, fail) for lane in checked}

    def _timestep(self, lane: int, rewards: Any, success: Any, fail: Any) -> TimeStep:
        self._steps[lane] += 1
        metrics = {} if self._safety is None else self._safety.metrics()
        if success is not None:
            metrics["success_at_end"] = float(success[lane])
        if fail is not None:
            if fail[lane]:
                self._failed.add(lane)
            metrics |= {"fail_once": float(lane in self._failed), "fail_at_end": float(fail[lane])}
        truncated = self._horizon is not None and self._steps[lane] >= self._horizon
        solved = None if success is None else bool(success[lane])
        return TimeStep(
            self._views[lane],
            self._instructions[lane],
            float(rewards[lane]),
            False,
            truncated,
            solved,
            metrics,
        )

    @staticmethod
    def _on_host(info: Mapping[str, Any], name: str) -> Any:
        return info[name].cpu().numpy() if name in info else None

    def _save(self) -> Any:
        return (
            self._env.get_state_dict(),
            self._env.agent.get_controller_state(),
            self._env.elapsed_steps.clone(),
        )

    def _put_back(self, saved: Any, lanes: list[int]) -> Any:
        """Set these lanes back to the saved state; returns the observation of all lanes."""
        import torch

        env, (state, controllers, elapsed) = self._env, saved
        index = torch.tensor(lanes, device=env.device)
        env.set_state_dict(
            _rows({name: state[name] for name in ("actors", "articulations")}, index), index
        )
        env.agent.set_controller_state(
            _merged(env.agent.get_controller_state(), controllers, index)
        )
        env.elapsed_steps[index] = elapsed[index]
        return env.get_obs()

    def _see(self, observed: Any) -> None:
        self._observed = observed
        self._copied: Any = None
        self._drawn: Any = None

    def _lane_views(self, lane: int) -> Mapping[str, Any]:
        views: dict[str, Any] = {
            "state": functools.partial(self._state, lane),
            "proprio": lambda: self._state(lane)[: self._own],
            "gpu/state": lambda: self._observed[lane],
            "gpu/proprio": lambda: self._observed[lane, : self._own],
        }
        for suffix, camera in self._cameras.items():
            for name in ("image", "depth"):
                views[f"{name}{suffix}"] = lambda name=name, camera=camera: (
                    self._draw(camera, name)[lane].cpu().numpy()
                )
                views[f"gpu/{name}{suffix}"] = lambda name=name, camera=camera: self._draw(
                    camera, name
                )[lane]
        return MappingProxyType(views)

    def _state(self, lane: int) -> np.ndarray:
        if self._copied is None:
            self._copied = self._observed.cpu().numpy()
        state: np.ndarray = self._copied[lane].copy()
        return state

    def _draw(self, camera: str, name: str) -> Any:
        """`image` or `depth` of a camera for all lanes, as tensors; drawn once per step."""
        if self._drawn is None:
            # Cloned, because the renderer draws into the same memory again.
            textures = simulation.draw(self._env)
            self._drawn = {
                key: {"image": drawn["rgb"].clone(), "depth": metres(drawn["depth"][..., 0])}
                for key, drawn in textures.items()
            }
        return self._drawn[camera][name]

    def state(self, lane: int) -> bytes:
        """The package's `state` observation."""
        return self._state(lane).tobytes()

    def renderer_info(self) -> str:
        return simulation.renderer_info(self._env)

    def close(self) -> None:
        self._env.close()


def _rows(state: Any, index: Any) -> Any:
    """The rows `index` of every tensor in nested dicts."""
    if isinstance(state, dict):
        return {key: _rows(value, index) for key, value in state.items()}
    return state[index]


def _merged(now: Any, before: Any, index: Any) -> Any:
    """`now`, nested dicts of tensors, with the rows `index` taken from `before`."""
    if isinstance(now, dict):
        return {key: _merged(value, before[key], index) for key, value in now.items()}
    merged = now.clone()
    merged[index] = before[index]
    return merged
