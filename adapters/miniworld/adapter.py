"""The MiniWorld adapter: one world behind the episode contract."""

from __future__ import annotations

import contextlib
import ctypes.util
import functools
import math
import struct
import sys
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from adapters._geodesics import spl
from adapters.miniworld import perturbations
from adapters.miniworld.drawing import Painter
from adapters.miniworld.expert import Expert
from adapters.miniworld.stages import Course, modes_of, stages_of
from adapters.miniworld.worlds import WORLDS, Health, Objective, Sign
from harness.core import (
    Adapter,
    Box,
    Brief,
    Case,
    Discrete,
    Missing,
    SimulatorPerturbation,
    Task,
    TimeStep,
    UserError,
)

__all__ = ["MiniWorldAdapter"]

ACTIONS = (
    "turn_left",
    "turn_right",
    "move_forward",
    "move_back",
    "pickup",
    "drop",
    "toggle",
    "done",
)
WAYS = ((0.0, 1.0), (0.0, -1.0), (1.0, 0.0), (-1.0, 0.0))
"""(steps ahead, turns to the left) of the actions that move the agent, the first of ACTIONS."""
TOP = 224
"""The side of `image_top`, px."""
FRAME = (640, 480)
"""Width and height of `render`, px."""
LIBRARIES = {
    "EGL": "libegl1",
    "GL": "libgl1",
    "GLU": "libglu1-mesa",
    "fontconfig": "libfontconfig1",
    "freetype": "libfreetype6",
}
"""The libraries that the package needs -> the Debian packages that have them."""

_pack = struct.Struct("<i3d?").pack


