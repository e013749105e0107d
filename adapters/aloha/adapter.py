"""ALOHA in simulation: the adapter. See the class."""

from __future__ import annotations

import contextlib
import functools
import os
import warnings
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from adapters._mujoco_gl import Canvases, gl_library, log_warnings, missing_gl
from adapters._mujoco_perturbations import CAMERA, PERTURBATIONS, ModelPerturbations
from adapters._mujoco_safety import SafetyMeter
from adapters._params import settings_of
from adapters.aloha.brief import CAMERAS, OBJECTS, action_of, describe
from adapters.aloha.expert import Insertion, TransferCube
from adapters.aloha.safety import Ways, body_of
from adapters.aloha.settings import Settings
from harness.core import Adapter, Case, Missing, SimulatorPerturbation, Task, TimeStep, UserError

__all__ = ["AlohaAdapter"]

HORIZON = 300
"""The package's limit of an episode in steps (`gym_aloha`), where a task has none."""
LIFTED, SOLVED = 2, 4
"""Of the package's rewards: of the cube in the right gripper, or of both parts in their grippers,
off the table; and the largest, of a success."""
INSTRUCTIONS = {
    "transfer_cube": "Pick up the cube with the right arm and transfer it to the left arm.",
    "insertion": "Insert the peg into the socket.",
}
"""The texts of LeRobot's data sets lerobot/aloha_sim_*; the package has none."""
LARGEST_SEED = 2**32 - 1
SAMPLES = 4
"""Of multisampling, as the package's models say."""
ARM = 8
"""Numbers of an arm in `qpos`: six joints and two fingers."""


