"""PointMaze and AntMaze: find the way to the red ball through a maze of square cells.

Source of the rules: gymnasium_robotics 1.4, `envs/maze/`; the mazes are those of D4RL (arXiv 2004.07219).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from adapters._mujoco_gl import FreeCamera
from adapters.robotics.base import RoboticsAdapter
from adapters.robotics.gait import trot
from adapters.robotics.visibility_graph import Ways
from harness.core import Box, Brief, Case, SimulatorPerturbation, Task, TimeStep, UserError

__all__ = ["AntMazeAdapter", "PointMazeAdapter"]

WORLD = "world frame: origin at the centre of the maze, x to the right and y up in the image, z up"
POINT_PROPRIO = "0-1: the ball's position x, y (m); 2-3: its velocity (m/s)"
POINT_STATE = (
    f"{POINT_PROPRIO}; 4-5: the goal's position (m); 6-7: the ball's position again (m); {WORLD}"
)
POINT_ACTION = "0: the force on the ball along x, 1: along y, world frame; 1 is 100 N, the ball's mass is 4.2 kg"
ANT_PROPRIO = (
    "0: the torso's height (m); 1-4: its quaternion w, x, y, z; 5-12: the angles (rad) of hip and ankle of the legs front left, front "
    "right, back left, back right; 13-15: the torso's velocity x, y, z (m/s, world frame); 16-18: its angular velocity (rad/s, own "
    "frame); 19-26: the velocities (rad/s) of the joints 5-12; 27-104: the contact force on each of 13 bodies, the torso first: "
    "torque x, y, z and force x, y, z, clipped to -1..1 (N m, N)"
)
ANT_STATE = f"0-104: {ANT_PROPRIO}; 105-106: the goal's position x, y (m); 107-108: the torso's (m); {WORLD}"
ANT_ACTION = "the torques on hip and ankle of the legs back right, front left, front right, back left; 1 is 150 N m"
ANT_UNIT = "m, m/s, rad, rad/s, N, N m"
CAMERA = SimulatorPerturbation(
    "camera",
    "the camera moved by a share of its distance",
    tuple({"share": share} for share in (0.01, 0.02, 0.05, 0.1, 0.15)),
)
"""Mazes differ in size, and cameras in their distance: 6 to 60 m."""


class _MazeAdapter(RoboticsAdapter):
    moves = CAMERA
    prefix: ClassVar[str]
    radius: ClassVar[float]
    """Of the body (m): how near its centre comes to a wall on the shortest way."""
    clearance: ClassVar[float]
    """How far from the walls the expert's way keeps (m); starts and goals are a quarter of a cell away from them, or more."""
    specs: ClassVar[Mapping[str, Box]]
    action: ClassVar[Box]
    embodiment: ClassVar[str]
    simulator: ClassVar[str]

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        """In every maze."""
        return True

    def __init__(self, task: Task) -> None:
        name = task.params["id"]
        if not name.startswith(self.prefix):
            raise UserError(
                f"task {task.id}: a maze of this adapter is called {self.prefix}..., got {name!r}"
            )
        super().__init__(task, continuing_task=False)
        maze = self._env.maze
        size = float(maze.maze_size_scaling)
        walls = [[cell == 1 for cell in row] for row in maze.maze_map]
        self._ways, self._wide = Ways(walls, size, self.radius), Ways(walls, size, self.clearance)
        self._field: np.ndarray | None = None
        self._goal = np.empty(0)
        half = max(maze.map_length, maze.map_width) / 2 * size
        height = maze.maze_height * size
        distance = (
            half / math.tan(math.radians(self._env.model.vis.global_.fovy) / 2) + height
        )  # the tops of the outer walls just fit
        self._above = self._camera = FreeCamera((0.0, 0.0, 0.0), distance, 90.0, -90.0)
        self._views: Mapping[str, Any] = MappingProxyType(
            {"state": self._state, "proprio": self._proprio, "image": self._image}
        )
        self._shortest = self._walked = self._x = self._y = 0.0
        self._goal_xy = 0.0, 0.0
        side = task.params["image_size"]
        image = Box(
            (side, side, 3),
            "uint8",
            0,
            255,
            "1",
            "RGB, the whole maze from above; the red ball is the goal",
        )
        self._step_s = float(self._body_env().dt)
        self.brief = Brief(
            {**self.specs, "image": image},
            self.action,
            self.embodiment,
            self.simulator,
            control_hz=1.0 / self._step_s,
        )

    def _body_env(self) -> Any:
        raise NotImplementedError

    def reset(self, case: Case) -> TimeStep:
        """Draw start and goal from `case.simulator_seed` (see the class)."""
        self._changes.restore()
        self._observed, _ = self._env.reset(seed=case.simulator_seed)
        self._changes.apply(case)
        self._camera = self._aimed(case, self._above)
        start, goal = self._observed["achieved_goal"], self._observed["desired_goal"]
        self._shortest, _ = self._ways.way(start, goal, self._ways.field(goal))
        self._field = None
        self._steps, self._walked = 0, 0.0
        self._x, self._y = start.tolist()
        self._goal_xy = tuple(goal.tolist())
        return TimeStep(self._views, self._instruction, success=False, metrics=self._metrics(False))

    def step(self, action: Any) -> TimeStep:
        """Push for one control step."""
        reward, terminated, truncated, info = self._advance(action)
        x, y = self._observed["achieved_goal"].tolist()
        self._walked += math.hypot(x - self._x, y - self._y)
        self._x, self._y = x, y
        success = info["success"]
        return TimeStep(
            self._views,
            self._instruction,
            reward,
            terminated,
            truncated,
            success,
            self._metrics(success),
        )

    def _metrics(self, success: bool) -> dict[str, float]:
        goal_x, goal_y = self._goal_xy
        return {
            "spl": self._shortest / max(self._shortest, self._walked) if success else 0.0,
            "path_length": self._walked,
            "shortest_path": self._shortest,
            "distance": math.hypot(goal_x - self._x, goal_y - self._y),
        }

    def _next(self) -> np.ndarray:
        """Where to head for now (2,): the next corner of the shortest way that keeps the clearance, or the goal."""
        if self._field is None:
            self._goal = self._wide.outside(self._observed["desired_goal"])
            self._field = self._wide.field(self._goal)
        return self._wide.way(
            self._wide.outside(np.array([self._x, self._y])), self._goal, self._field
        )[1]

    def _proprio(self) -> np.ndarray:
        return self._observed["observation"].astype(np.float32)

    def _image(self) -> np.ndarray:
        return self._draw(self._camera, self._params["image_size"])

    def render(self) -> np.ndarray:
        """(480, 480, 3) uint8 RGB, the whole maze from above."""
        return self._draw(self._camera, 480)