class MiniWorldAdapter(Adapter):
    """One of MiniWorld's 23 worlds; one kept environment plays all its cases.

    `task.params`: `world` (the name in `miniworld.envs`, say `MazeS3`), `width` and `height` of
    `image` and `depth` in px (80 and 60 are the package's).

    Case.seed -> start: the simulator's seed is drawn from the case, and again until the episode is
    neither solved at its start (1 to 4 % of the starts in rooms, 19 % in OneRoomS6Fast) nor, in
    ThreeRooms and RoomObjects, impossible.

    Views, each drawn only when it is read:
        image      uint8 (height, width, 3)  RGB from the agent's eyes, 1.5 m above the floor, 60
                                             degrees high
        depth      float32 (height, width)   m along the optical axis, 0.04 to 100, from a 16-bit
                                             depth buffer
        image_top  uint8 (224, 224, 3)       RGB, the whole floor from above; the red triangle is
                                             the agent
        state      float32 (n,)              privileged: see `brief.observation["state"].meaning`;
                                             it does not include the walls
    Frame: the floor is the plane of x (east) and z (south), y points up; metres. Headings are
    counter-clockwise from x as seen from above.

    Actions: Discrete, the package's choice for each world: turn by 15 degrees left or right, 0.15 m
    forward (45 degrees and 0.7 m in the worlds called Fast and in Sign), and in some worlds back,
    pickup, drop, toggle, done. Sign's fourth action ends the episode. In worlds without `done`
    every action does something; the no-op there turns left.

    Reward: the package's, 1 - 0.2 steps / limit at the goal. Success: see
    `adapters.miniworld.worlds`. With `Task.max_steps=None` the package's own limit truncates; a
    horizon beyond that limit raises it, also in the reward, and in CollectHealth, where success is
    to be alive at the limit, any horizon of the task is the limit.
    Metrics: `path_length` (m walked); `collisions`, the steps in which a wall, or an object that is
    not to be picked up, was in the way of the agent or of what it carries; where the goal is a
    place, also `shortest_path` (m) and `spl` = success * shortest / max(shortest, walked) at the
    episode's end (Anderson et al. 2018, arXiv 1807.06757); `picked_up` and `health` in the worlds
    that have them.

    Expert: see `adapters.miniworld.expert`. It gives up when a search finds no path: it answers
    None from then on, and the metric `expert_gave_up` is 1.

    Raises UserError where MiniWorld has no such `world`.
    """

    packages: ClassVar[tuple[str, ...]] = ("miniworld", "pyglet", "gymnasium")
    redraws: ClassVar[bool] = False
    own_streams: ClassVar[bool] = True
    start_kind: ClassVar[str] = "continuous"
    privileged_views: ClassVar[tuple[str, ...]] = ("state",)
    extra: ClassVar[str] = "miniworld"

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        """The packages, and the libraries without which MiniWorld cannot be imported."""
        return super().missing(task) or _missing_libraries()

    @classmethod
    def simulator_perturbations(cls, task: Task | None = None) -> tuple[SimulatorPerturbation, ...]:
        return perturbations.PERTURBATIONS

    @classmethod
    def env_key(cls, task: Task) -> str:
        return "miniworld/{world}/{width}x{height}".format_map(task.params)

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        return True

    @classmethod
    def stages(cls, task: Task) -> tuple[str, ...]:
        return stages_of(task.params["world"])

    @classmethod
    def failure_modes(cls, task: Task) -> tuple[str, ...]:
        return modes_of(task.params["world"])

    def __init__(self, task: Task) -> None:
        world = task.params["world"]
        self._size = int(task.params["width"]), int(task.params["height"])
        if world not in WORLDS:
            raise UserError(
                f"task {task.id}: MiniWorld has no world {world!r}; it has "
                f"{', '.join(sorted(WORLDS))}"
            )
        self._kind = WORLDS[world]
        self._env: Any = _make(world, *self._size)
        self._own_limit: float = self._env.max_episode_steps
        self._painter = Painter(self._env)
        self._objective: Objective
        self._course: Course | None = None
        self._hits = 0
        self._moves = 3 if self._kind is Sign else len(WAYS)
        self._expert: Expert | None
        self._views: Mapping[str, Callable[[], Any]] = {
            "image": lambda: self._painter.image(*self._size),
            "depth": lambda: self._painter.depth(*self._size),
            "image_top": lambda: self._painter.top(TOP, TOP),
            "state": self._state,
        }
        self._objects: list[Any] = [
            entity
            for entity in self._env.entities
            if entity is not self._env.agent and not entity.is_static
        ]
        self.brief = self._describe()

    def reset(self, case: Case) -> TimeStep:
        env, rng = self._env, case.rng("simulator")
        self._painter.make_current()
        env.max_episode_steps = self._own_limit
        while True:
            self._kind.prepare(env, rng)
            env.reset(seed=int(rng.integers(2**31)))
            self._objective = self._kind(env, rng)
            if self._objective.playable():
                break
        horizon = case.task.max_steps
        if horizon is not None:
            survives = issubclass(self._kind, Health)
            env.max_episode_steps = horizon if survives else max(horizon, env.max_episode_steps)
        self._painter.perturb(case)
        self._objects = [
            entity for entity in env.entities if entity is not env.agent and not entity.is_static
        ]
        self._start = self._at = (float(env.agent.pos[0]), float(env.agent.pos[2]))
        self._course = None
        self._walked, self._hits = 0.0, 0
        self._expert, self._gave_up = Expert(env, self._objective.subgoal), False
        return TimeStep(
            self._views, self._objective.instruction, success=False, metrics=self._metrics()
        )

    def step(self, action: Any) -> TimeStep:
        action = self.brief.action.validate(action)
        heading = self._env.agent.dir
        _, reward, terminated, truncated, _ = self._env.step(action)
        x, _, z = self._env.agent.pos
        if (x, z) != self._at:
            self._walked += math.dist(self._at, (x, z))
            self._at = float(x), float(z)
        elif action < self._moves and self._env.agent.dir == heading:
            self._hits += not self._objective.handles or self._meets_wall(WAYS[action])
        reward, terminated, success = self._objective.judge(
            float(reward), bool(terminated), bool(truncated)
        )
        metrics = self._metrics()
        if (terminated or truncated) and self._objective.target is not None:
            shortest = self._objective.field().shortest(*self._start)
            metrics["shortest_path"] = shortest
            metrics["spl"] = spl(success, shortest, self._walked)
        return TimeStep(
            self._views,
            self._objective.instruction,
            float(reward),
            terminated,
            bool(truncated),
            success,
            metrics,
        )

    def render(self) -> np.ndarray:
        """The view from the agent's eyes, uint8 (480, 640, 3)."""
        return self._painter.image(*FRAME)

    def renderer_info(self) -> str:
        return self._painter.renderer_info()

    def expert(self, executed: Any) -> int | None:
        # What was executed before shows in where the agent stands.
        if self._expert is None:
            return None
        action = self._expert.action()
        if action is None:
            self._expert, self._gave_up = None, True
        return action

    def stage(self) -> int:
        if self._course is None:
            self._course = Course(self._env, self._objective, self._size)
        return self._course.stage()

    def failure_mode(self) -> tuple[str, ...]:
        return () if self._course is None else self._course.failure_mode()

    def state(self) -> bytes:
        """Steps, pose, whether something is carried, and where the objects are."""
        env = self._env
        x, _, z = env.agent.pos
        agent = _pack(env.step_count, x, z, env.agent.dir, env.agent.carrying is not None)
        return agent + np.array([entity.pos for entity in self._objects]).tobytes()

    def close(self) -> None:
        self._painter.close()

    def _meets_wall(self, way: tuple[float, float]) -> bool:
        """Whether a wall is in the way of the agent, or of what it carries, rather than an object.

        way: as WAYS has it.
        """
        env, (steps, turns) = self._env, way
        agent, sample = env.agent, env.params.sample
        place = agent.pos + agent.dir_vec * steps * sample(None, "forward_step")
        if env.intersect(agent, place, agent.radius) is True:
            return True
        if agent.carrying is None:
            return False
        before = agent.dir
        agent.dir += math.radians(turns * sample(None, "turn_step"))
        carried = env._get_carry_pos(place, agent.carrying)
        agent.dir = before
        return env.intersect(agent.carrying, carried, agent.carrying.radius) is True

    def _metrics(self) -> dict[str, float]:
        metrics = {
            "path_length": self._walked,
            "collisions": float(self._hits),
            **self._objective.metrics(),
        }
        return {**metrics, "expert_gave_up": 1.0} if self._gave_up else metrics

    def _state(self) -> np.ndarray:
        env = self._env
        agent = env.agent
        values = [
            agent.pos[0],
            agent.pos[2],
            math.cos(agent.dir),
            math.sin(agent.dir),
            float(agent.carrying is not None),
        ]
        for entity in self._objects:
            values += (entity.pos[0], entity.pos[2], float(entity in env.entities))
        if isinstance(self._objective, Health):
            values.append(float(env.health))
        return np.array(values, np.float32)

    def _describe(self) -> Brief:
        env, (width, height) = self._env, self._size
        step, turn = env.params.sample(None, "forward_step"), env.params.sample(None, "turn_step")
        count, healthy = len(self._objects), issubclass(self._kind, Health)
        meaning = (
            "0-1 the agent's place x, z (m); 2-3 cosine and sine of its heading; 4 whether it "
            "carries something; then for each object x, z (m) and 1, or 0 once it is gone. World "
            "frame: x east, z south, headings counter-clockwise from x as seen from above"
        )
        return Brief(
            observation={
                "image": Box(
                    (height, width, 3), "uint8", 0, 255, "px", "RGB from the agent's eyes"
                ),
                "depth": Box(
                    (height, width),
                    low=0.0,
                    high=101.0,
                    unit="m",
                    meaning="distance along the optical axis of `image`",
                ),
                "image_top": Box(
                    (TOP, TOP, 3),
                    "uint8",
                    0,
                    255,
                    "px",
                    "RGB, the floor from above; the red triangle is the agent",
                ),
                "state": Box(
                    (5 + 3 * count + healthy,),
                    unit="m",
                    meaning=meaning + ("; last the health, 0-100" if healthy else ""),
                ),
            },
            action=_action_spec(self._kind, int(env.action_space.n)),
            embodiment=f"a walking agent, a cylinder of {env.agent.radius:g} m radius with eyes at "
            f"1.5 m: an action turns it by {turn:g} degrees or moves it by {step:g} m, unless a "
            "wall or an object is in the way; where it can pick up, it takes what stands just "
            "ahead and carries it there",
            simulator="MiniWorld, a 3-D indoor simulator with flat floors, textured walls and no "
            "dynamics",
        )


