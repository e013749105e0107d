"""PointMaze and AntMaze: find the way to the red ball through a maze of square cells.

Source of the rules: gymnasium_robotics 1.4, `envs/maze/`; the mazes are those of D4RL (arXiv
2004.07219).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from adapters._geodesics import spl
from adapters._mujoco_gl import FreeCamera
from adapters._params import levels
from adapters._reached import Reached
from adapters.robotics.base import RoboticsAdapter
from adapters.robotics.gait import trot
from adapters.robotics.visibility_graph import VisibilityGraph
from harness.core import Box, Brief, Case, Field, SimulatorPerturbation, Task, TimeStep, UserError
from harness.core.layout import UNKNOWN

__all__ = ["AntMazeAdapter", "PointMazeAdapter"]

WORLD = "world frame: origin at the centre of the maze, x to the right and y up in the image, z up"
POINT_PROPRIO = "0-1: the ball's position x, y (m); 2-3: its velocity (m/s)"
POINT_STATE = (
    f"{POINT_PROPRIO}; 4-5: the goal's position (m); 6-7: the ball's position again (m); {WORLD}"
)
POINT_ACTION = (
    "0: the force on the ball along x, 1: along y, world frame; 1 is 100 N, the ball's mass is "
    "4.2 kg"
)
ANT_PROPRIO = (
    "0: the torso's height (m); 1-4: its quaternion w, x, y, z; 5-12: the angles (rad) of hip and "
    "ankle of the legs front left, front right, back left, back right; 13-15: the torso's velocity "
    "x, y, z (m/s, world frame); 16-18: its angular velocity (rad/s, own frame); 19-26: the "
    "velocities (rad/s) of the joints 5-12; 27-104: the contact force on each of 13 bodies, the "
    "torso first: torque x, y, z and force x, y, z, clipped to -1..1 (N m, N)"
)
ANT_STATE = (
    f"0-104: {ANT_PROPRIO}; 105-106: the goal's position x, y (m); 107-108: the torso's (m); "
    f"{WORLD}"
)
ANT_ACTION = (
    "the torques on hip and ankle of the legs back right, front left, front right, back left; 1 is "
    "150 N m"
)
ANT_UNIT = "m, m/s, rad, rad/s, N, N m"
BALL = Field("body_position", 2, "absolute", "world", "m")
BALL_VELOCITY = Field("body_velocity", 2, "velocity", "world", "m/s")
GOAL = Field("goal_position", 2, "absolute", "world", "m")
ACHIEVED = Field("achieved_position", 2, "absolute", "world", "m")
ANT_LAYOUT = (
    Field("body_height", 1, "absolute", "world", "m"),
    Field("body_rotation", 4, "absolute", "world", "1", "quaternion_wxyz"),
    Field("joint_position", 8, "absolute", "", "rad"),
    Field("body_velocity", 3, "velocity", "world", "m/s"),
    Field("body_angular_velocity", 3, "velocity", "body", "rad/s"),
    Field("joint_velocity", 8, "velocity", "", "rad/s"),
    # Torques and forces in turn, so there is no one unit.
    Field("contact_wrench", 78, "force", UNKNOWN, scale=None),
)
STAGES = ("half way", "near the goal", "at the goal")
"""By the length of the shortest way that is left."""
NEAR_CELLS = 1.0
"""The way that is left, in cells of the maze, from which on a body is near the goal."""
JOINTS = slice(6, 14)
"""Of the ant's degrees of freedom: hips and ankles, after the six of the torso."""
UPRIGHT = 0.5
"""The cosine of 60 degrees, within which an ant that fell stands again."""
CAMERA = SimulatorPerturbation(
    "camera",
    "the position of the camera, moved by this share of its distance in a random direction",
    levels("share", 0.01, 0.02, 0.05, 0.1, 0.15),
)
"""A share, because the camera is 6 to 60 m away, by the size of the maze."""