class PointMazeAdapter(_MazeAdapter):
    """A ball that is pushed through a maze of 1 m cells to the red ball.

    `task.params`: `id` (a PointMaze of gymnasium_robotics, say `PointMaze_UMaze-v3`), `instruction` (the package has none), and how images
    are drawn: `image_size` (px, square), `multisampling` (samples a pixel, 0 is off) and `shadows`.

    One goal an episode: the environment is made with `continuing_task=False`, so the first step within 0.45 m of the goal is a success and
    ends the episode. Start and goal are the package's draw from `case.simulator_seed`: two different cells of the maze (in the `Diverse_G`
    mazes one given start cell and some given goal cells, in `Diverse_GR` given cells for both), each moved by up to a quarter of a cell
    along x and y. Reward: 1 at the goal, else 0. With `Task.max_steps=None` the package's horizon truncates.

    Views, computed when read, m and m/s in the world frame:
        state    float32 (8,)   the package's observation (position, velocity), then desired_goal, then achieved_goal
        proprio  float32 (4,)   its first four: position and velocity; where the goal is, is seen in the image alone
        image    uint8 (image_size, image_size, 3)   RGB, the whole maze from above, row 0 at the top; needs EGL or OSMesa
    Action: Box (2,) in -1..1, the force along x and y, 1 is 100 N; 100 decisions a second (the package's page says 10; a step is 10 ms).

    Metrics: `spl` = success * l / max(l, p) (Anderson et al. 2018, arXiv 1807.06757) with l = `shortest_path` (m), the shortest way from
    start to goal for the ball's centre, at 0.1 m from the walls, and p = `path_length` (m), what it has rolled; `distance` (m) to the goal,
    as the crow flies. The episode ends 0.45 m short of the goal, so p may be below l, and spl is 1 then.

    Expert: rolls to the next corner of the shortest way that keeps 0.2 m from the walls, braking for corners. It remembers nothing.
    """

    prefix = "PointMaze_"
    radius = 0.1
    clearance = 0.2
    specs: ClassVar[Mapping[str, Box]] = {
        "state": Box((8,), unit="m, m/s", meaning=POINT_STATE),
        "proprio": Box((4,), unit="m, m/s", meaning=f"{POINT_PROPRIO}; {WORLD}"),
    }
    action = Box((2,), low=-1.0, high=1.0, unit="1", meaning=POINT_ACTION)
    embodiment = "a ball of 0.1 m radius on the floor of a maze, pushed by a force; it is never faster than about 5 m/s along x or y"
    simulator = "Gymnasium-Robotics on MuJoCo, steps of 10 ms"
    cruise, corner, brake, gain = 5.0, 2.0, 15.0, 2.0
    """The expert's speed on the straight and in corners (m/s), how it brakes (m/s^2), and its push for a missing m/s."""

    def _body_env(self) -> Any:
        return self._env.point_env

    def expert(self, executed: Any) -> np.ndarray:
        """The push towards the next corner of the shortest way, or the goal."""
        towards = self._next()
        offset = towards - np.array([self._x, self._y])
        left = math.hypot(*offset.tolist())
        speed = (
            self.cruise
            if towards is self._goal
            else min(self.cruise, math.sqrt(self.corner**2 + 2.0 * self.brake * left))
        )
        wanted = offset * (speed / max(left, 1e-6))
        return np.clip(self.gain * (wanted - self._qvel), -1.0, 1.0).astype(np.float32)