def _action_spec(kind: type[Objective], n: int) -> Discrete:
    if kind is Sign:
        return Discrete(
            n,
            (*ACTIONS[:3], "end"),
            "no action does nothing: the no-op turns left; end ends the episode",
        )
    if n == len(ACTIONS):
        return Discrete(n, ACTIONS, "done and toggle do nothing", neutral=ACTIONS.index("done"))
    return Discrete(n, ACTIONS[:n], "no action does nothing: the no-op turns left")


def _make(world: str, width: int, height: int) -> Any:
    """The environment of a world, with no window on any screen.

    The package's frame buffer for people would take 35 MB, so it gets a tiny one; Painter makes one
    when it is needed.
    """
    import pyglet

    if "pyglet.gl" not in sys.modules:  # afterwards the option has no effect
        pyglet.options["headless"] = True
    with contextlib.redirect_stdout(None):  # the package prints how many samples the driver has
        from miniworld import envs

        return getattr(envs, world)(
            obs_width=width, obs_height=height, window_width=8, window_height=8
        )


@functools.cache
def _missing_libraries() -> Missing | None:
    absent = {
        name: package
        for name, package in LIBRARIES.items()
        if ctypes.util.find_library(name) is None
    }
    if not absent or sys.platform != "linux":
        return None
    return Missing(
        f"no {' and no '.join(absent)} library is installed",
        f"apt-get install {' '.join(absent.values())} libgl1-mesa-dri",
    )