class _MazeAdapter(RoboticsAdapter):
    camera_perturbation = CAMERA
    prefix: ClassVar[str]
    modes: ClassVar[tuple[str, ...]]
    """The failure modes beside those of every family."""
    radius: ClassVar[float]
    """The body's radius (m): how near its centre comes to a wall on the shortest path."""
    clearance: ClassVar[float]
    """How far the expert's path keeps from the walls (m).

    Starts and goals are at least a quarter of a cell away from them.
    """
    specs: ClassVar[Mapping[str, Box]]
    action: ClassVar[Box]
    embodiment: ClassVar[str]
    simulator: ClassVar[str]

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        return True

    @classmethod
    def stages(cls, task: Task) -> tuple[str, ...]:
        return STAGES

    @classmethod
    def failure_modes(cls, task: Task) -> tuple[str, ...]:
        return cls.modes

    def __init__(self, task: Task) -> None:
        name = task.params["id"]
        if not name.startswith(self.prefix):
            raise UserError(
                f"task {task.id}: the mazes of this adapter are called {self.prefix}..., "
                f"got {name!r}"
            )
        super().__init__(task, continuing_task=False)
        maze = self._env.maze
        size = float(maze.maze_size_scaling)
        walls = [[cell == 1 for cell in row] for row in maze.maze_map]
        self._graph = VisibilityGraph(walls, size, self.radius)
        self._expert_graph = VisibilityGraph(walls, size, self.clearance)
        self._expert_distances: np.ndarray | None = None
        self._left: np.ndarray | None = None
        """The way from each corner to the goal, once a stage was asked for."""
        self._expert_goal = np.empty(0)
        half = max(maze.map_length, maze.map_width) / 2 * size
        height = maze.maze_height * size
        # At this distance the tops of the outer walls just fit into the image.
        distance = half / math.tan(math.radians(self._env.model.vis.global_.fovy) / 2) + height
        self._above = self._camera = FreeCamera((0.0, 0.0, 0.0), distance, 90.0, -90.0)
        self._views: Mapping[str, Any] = MappingProxyType(
            {"state": self._state, "proprio": self._proprio, "image": self._image}
        )
        self._shortest = self._walked = self._x = self._y = 0.0
        self._hits = 0
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
        """The environment of the body inside the maze's environment."""
        raise NotImplementedError

    def reset(self, case: Case) -> TimeStep:
        self._perturbations.restore()
        self._observed, _ = self._env.reset(seed=case.simulator_seed)
        self._perturbations.apply(case)
        self._camera = self._camera_of(case, self._above)
        start, goal = self._observed["achieved_goal"], self._observed["desired_goal"]
        self._shortest, _ = self._graph.shortest_path(start, goal, self._graph.distances_to(goal))
        self._expert_distances = self._left = None
        self._reached = Reached()
        self._steps, self._walked, self._hits = 0, 0.0, 0
        self._x, self._y = start.tolist()
        self._goal_xy = tuple(goal.tolist())
        return TimeStep(self._views, self._instruction, success=False, metrics=self._metrics(False))

    def step(self, action: Any) -> TimeStep:
        reward, terminated, truncated, info = self._advance(action)
        x, y = self._observed["achieved_goal"].tolist()
        self._walked += math.hypot(x - self._x, y - self._y)
        self._x, self._y = x, y
        self._hits += self._meets_wall()
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
            "spl": spl(success, self._shortest, self._walked),
            "path_length": self._walked,
            "shortest_path": self._shortest,
            "distance": math.hypot(goal_x - self._x, goal_y - self._y),
            "collisions": float(self._hits),
        }

    def stage(self) -> int:
        goal = self._observed["desired_goal"]
        if self._left is None:
            self._left = self._graph.distances_to(goal)
        here = self._graph.push_out(np.array([self._x, self._y]))
        left, _ = self._graph.shortest_path(here, goal, self._left)
        return self._reached.note(
            left <= self._shortest / 2, left <= NEAR_CELLS * self._env.maze.maze_size_scaling
        )

    def _meets_wall(self) -> bool:
        """Whether the body touches a wall now."""
        raise NotImplementedError

    def _next_waypoint(self) -> np.ndarray:
        """Where the expert heads for now, (2,) in m.

        It is the next corner of the shortest path that keeps the clearance, or `_expert_goal`.
        """
        graph = self._expert_graph
        if self._expert_distances is None:
            self._expert_goal = graph.push_out(self._observed["desired_goal"])
            self._expert_distances = graph.distances_to(self._expert_goal)
        position = graph.push_out(np.array([self._x, self._y]))
        return graph.shortest_path(position, self._expert_goal, self._expert_distances)[1]

    def _proprio(self) -> np.ndarray:
        return self._observed["observation"].astype(np.float32)

    def _image(self) -> np.ndarray:
        return self._draw(self._camera, self._params["image_size"])

    def render(self) -> np.ndarray:
        """The whole maze from above, uint8 (480, 480, 3)."""
        return self._draw(self._camera, 480)


