"""PointMaze and AntMaze: find the way to the red ball through a maze of square cells.

Source of the rules: gymnasium_robotics 1.4, `envs/maze/`; the mazes are those of D4RL (arXiv 2004.07219).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from adapters._mujoco_gl import Canvas, FreeCamera, no_images
from adapters.robotics.package import make
from adapters.robotics.ways import Ways
from harness.core import Adapter, Box, Brief, Case, Missing, Task, TimeStep, UserError

__all__ = ["AntMazeAdapter", "PointMazeAdapter"]

WORLD = "world frame: origin at the centre of the maze, x to the right and y up in the image"
POINT_STATE = f"0-1: the ball's position x, y (m); 2-3: its velocity (m/s); 4-5: the goal's position (m); 6-7: the ball's position again (m); {WORLD}"
POINT_PROPRIO = f"0-1: the ball's position x, y (m); 2-3: its velocity (m/s); {WORLD}"
POINT_ACTION = "0: the force on the ball along x, 1: along y, world frame; 1 is 100 N, the ball's mass is 4.2 kg"
ANT_PROPRIO = (
    "0: the torso's height (m); 1-4: its quaternion w, x, y, z; 5-12: the angles (rad) of hip and ankle of the legs front left, front right, "
    "back left, back right; 13-15: the torso's velocity x, y, z (m/s, world frame); 16-18: its angular velocity (rad/s, its own frame); "
    "19-26: the velocities (rad/s) of the joints 5-12; 27-104: the contact force on each of 13 bodies, the torso first: torque x, y, z and "
    "force x, y, z, clipped to -1..1 (N m, N)"
)
ANT_STATE = f"0-104: {ANT_PROPRIO}; 105-106: the goal's position x, y (m); 107-108: the torso's (m); {WORLD}"
ANT_ACTION = (
    "the torques of hip and ankle of the legs back right, front left, front right, back left; 1 is 150 N m; positive turns the hip "
    "counterclockwise seen from above"
)


class _MazeAdapter(Adapter):
    packages: ClassVar[tuple[str, ...]] = ("gymnasium-robotics", "mujoco", "gymnasium")
    extra: ClassVar[str] = "robotics"
    prefix: ClassVar[str]
    radius: ClassVar[float]
    """Of the body (m): how near its centre comes to a wall."""
    specs: ClassVar[Mapping[str, Box]]
    action: ClassVar[Box]
    embodiment: ClassVar[str]
    simulator: ClassVar[str]

    @classmethod
    def limited(cls) -> Missing | None:
        """Images need EGL or OSMesa."""
        return no_images()

    def __init__(self, task: Task) -> None:
        self._params, self._instruction = task.params, task.params["instruction"]
        name = task.params["id"]
        if not name.startswith(self.prefix):
            raise UserError(f"task {task.id}: a maze of this adapter is called {self.prefix}..., got {name!r}")
        self._env: Any = make(name, task.max_steps, continuing_task=False)
        inner = self._env.unwrapped
        maze = self._maze = inner.maze
        self._data, self._model = inner.data, inner.model
        self._qpos, self._qvel = self._data.qpos, self._data.qvel
        self._size = float(maze.maze_size_scaling)
        self._walls = [[cell == 1 for cell in row] for row in maze.maze_map]
        self._ways = Ways(self._walls, self._size, self.radius)
        self._canvases: dict[int, Canvas] = {}
        half = max(maze.map_length, maze.map_width) / 2 * self._size
        height = maze.maze_height * self._size
        distance = half / math.tan(math.radians(self._model.vis.global_.fovy) / 2) + height  # the tops of the outer walls just fit
        self._camera = FreeCamera((0.0, 0.0, 0.0), distance, 90.0, -90.0)
        self._views: Mapping[str, Any] = MappingProxyType({"state": self._state, "proprio": self._proprio, "image": self._image})
        self._observed: Mapping[str, np.ndarray] = {}
        self._shortest = self._walked = self._x = self._y = 0.0
        side = task.params["image_size"]
        image = Box((side, side, 3), "uint8", 0, 255, "1", "RGB, the whole maze from above; the red ball is the goal")
        views = {**self.specs, "image": image}
        self.brief = Brief(views, self.action, self.embodiment, self.simulator, control_hz=1.0 / self._step_s())

    def _step_s(self) -> float:
        raise NotImplementedError

    def reset(self, case: Case) -> TimeStep:
        """Draw start and goal from `case.simulator_seed` (see the class)."""
        self._observed, _ = self._env.reset(seed=case.simulator_seed)
        start, goal = self._observed["achieved_goal"], self._observed["desired_goal"]
        self._x, self._y = start.tolist()
        self._walked = 0.0
        self._shortest, _ = self._ways.way(start, goal, self._ways.field(goal))
        return TimeStep(self._views, self._instruction, success=False, metrics=self._metrics(False))

    def step(self, action: Any) -> TimeStep:
        """Push for one control step."""
        self._observed, reward, terminated, truncated, info = self._env.step(self.action.check(action))
        x, y = self._observed["achieved_goal"].tolist()
        self._walked += math.hypot(x - self._x, y - self._y)
        self._x, self._y = x, y
        success = info["success"]
        return TimeStep(self._views, self._instruction, float(reward), terminated, truncated, success, self._metrics(success))

    def _metrics(self, success: bool) -> dict[str, float]:
        goal_x, goal_y = self._observed["desired_goal"].tolist()
        spl = self._shortest / max(self._shortest, self._walked) if success else 0.0
        distance = math.hypot(goal_x - self._x, goal_y - self._y)
        return {"spl": spl, "path_length": self._walked, "shortest_path": self._shortest, "distance": distance}

    def _state(self) -> np.ndarray:
        seen = self._observed
        return np.concatenate([seen["observation"], seen["desired_goal"], seen["achieved_goal"]]).astype(np.float32)

    def _proprio(self) -> np.ndarray:
        return self._observed["observation"].astype(np.float32)

    def _image(self) -> np.ndarray:
        return self._draw(self._params["image_size"])

    def _draw(self, size: int) -> np.ndarray:
        canvas = self._canvases.get(size)
        if canvas is None:
            canvas = self._canvases[size] = Canvas(self._model, size, self._params["multisampling"], self._params["shadows"])
        return canvas.draw(self._data, self._camera)

    def render(self) -> np.ndarray:
        """(480, 480, 3) uint8 RGB, the whole maze from above."""
        return self._draw(480)

    def state(self) -> bytes:
        """qpos, qvel."""
        return self._qpos.tobytes() + self._qvel.tobytes()

    def close(self) -> None:
        """Free the OpenGL contexts, if any were made, and the environment."""
        for canvas in self._canvases.values():
            canvas.close()
        self._env.close()


class PointMazeAdapter(_MazeAdapter):
    """A ball that is pushed through a maze of 1 m cells to the red ball.

    TODO
    """

    prefix = "PointMaze_"
    radius = 0.1
    specs: ClassVar[Mapping[str, Box]] = {
        "state": Box((8,), unit="m, m/s", meaning=POINT_STATE),
        "proprio": Box((4,), unit="m, m/s", meaning=POINT_PROPRIO),
    }
    action = Box((2,), low=-1.0, high=1.0, unit="1", meaning=POINT_ACTION)
    embodiment = "a ball of 0.1 m radius that slides on the floor of a maze, pushed by a force; it is never faster than 5 m/s along x or y"
    simulator = "Gymnasium-Robotics on MuJoCo, steps of 10 ms"
    clearance: ClassVar[float] = 0.2
    """How far from the walls the expert's way keeps (m)."""

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        """In every maze."""
        return True

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._wide_ways = Ways(self._walls, self._size, self.clearance)
        self._field: np.ndarray = np.empty(0)

    def _step_s(self) -> float:
        return float(self._env.unwrapped.point_env.dt)

    def reset(self, case: Case) -> TimeStep:
        """Draw start and goal from `case.simulator_seed` (see the class)."""
        timestep = super().reset(case)
        self._field = self._wide_ways.field(self._wide_ways.outside(self._observed["desired_goal"]))
        return timestep

    def expert(self, executed: Any) -> np.ndarray:
        """The push towards the next corner of the shortest way; it remembers nothing."""
        seen = self._observed
        position, velocity = seen["observation"][:2], seen["observation"][2:]
        start, goal = self._wide_ways.outside(position), self._wide_ways.outside(seen["desired_goal"])
        _, towards = self._wide_ways.way(start, goal, self._field)
        offset = towards - position
        left = float(np.hypot(*offset))
        last = bool((towards == goal).all())
        speed = CRUISE if last else min(CRUISE, math.sqrt(CORNER**2 + 2.0 * BRAKE * left))
        wanted = offset * (speed / max(left, 1e-6))
        return np.clip(GAIN * (wanted - velocity), -1.0, 1.0).astype(np.float32)

CRUISE, CORNER, BRAKE, GAIN = 5.0, 2.0, 15.0, 2.0


class AntMazeAdapter(_MazeAdapter):
    """An ant that walks through a maze of 4 m cells to the red ball.

    TODO
    """

    prefix = "AntMaze_"
    radius = 0.25
    specs: ClassVar[Mapping[str, Box]] = {
        "state": Box((109,), unit="m, m/s, rad, rad/s, N, N m", meaning=ANT_STATE),
        "proprio": Box((105,), unit="m, m/s, rad, rad/s, N, N m", meaning=ANT_PROPRIO),
    }
    action = Box((8,), low=-1.0, high=1.0, unit="1", meaning=ANT_ACTION)
    embodiment = "an ant: a torso with four legs of two joints each, 0.75 m high, that walks through a maze"
    simulator = "Gymnasium-Robotics on MuJoCo, steps of 10 ms, one action for 5 of them"

    def _step_s(self) -> float:
        return float(self._env.unwrapped.ant_env.dt)
