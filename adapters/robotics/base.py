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

from adapters._mujoco_gl import Canvas, FreeCamera, log_warnings, no_images
from adapters._mujoco_natives import CAMERA, PERTURBATIONS, Changes
from harness.core import Adapter, Case, Missing, SimulatorPerturbation, Task, UserError

__all__ = ["RoboticsAdapter"]

log = logging.getLogger("bench")


class RoboticsAdapter(Adapter):
    """One environment of gymnasium_robotics whose observation is the dict `observation`, `desired_goal`, `achieved_goal`."""

    packages: ClassVar[tuple[str, ...]] = ("gymnasium-robotics", "mujoco", "gymnasium")
    extra: ClassVar[str] = "robotics"
    _observed: Mapping[str, np.ndarray]
    """The package's last observation, float64."""

    @classmethod
    def limited(cls) -> Missing | None:
        """Images need EGL or OSMesa."""
        return no_images()

    moves: ClassVar[SimulatorPerturbation] = CAMERA
    """The perturbation of the camera."""

    @classmethod
    def simulator_perturbations(cls, task: Task | None = None) -> tuple[SimulatorPerturbation, ...]:
        """What MuJoCo's model offers, and the camera of `image`, which belongs to no model."""
        return (*PERTURBATIONS, cls.moves)

    def __init__(self, task: Task, **arguments: Any) -> None:
        self._params, self._instruction = task.params, str(task.params["instruction"])
        wrapped = _make(task.params["id"], arguments)
        self._horizon: int = task.max_steps or wrapped.spec.max_episode_steps
        self._env: Any = wrapped.unwrapped  # wrappers cost time
        self._steps = 0
        self._data: Any = self._env.data
        self._changes = Changes(self._env.model)
        self._qpos, self._qvel = self._data.qpos, self._data.qvel
        self._canvases: dict[int, Canvas] = {}

    def _advance(self, action: Any) -> tuple[float, bool, bool, Mapping[str, Any]]:
        """One step: (reward, terminated, truncated, info); truncated at the task's horizon, the package's own if it has none."""
        self._observed, reward, terminated, _, info = self._env.step(
            self.brief.action.validate(action)
        )
        self._steps += 1
        return float(reward), terminated, self._steps >= self._horizon, info

    def _state(self) -> np.ndarray:
        seen = self._observed
        return np.concatenate(
            [seen["observation"], seen["desired_goal"], seen["achieved_goal"]]
        ).astype(np.float32)

    def _aimed(self, case: Case, camera: FreeCamera) -> FreeCamera:
        """The camera as the case has it: moved in a direction of its own, or as it is."""
        params = case.simulator_perturbation(self.moves.name)
        if params is None:
            return camera
        way = case.rng("perturbation", self.moves.name, "image").standard_normal(3)
        metres = params["metres"] if "metres" in params else params["share"] * camera.distance
        return camera.moved(metres * way / np.linalg.norm(way))

    def _draw(self, camera: str | FreeCamera, size: int) -> np.ndarray:
        canvas = self._canvases.get(size)
        if canvas is None:
            canvas = self._canvases[size] = Canvas(
                self._env.model, size, self._params["multisampling"], self._params["shadows"]
            )
        return canvas.draw(self._data, camera)

    def state(self) -> bytes:
        """qpos and qvel."""
        return self._qpos.tobytes() + self._qvel.tobytes()

    def close(self) -> None:
        """Free the OpenGL contexts, if any were made, and the environment."""
        for canvas in self._canvases.values():
            canvas.close()
        self._env.close()


def _make(name: str, arguments: Mapping[str, Any]) -> Any:
    """The environment `name`. Raises UserError when there is none of that name."""
    said = io.StringIO()
    with (
        contextlib.redirect_stderr(said),
        contextlib.redirect_stdout(said),
    ):  # a notice about other tasks
        import gymnasium_robotics
    if said.getvalue():
        log.info("gymnasium_robotics: %s", said.getvalue().strip())
    import gymnasium

    gymnasium.register_envs(gymnasium_robotics)
    log_warnings()
    try:
        with _mazes_in_a_folder():
            return gymnasium.make(name, disable_env_checker=True, **arguments)
    except gymnasium.error.Error as unknown:
        raise UserError(
            f"gymnasium_robotics makes no {name!r} ({unknown}); see https://robotics.farama.org"
        ) from unknown


@contextlib.contextmanager
def _mazes_in_a_folder() -> Iterator[None]:
    """The package writes a maze's model into a file named after the time, beside the temporary folders, and leaves it there.

    Two processes may even choose the same name. So here it gets a folder of its own.
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