class PointMazeAdapter(_MazeAdapter):
    """A ball that is pushed through a maze of 1 m cells to the red ball.

    `task.params`: `id` (a PointMaze of gymnasium_robotics, say `PointMaze_UMaze-v3`), `instruction`
    (the package has none), and how images are drawn: `image_size` (px, square), `multisampling`
    (samples per pixel, 0 is off) and `shadows`.

    An episode has one goal: the environment is made with `continuing_task=False`, so the first step
    within 0.45 m of the goal is a success and ends the episode. Start and goal are drawn by the
    package from `case.simulator_seed`: two different cells of the maze (in the `Diverse_G` mazes
    one given start cell and some given goal cells, in `Diverse_GR` given cells for both), each
    moved by up to a quarter of a cell along x and y.
    Reward: 1 at the goal, else 0. With `Task.max_steps=None` the package's horizon truncates.

    Views, computed when read, m and m/s in the world frame:
        state    float32 (8,)  the package's observation (position, velocity), desired_goal and
                               achieved_goal
        proprio  float32 (4,)  position and velocity; the goal is visible in the image only
        image    uint8 (image_size, image_size, 3)  RGB, the whole maze from above, row 0 at the
                                                    top; needs EGL or OSMesa
    Action: Box (2,) in -1..1, the force along x and y, 1 is 100 N; 100 decisions per second (the
    package's page says 10, but a step is 10 ms).

    Metrics: `spl` = success * l / max(l, p) (Anderson et al. 2018, arXiv 1807.06757), where l is
    `shortest_path` (m), the shortest path from start to goal for the ball's centre, which keeps
    0.1 m from the walls, and p is `path_length` (m), the distance rolled; `distance` (m), the
    straight distance to the goal; `collisions`, the control steps that end with the ball at a wall.
    The episode ends 0.45 m short of the goal, so p may be below l; spl is 1 then.

    Expert: rolls to the next corner of the shortest path that keeps 0.2 m from the walls, and
    brakes for corners. It remembers nothing.
    """

    prefix = "PointMaze_"
    modes = ()
    radius = 0.1
    clearance = 0.2
    specs: ClassVar[Mapping[str, Box]] = {
        "state": Box(
            (8,),
            unit="m, m/s",
            meaning=POINT_STATE,
            layout=(BALL, BALL_VELOCITY, GOAL, ACHIEVED),
        ),
        "proprio": Box(
            (4,),
            unit="m, m/s",
            meaning=f"{POINT_PROPRIO}; {WORLD}",
            layout=(BALL, BALL_VELOCITY),
        ),
    }
    action = Box(
        (2,),
        low=-1.0,
        high=1.0,
        unit="1",
        meaning=POINT_ACTION,
        layout=(Field("body_force", 2, "force", "world", "N", scale=100.0),),
    )
    embodiment = (
        "a ball of 0.1 m radius on the floor of a maze, pushed by a force; it is never faster than "
        "about 5 m/s along x or y"
    )
    simulator = "Gymnasium-Robotics on MuJoCo, steps of 10 ms"
    cruise, corner, brake, gain = 5.0, 2.0, 15.0, 2.0
    """The expert's speed on straights and in corners (m/s), its braking (m/s^2), and the action per
    m/s of speed error."""

    def _body_env(self) -> Any:
        return self._env.point_env

    def _meets_wall(self) -> bool:
        # The ball slides along x and y only: it always touches the floor, and else only walls.
        return bool(self._data.ncon > 1)

    def expert(self, executed: Any) -> np.ndarray:
        waypoint = self._next_waypoint()
        offset = waypoint - np.array([self._x, self._y])
        left = math.hypot(*offset.tolist())
        speed = (
            self.cruise
            if waypoint is self._expert_goal
            else min(self.cruise, math.sqrt(self.corner**2 + 2.0 * self.brake * left))
        )
        wanted = offset * (speed / max(left, 1e-6))
        push: np.ndarray = np.clip(self.gain * (wanted - self._qvel), -1.0, 1.0)
        return push.astype(np.float32)


