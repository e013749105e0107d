"""PointNav, ObjectNav and ImageNav in habitat-sim."""

from __future__ import annotations

import functools
import math
import os
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from adapters._gl_strings import current_renderer
from adapters._reached import Reached
from adapters.habitat import episodes, flat, stages
from adapters.habitat.metrics import Way, compass, heading, pointgoal, rotate_back, yaw
from adapters.habitat.world import ACTIONS, Body, World
from harness.core import (
    Adapter,
    Box,
    Brief,
    Case,
    Discrete,
    Missing,
    Spec,
    Task,
    TimeStep,
    UserError,
)

__all__ = ["GUIDE", "HabitatAdapter", "data_folder"]

KINDS = ("pointnav", "objectnav", "imagenav")
SHORTEST, LONGEST, TRIES = 2.0, 20.0, 1000
"""Length of a path in a flat, m; the number of draws before giving up."""
FLOOR, CLEARANCE = 0.3, 0.15
"""m. Above FLOOR the navmesh lies on furniture; on the floor it lies one of its cells, 0.2 m, high.
CLEARANCE is the least distance of a start from the navmesh's edge."""
INSTRUCTIONS = {
    "pointnav": "Go to the goal that the compass shows, and stop there.",
    "imagenav": "Go to where the goal picture was taken, and stop there.",
    "objectnav": "Find a {}, go near it, and stop there.",
}
GUIDE = (
    "bench doctor --fix habitat, with a conda; by hand: conda env create -f "
    "adapters/habitat/environment.yml, then --interpreter habitat=/path/to/its/python"
)
ROBOT = ("mani_skill==3.0.1",)
"""The package whose files describe the Fetch. It is installed without what it depends on, which is
gigabytes that nothing here imports."""
_pack = struct.Struct("<7d3i?").pack


