"""What the environments of the package `gymnasium_robotics` have in common."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import types
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from adapters._mujoco_gl import Canvases, FreeCamera, log_warnings, missing_gl
from adapters._mujoco_perturbations import CAMERA, PERTURBATIONS, ModelPerturbations
from harness.core import Adapter, Case, Missing, SimulatorPerturbation, Task, UserError

__all__ = ["RoboticsAdapter"]

log = logging.getLogger("bench")


class RoboticsAdapter(Adapter):
    """One environment of gymnasium_robotics with a goal.

    Its observation is the dict of `observation`, `desired_goal` and `achieved_goal`.
    """

    code_params: ClassVar[tuple[str, ...]] = ("id",)
    packages: ClassVar[tuple[str, ...]] = ("gymnasium-robotics", "mujoco", "gymnasium")
    redraws: ClassVar[bool] = False
    own_streams: ClassVar[bool] = True
    start_kind: ClassVar[str] = "continuous"
    privileged_views: ClassVar[tuple[str, ...]] = ("state",)
    extra: ClassVar[str] = "robotics"
    _observed: Mapping[str, np.ndarray]
    """The package's last observation, float64."""
    camera_perturbation: ClassVar[SimulatorPerturbation] = CAMERA
    """How the case moves the camera of `image`, which is not part of the model."""

    @classmethod
    def limited(cls) -> Missing | None:
        return missing_gl()

    @classmethod
    def simulator_perturbations(cls, task: Task | None = None) -> tuple[SimulatorPerturbation, ...]:
        return (*PERTURBATIONS, cls.camera_perturbation)

    def __init__(self, task: Task, **arguments: Any) -> None:
        self._params, self._instruction = task.params, str(task.params["instruction"])
        wrapped = _make(task.params["id"], arguments)
        self._horizon: int = task.max_steps or wrapped.spec.max_episode_steps
        self._env: Any = wrapped.unwrapped  # without wrappers, which cost time
        self._steps = 0
        self._data: Any = self._env.data
        self._perturbations = ModelPerturbations(self._env.model)
        self._qpos, self._qvel = self._data.qpos, self._data.qvel
        self._canvases = Canvases(
            self._env.model, self._params["multisampling"], self._params["shadows"]
        )

    def _advance(self, action: Any) -> tuple[float, bool, bool, Mapping[str, Any]]:
        """Step the environment: (reward, terminated, truncated, info).

        It truncates at the task's horizon, or at the package's own if the task has none.
        """
        self._observed, reward, terminated, _, info = self._env.step(
            self.brief.action.validate(action)
        )
        self._steps += 1
        return float(reward), terminated, self._steps >= self._horizon, info

    def _state(self) -> np.ndarray:
        seen = self._observed
        parts: np.ndarray = np.concatenate(
            [seen["observation"], seen["desired_goal"], seen["achieved_goal"]]
        )
        return parts.astype(np.float32)

    def _camera_of(self, case: Case, camera: FreeCamera) -> FreeCamera:
        """`camera`, moved in a random direction where the case perturbs it."""
        name = self.camera_perturbation.name
        params = case.simulator_perturbation(name)
        if params is None:
            return camera
        way = case.rng("perturbation", name, "image").standard_normal(3)
        metres = params["metres"] if "metres" in params else params["share"] * camera.distance
        return camera.moved(metres * way / np.linalg.norm(way))

    def _draw(self, camera: str | FreeCamera, size: int) -> np.ndarray:
        return self._canvases.draw(self._data, camera, size)

    def renderer_info(self) -> str:
        return self._canvases.renderer_info()

    def state(self) -> bytes:
        state: bytes = self._qpos.tobytes() + self._qvel.tobytes()
        return state

    def close(self) -> None:
        self._canvases.close()
        self._env.close()


def _make(name: str, arguments: Mapping[str, Any]) -> Any:
    """The environment `name`, with its wrappers. Raises UserError where there is none."""
    printed = io.StringIO()
    # The package prints a notice about tasks that are not used here.
    with contextlib.redirect_stderr(printed), contextlib.redirect_stdout(printed):
        import gymnasium_robotics
    if printed.getvalue():
        log.info("gymnasium_robotics: %s", printed.getvalue().strip())
    import gymnasium

    gymnasium.register_envs(gymnasium_robotics)
    log_warnings()
    try:
        with _temporary_maze_folder():
            return gymnasium.make(name, disable_env_checker=True, **arguments)
    except gymnasium.error.Error as unknown:
        raise UserError(
            f"gymnasium_robotics has no {name!r} ({unknown}); see https://robotics.farama.org"
        ) from unknown


@contextlib.contextmanager
def _temporary_maze_folder() -> Iterator[None]:
    """Make the package write the model of a maze into a folder that is removed.

    By itself it writes the model into the directory of temporary folders and leaves it there, in a
    file named after the time, a name that two processes may both choose.
    """
    from gymnasium_robotics.envs.maze import maze_v4

    with tempfile.TemporaryDirectory() as folder:
        inside = types.SimpleNamespace(
            TemporaryDirectory=lambda: tempfile.TemporaryDirectory(dir=folder)
        )
        before, maze_v4.tempfile = maze_v4.tempfile, inside
        try:
            yield
        finally:
            maze_v4.tempfile = before