class AntMazeAdapter(_MazeAdapter):
    """An ant that walks through a maze of 4 m cells to the red ball.

    `task.params`: as PointMazeAdapter's; `id` is, say, `AntMaze_UMaze-v5`. Start, goal, end,
    reward, metrics and image are PointMaze's, with cells of 4 m and the torso (radius 0.25 m) in
    place of the ball. An ant that falls on its back may go on trying. Further metrics: `falls`, how
    often the torso turned upside down; it can fall again once it is within 60 degrees of upright;
    `energy` (J), by the torques at the end of each control step.

    Views, computed when read; see `brief` for each element:
        state    float32 (109,)  the package's observation, desired_goal and achieved_goal
        proprio  float32 (105,)  joints, torso and contacts, without the position in the maze
        image    uint8 (image_size, image_size, 3)  RGB, the whole maze from above, row 0 at the
                                                    top; needs EGL or OSMesa
    Action: Box (8,) in -1..1, the torques of hips and ankles, 1 is 150 N m; 20 decisions per second
    of simulated time.

    Expert: a trot driven by a clock (adapters/robotics/gait.py) towards the next corner of the
    shortest path that keeps 0.9 m from the walls. Of the past it uses only the number of steps.
    """

    prefix = "AntMaze_"
    modes = ("stopped_early",)
    radius = 0.25
    clearance = 0.9
    specs: ClassVar[Mapping[str, Box]] = {
        "state": Box(
            (109,), unit=ANT_UNIT, meaning=ANT_STATE, layout=(*ANT_LAYOUT, GOAL, ACHIEVED)
        ),
        "proprio": Box((105,), unit=ANT_UNIT, meaning=ANT_PROPRIO, layout=ANT_LAYOUT),
    }
    action = Box(
        (8,),
        low=-1.0,
        high=1.0,
        unit="1",
        meaning=ANT_ACTION,
        layout=(Field("joint_torque", 8, "torque", "", "N m", scale=150.0),),
    )
    embodiment = (
        "an ant: a torso 0.75 m above the floor of a maze on four legs of two joints each, a hip "
        "that turns the leg and an ankle"
    )
    simulator = "Gymnasium-Robotics on MuJoCo, steps of 10 ms, one action for 5 of them"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        model = self._env.model
        self._torso = model.body("torso").id
        walls = [model.geom(geom).name.startswith("block_") for geom in range(model.ngeom)]
        self._is_wall: list[bool] = walls
        self._falls, self._energy, self._is_down = 0, 0.0, False

    def reset(self, case: Case) -> TimeStep:
        self._falls, self._energy, self._is_down = 0, 0.0, False
        return super().reset(case)

    def _advance(self, action: Any) -> tuple[float, bool, bool, Mapping[str, Any]]:
        found = super()._advance(action)
        self._watch_torso()
        return found

    def _watch_torso(self) -> None:
        """Count falls, and add up the energy of a control step."""
        data = self._data
        up = data.xmat[self._torso, 8]  # the cosine of its angle to the vertical
        if up < 0.0 and not self._is_down:
            self._falls += 1
        self._is_down = up < (UPRIGHT if self._is_down else 0.0)
        power = np.abs(data.qfrc_actuator[JOINTS] * self._qvel[JOINTS]).sum()
        self._energy += float(power) * self._step_s

    def _meets_wall(self) -> bool:
        data = self._data
        if not data.ncon:
            return False
        pairs = data.contact.geom.tolist()
        return any(
            (self._is_wall[one] or self._is_wall[other]) and data.contact.efc_address[number] >= 0
            for number, (one, other) in enumerate(pairs)
        )

    def _metrics(self, success: bool) -> dict[str, float]:
        more = {"falls": float(self._falls), "energy": self._energy}
        return {**super()._metrics(success), **more}

    def _body_env(self) -> Any:
        return self._env.ant_env

    def expert(self, executed: Any) -> np.ndarray:
        x, y = self._next_waypoint().tolist()
        direction = math.atan2(y - self._y, x - self._x)
        return trot(self._steps * self._step_s, direction, self._qpos, self._qvel)