class AntMazeAdapter(_MazeAdapter):
    """An ant that walks through a maze of 4 m cells to the red ball.

    `task.params`: as PointMazeAdapter's; `id` is say `AntMaze_UMaze-v5`. Start, goal, end, reward, metrics and image are PointMaze's, with
    cells of 4 m and the torso (radius 0.25 m) in place of the ball. An ant that falls on its back may go on trying.

    Views, computed when read:
        state    float32 (109,)  the package's observation, then desired_goal, then achieved_goal: see `brief` for each element
        proprio  float32 (105,)  its first 105: joints, torso and contacts, without the position in the maze and the goal
        image    uint8 (image_size, image_size, 3)   RGB, the whole maze from above, row 0 at the top; needs EGL or OSMesa
    Action: Box (8,) in -1..1, the torques of hips and ankles, 1 is 150 N m; 20 decisions a second of simulated time.

    Expert: an open-loop trot (adapters/robotics/gait.py) towards the next corner of the shortest way that keeps 0.9 m from the walls; of
    the past it knows the number of steps alone.
    """

    prefix = "AntMaze_"
    radius = 0.25
    clearance = 0.9
    specs: ClassVar[Mapping[str, Box]] = {
        "state": Box((109,), unit=ANT_UNIT, meaning=ANT_STATE),
        "proprio": Box((105,), unit=ANT_UNIT, meaning=ANT_PROPRIO),
    }
    action = Box((8,), low=-1.0, high=1.0, unit="1", meaning=ANT_ACTION)
    embodiment = "an ant: a torso 0.75 m above the floor of a maze on four legs of two joints each, a hip that turns the leg and an ankle"
    simulator = "Gymnasium-Robotics on MuJoCo, steps of 10 ms, one action for 5 of them"

    def _body_env(self) -> Any:
        return self._env.ant_env

    def expert(self, executed: Any) -> np.ndarray:
        """A step of the trot towards the next corner of the shortest way, or the goal."""
        x, y = self._next().tolist()
        return trot(
            self._steps * self._step_s, math.atan2(y - self._y, x - self._x), self._qpos, self._qvel
        )