class HabitatAdapter(Adapter):
    """A body with one camera moves through a home, one step or turn per action. `task.params`:

        kind      the goal: `pointnav`, a point whose direction is a view; `objectnav`, any object
                  of a category; `imagenav`, the place where a picture was taken
        scene     `flat`: the generated flats of `flat.py`, numbers 0 to `flats` - 1. If absent:
        dataset   the file of habitat's episodes below the data folder, and `scenes`, the folder of
                  its scenes; `data` is the data folder unless it is $HABITAT_DATA or ./data
        near      m: success is to stop at a smaller geodesic distance from the goal (objectnav:
                  from a view point of an object)
        height, radius, eye, width_px, height_px, hfov, forward, turn, tilt, sliding, far: the body,
                  see `world.Body`

    Case.seed -> episode: with `scene`, flat, start and goal are drawn from the case's stream (both
    on the navmesh, with a path of 2 to 20 m between them); of a dataset's n episodes, files sorted
    by name, number seed % n.

    Views, rendered when read:
        image            uint8 (height, width, 3)   RGB from the camera, row 0 at the top
        depth            float32 (height, width)    m along the optical axis, 0 where nothing is hit
        image_goal       uint8 (height, width, 3)   imagenav: the picture to reach
        state_pointgoal  float32 (2,)               pointnav: distance (m) and angle (rad, positive
                                                    to the left) of the goal in the body's frame, as
                                                    habitat-lab's pointgoal_with_gps_compass
        proprio          float32 (3,)               relative to the start: m ahead, m to the right,
                                                    heading (rad)
        state            float32 (8,)               privileged: see `brief`
    World frame: y up, metres, forward is -z, a turn to the left is positive.

    Action: Discrete: stop, move_forward, turn_left, turn_right, and for objectnav look_up,
    look_down. `stop` ends the episode. Reward: the decrease of the geodesic distance to the goal
    (m). Metrics: habitat-lab's, see `metrics.Way`.

    Expert: habitat-sim's greedy follower of the geodesic shortest path; it stops as soon as that is
    a success, and gives up when stuck.

    Raises UserError where a param, a dataset or a scene does not exist.
    """

    path_params: ClassVar[tuple[str, ...]] = ("data", "dataset", "scenes")
    packages: ClassVar[tuple[str, ...]] = ("habitat-sim",)
    redraws: ClassVar[bool] = False
    privileged_views: ClassVar[tuple[str, ...]] = ("state", "state_pointgoal")
    guide: ClassVar[str] = GUIDE
    conda: ClassVar[str] = "environment.yml"
    conda_installs: ClassVar[tuple[str, ...]] = ROBOT
    patience_s: ClassVar[float] = 300.0

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        absent = super().missing(task)
        if absent is None and task is not None and "dataset" in task.params:
            folder = data_folder(task.params)
            for name in (task.params["dataset"], task.params["scenes"]):
                if not (folder / name).exists():
                    return Missing(
                        f"there is no {folder / name}",
                        "set HABITAT_DATA to the folder that holds datasets/ and scene_datasets/",
                    )
        return absent

    @classmethod
    def fixed_episode_list(cls, task: Task) -> bool:
        return "dataset" in task.params

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        return True

    @classmethod
    def stages(cls, task: Task) -> tuple[str, ...]:
        return stages.NAVIGATION

    @classmethod
    def failure_modes(cls, task: Task) -> tuple[str, ...]:
        return ("stopped_early",)

    def __init__(self, task: Task) -> None:
        params = task.params
        kind = params.get("kind")
        if kind not in KINDS:
            raise UserError(
                f"task {task.id}: there is no kind {kind!r}; there are {', '.join(KINDS)}"
            )
        self._kind, self._near = str(kind), float(params["near"])
        self._body = Body.of(params)
        self._episodes: tuple[episodes.Episode, ...] = ()
        if "dataset" in params:
            folder = data_folder(params)
            self._episodes = _read(
                folder / params["dataset"], folder / params["scenes"], self._kind == "objectnav"
            )
            _require_scenes(self._episodes, task)
        elif params.get("scene") == "flat" and 1 <= int(params["flats"]) <= flat.FLATS:
            self._flats = int(params["flats"])
        else:
            raise UserError(
                f"task {task.id}: wants a `dataset`, or scene = 'flat' and flats from 1 to "
                f"{flat.FLATS}"
            )
        self._world = World(self._body)
        self._actions = ACTIONS if self._kind == "objectnav" else ACTIONS[:4]
        self._views: dict[str, Callable[[], np.ndarray]] = {
            "image": functools.partial(self._world.draw, "image"),
            "depth": functools.partial(self._world.draw, "depth"),
            "proprio": self._proprio,
            "state": self._state,
        }
        if self._kind == "pointnav":
            self._views["state_pointgoal"] = self._pointgoal
        if self._kind == "imagenav":
            self._views["image_goal"] = lambda: self._goal_image.copy()
        self.brief, self._action = self._describe()

    def reset(self, case: Case) -> TimeStep:
        episode = self._episode_of(case)
        world = self._world
        world.load(episode.scene, episode.scene_dataset)
        if self._kind == "imagenav":
            world.place(episode.ends[0], yaw(episode.goal_heading))
            self._goal_image = world.draw("image")
        world.place(episode.start, episode.rotation)
        self._at, self._rotation = world.pose()
        self._start = (self._at, self._rotation)
        world.aim(episode.ends, self._near)
        try:
            self._way = Way(self._at, world.distance(), self._near)
        except ValueError as fault:
            raise RuntimeError(f"episode {episode.name} in {episode.scene}: {fault}") from None
        self._goal = world.nearest_end()
        self._episode, self._reached = episode, Reached()
        self._steps, self._tilt, self._stuck = 0, 0, False
        self._instruction = INSTRUCTIONS[self._kind].format(episode.category.replace("_", " "))
        return TimeStep(self._views, self._instruction, success=False, metrics=self._metrics())

    def step(self, action: Any) -> TimeStep:
        name = self._actions[self._action.validate(action)]
        self._steps += 1
        reward, way = 0.0, self._way
        if name == "stop":
            way.stopped = True
        else:
            collided = self._world.act(name)
            self._tilt += {"look_up": 1, "look_down": -1}.get(name, 0)
            before = self._at
            self._at, self._rotation = self._world.pose()
            distance = way.distance
            if not np.array_equal(before, self._at):
                distance = self._world.distance()
                self._goal = self._world.nearest_end()
            reward = way.moved(self._at, collided, distance)
        return TimeStep(
            self._views, self._instruction, reward, way.stopped, False, way.success, self._metrics()
        )

    def render(self) -> np.ndarray:
        return self._world.draw("image")

    def renderer_info(self) -> str:
        return f"OpenGL, {current_renderer()}"

    def expert(self, executed: Any) -> int | None:
        if self._stuck or self._way.stopped:
            return None
        if self._way.distance < self._near:
            return ACTIONS.index("stop")
        action = self._world.towards(self._goal)
        self._stuck = action is None
        return None if action is None else ACTIONS.index(action)

    def stage(self) -> int:
        return self._reached.note(*stages.on_the_way(self._way))

    def failure_mode(self) -> tuple[str, ...]:
        return ("stopped_early",) if self._way.stopped and not self._way.success else ()

    def factors(self, case: Case) -> dict[str, str]:
        return stages.factors_of(self._episode)

    def state(self) -> bytes:
        way = self._way
        return _pack(
            *self._at, *self._rotation, self._steps, way.collisions, self._tilt, way.stopped
        )

    def close(self) -> None:
        self._world.close()

    def _metrics(self) -> dict[str, float]:
        metrics = self._way.metrics()
        return {**metrics, "expert_gave_up": 1.0} if self._stuck else metrics

    def _pointgoal(self) -> np.ndarray:
        return np.array(pointgoal(self._at, self._rotation, self._goal), np.float32)

    def _proprio(self) -> np.ndarray:
        at, rotation = self._start
        x, _, z = rotate_back(rotation, self._at - at)
        return np.array([-z, x, compass(self._rotation, rotation)], np.float32)

    def _state(self) -> np.ndarray:
        angle = heading(self._rotation)
        return np.array([*self._at, math.cos(angle), math.sin(angle), *self._goal], np.float32)

    def _episode_of(self, case: Case) -> episodes.Episode:
        if self._episodes:
            chosen = self._episodes[case.seed % len(self._episodes)]
            turned = float(case.rng("goal heading").uniform(-math.pi, math.pi))
            return episodes.Episode(**{**chosen.__dict__, "goal_heading": turned})
        return self._drawn(case)

    def _drawn(self, case: Case) -> episodes.Episode:
        """Draw an episode in one of the flats."""
        rng = case.rng("episode")
        home = flat.build(int(rng.integers(self._flats)))
        scene = flat.written(os.getpid())
        self._world.load(scene)
        corner = flat.corner(home)
        category = str(rng.choice(home.categories)) if self._kind == "objectnav" else ""
        known = flat.view_points(home, category) + corner if category else []
        views = [self._on_floor(point) for point in known]
        ends = np.array([point for point in views if point is not None], np.float32).reshape(-1, 3)

        def place() -> np.ndarray | None:
            x, z = rng.uniform(0, home.width), rng.uniform(0, home.depth)
            return self._clear(corner + np.array([x, 0.0, z]))

        for _ in range(TRIES):
            start, goal = place(), place()
            if start is None or (goal is None and not category):
                continue
            to = ends if category else np.array([goal], np.float32)
            if SHORTEST <= self._world.way(start, to) <= LONGEST:
                turned, looks = rng.uniform(-math.pi, math.pi, 2)
                return episodes.Episode(
                    f"seed {case.seed}",
                    scene,
                    "default",
                    (float(start[0]), float(start[1]), float(start[2])),
                    yaw(float(turned)),
                    to,
                    category,
                    float(looks),
                    f"flat {home.number}",
                )
        raise RuntimeError(
            f"flat {home.number} has no way of {SHORTEST} to {LONGEST} m to a {category or 'point'}"
        )

    def _on_floor(self, point: np.ndarray) -> np.ndarray | None:
        """`point` (3,) on the navmesh, or None if that lies next to it or on top of furniture."""
        snapped = self._world.snap(point)
        if (
            snapped is None
            or snapped[1] > FLOOR
            or math.hypot(snapped[0] - point[0], snapped[2] - point[2]) > 0.02
        ):
            return None
        return snapped

    def _clear(self, point: np.ndarray) -> np.ndarray | None:
        """As `_on_floor`, and at least CLEARANCE from the navmesh's edge, where a body that does
        not slide would be stuck."""
        placed = self._on_floor(point)
        return placed if placed is not None and self._world.room(placed) >= CLEARANCE else None

    def _describe(self) -> tuple[Brief, Discrete]:
        body = self._body
        picture = (body.height_px, body.width_px, 3)
        observation: dict[str, Spec] = {
            "image": Box(picture, "uint8", 0, 255, "px", "RGB from the camera"),
            "depth": Box(
                picture[:2],
                low=0.0,
                unit="m",
                meaning="distance along the optical axis of `image`; 0 where nothing was hit",
            ),
            "proprio": Box(
                (3,),
                unit="m, rad",
                meaning="relative to the start: m ahead, m to the right, heading to the left",
            ),
            "state": Box(
                (8,),
                unit="m",
                meaning="0-2 the body's place x, y, z; 3-4 cosine and sine of its heading to the "
                "left of -z; 5-7 the nearest place where the goal is reached. World frame: y up",
            ),
        }
        if self._kind == "pointnav":
            observation["state_pointgoal"] = Box(
                (2,),
                unit="m, rad",
                meaning="the goal in the body's frame: distance, angle to the left",
            )
        if self._kind == "imagenav":
            observation["image_goal"] = Box(
                picture, "uint8", 0, 255, "px", "RGB, the picture to reach, from the same camera"
            )
        action = Discrete(
            len(self._actions),
            self._actions,
            "no action does nothing: the no-op turns left; stop ends the episode",
            noop=2,
        )
        embodiment = (
            f"a cylinder of {body.radius:g} m radius and {body.height:g} m height with one camera "
            f"at {body.eye:g} m, {body.hfov:g} degrees wide: an action moves it {body.forward:g} m "
            f"ahead or turns it by {body.turn:g} degrees"
        )
        if self._kind == "objectnav":
            embodiment += f"; the camera tilts by {body.tilt:g} degrees"
        embodiment += (
            ", along what it bumps into" if body.sliding else ", unless something is in the way"
        )
        brief = Brief(
            observation=observation,
            action=action,
            embodiment=embodiment,
            simulator="Habitat, a simulator of homes, scanned or drawn, on whose floors a body "
            "walks without dynamics",
        )
        return brief, action


def data_folder(params: Mapping[str, Any]) -> Path:
    """habitat's data folder: `params["data"]`, $HABITAT_DATA or ./data."""
    return Path(params.get("data") or os.environ.get("HABITAT_DATA") or "data").expanduser()


@functools.lru_cache(maxsize=4)
def _read(path: Path, scenes: Path, objects: bool) -> tuple[episodes.Episode, ...]:
    return episodes.read(path, scenes, objects)


def _require_scenes(found: Sequence[episodes.Episode], task: Task) -> None:
    """Raises UserError if a scene is absent: a score over fewer scenes would not be comparable."""
    paths = {episode.scene for episode in found if episode.scene_dataset == "default"}
    paths |= {episode.scene_dataset for episode in found} - {"default"}
    absent = sorted(path for path in paths if not Path(path).exists())
    if absent:
        raise UserError(
            f"task {task.id}: {len(absent)} of the {len(paths)} scenes of its episodes are not "
            f"there, say {absent[0]}"
        )