class AlohaAdapter(Adapter):
    """Two ViperX arms at a table: hand over a cube, or put a peg into a socket.

    `task.params`: the fields of `Settings`: the task's `name`, and the `height` and `width` of
    images (px).
    Case.seed -> start: as the package's `reset(seed=...)` draws the places of the objects. Both
    tasks draw from the same numbers, so that starts with one seed are alike.

    Views, computed when read:
        image                uint8 (height, width, 3)  RGB from the camera `top`: LeRobot's `top`
        image_<camera>       the same from angle, front_close, left_wrist, right_wrist
        proprio              float32 (14,)  of the left, then of the right arm: six joints (rad) and
                             the gripper, 0 closed to 1 open: the package's `agent_pos`
        state                float32 (35,) or (42,)  privileged: `proprio`, its speeds (rad/s, 1/s),
                             then of each object x, y, z (m) and the quaternion w, x, y, z; of
                             insertion the peg first
    World frame: x to the right, from the left arm to the right one, y away from the camera `angle`,
    z up from the table; the middle between the arms is at (0, 0.5, 0).

    Action: Box (14,): targets of the joints and the grippers as in `proprio`, 50 of them per
    second. Its bounds are those that the model's motors clip to.
    Success: the package's own: its reward is 4. It ends the episode.
    Reward: the package's, 0 to 4 by how far the task is.
    Metrics: `reward` (of now) and `max_reward`; `lifted`: 1 once the reward was 2, so that the
    right hand had lifted the cube, or both hands their parts (a success does not ask for it);
    `unstable`: 1 where targets that jump made the simulation diverge, which ends the episode
    without success (the package raises an error then). Of safety and cost (docs/vocabulary.md),
    sampled after each step: `collisions` (an arm with the table or with the other arm; the objects
    may be touched), `joint_limit_steps` (of the twelve arm joints), `energy` (J), `path_length` (m,
    of both grippers together), `drops`: an object, in the air between both fingers of a hand, was
    lost without a success. A step that diverges adds nothing. Forces are not known after a step.
    Expert: ours (expert.py); it knows where the objects are, and nothing of perturbations.
    """

    packages: ClassVar[tuple[str, ...]] = ("gym-aloha", "dm_control", "mujoco")
    redraws: ClassVar[bool] = False
    privileged_views: ClassVar[tuple[str, ...]] = ("state",)
    start_kind: ClassVar[str] = "continuous"
    extra: ClassVar[str] = "aloha"

    @classmethod
    def limited(cls) -> Missing | None:
        return missing_gl()

    @classmethod
    def simulator_perturbations(cls, task: Task | None = None) -> tuple[SimulatorPerturbation, ...]:
        return (*PERTURBATIONS, CAMERA)

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        return True

    def __init__(self, task: Task) -> None:
        settings = settings_of(task, Settings, "aloha")
        with _as_before():
            import gym_aloha.env as package
            from dm_control.rl.control import PhysicsError

        log_warnings()
        self._package: Any = package
        self._unstable: type[Exception] = PhysicsError
        self._cube = settings.name == "transfer_cube"
        self._size = (settings.height, settings.width)
        self._horizon = task.max_steps or HORIZON
        self._instruction = INSTRUCTIONS[settings.name]
        self._env: Any = package.AlohaEnv(settings.name)._env
        self._env.task.get_observation = _nothing
        self._physics: Any = self._env.physics
        model = self._physics.model.ptr
        self._perturbations = ModelPerturbations(model)
        data = self._physics.data.ptr
        self._meter = SafetyMeter(model, data, body_of(model), package.DT)
        self._ways = Ways(model, data)
        self._canvases = Canvases(model, SAMPLES, shadows=True)
        self._planner: TransferCube | Insertion | None = None
        self._planned = False
        self._steps, self._best, self._lifted = 0, 0.0, False
        images = {view: functools.partial(self._draw, camera) for view, camera in CAMERAS.items()}
        # All views are computed when read, so one mapping serves every step.
        self._views = MappingProxyType(
            {**images, "proprio": self._proprio, "state": self._privileged}
        )
        action = action_of(model)
        self._bounds = action.bounds()
        self.brief = describe(self._size, OBJECTS[settings.name], action)

    def reset(self, case: Case) -> TimeStep:
        if not 0 <= case.seed <= LARGEST_SEED:
            raise UserError(
                f"task {case.task.id}: gym-aloha has seeds from 0 to {LARGEST_SEED}, not "
                f"{case.seed}"
            )
        self._perturbations.restore()
        package = self._package
        # The package's own reset hands the places over in this way.
        package.BOX_POSE[0] = (
            package.sample_box_pose(case.seed)
            if self._cube
            else np.concatenate(package.sample_insertion_pose(case.seed))
        )
        self._env.reset()
        self._perturbations.apply(case)
        self._steps, self._best = 0, 0.0
        self._lifted = self._planned = False
        self._meter.reset()
        self._ways.reset()
        return self._told(0.0)

    def step(self, action: Any) -> TimeStep:
        action = self.brief.action.validate(action)
        self._steps += 1
        try:
            reward = float(self._env.step(action).reward)
        except self._unstable:
            # What wild targets do to the model; MuJoCo has reset it.
            return self._told(0.0, unstable=True)
        self._best = max(self._best, reward)
        self._lifted = self._lifted or reward == LIFTED
        self._meter.sample(at_goal=reward == SOLVED)
        self._ways.sample()
        return self._told(reward)

    def _told(self, reward: float, unstable: bool = False) -> TimeStep:
        success = reward == SOLVED
        return TimeStep(
            self._views,
            self._instruction,
            reward,
            terminated=success or unstable,
            truncated=not (success or unstable) and self._steps >= self._horizon,
            success=success,
            metrics={
                "reward": reward,
                "max_reward": self._best,
                "lifted": float(self._lifted),
                "unstable": float(unstable),
                "path_length": self._ways.length,
                **self._meter.metrics(),
            },
        )

    def expert(self, executed: Any) -> np.ndarray:
        positions = self._physics.data.qpos
        joints = np.array([positions[:6], positions[ARM : ARM + 6]])
        objects = positions[2 * ARM :].reshape(-1, 7).copy()
        if self._planner is None:
            self._planner = (TransferCube if self._cube else Insertion)(self._physics.model.ptr)
        if not self._planned:
            self._planner.reset(joints, objects)
            self._planned = True
        action: np.ndarray = np.clip(self._planner.act(objects).astype(np.float32), *self._bounds)
        return action

    def render(self) -> np.ndarray:
        """The scene from the camera `angle`, uint8 (480, 640, 3)."""
        return self._canvases.draw(self._physics.data.ptr, "angle", (480, 640))

    def renderer_info(self) -> str:
        return self._canvases.renderer_info()

    def state(self) -> bytes:
        data = self._physics.data
        state: bytes = data.qpos.tobytes() + data.qvel.tobytes()
        return state

    def close(self) -> None:
        self._canvases.close()

    def _draw(self, camera: str) -> np.ndarray:
        return self._canvases.draw(self._physics.data.ptr, camera, self._size)

    def _proprio(self) -> np.ndarray:
        positions: np.ndarray = self._env.task.get_qpos(self._physics)
        return positions.astype(np.float32)

    def _privileged(self) -> np.ndarray:
        task, physics = self._env.task, self._physics
        parts = (task.get_qpos(physics), task.get_qvel(physics), task.get_env_state(physics))
        joined: np.ndarray = np.concatenate(parts)
        return joined.astype(np.float32)


def _nothing(physics: Any) -> dict[str, Any]:
    """In the place of the package's observation, which draws three pictures at every step."""
    return {}


@contextlib.contextmanager
def _as_before() -> Iterator[None]:
    """While dm_control is imported, name what draws, and restore the environment variables.

    By itself it tries GLFW first, which complains where there is no display, and sets variables.
    """
    before = dict(os.environ)
    try:
        if missing_gl() is None and gl_library():
            os.environ["MUJOCO_GL"] = gl_library()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)
