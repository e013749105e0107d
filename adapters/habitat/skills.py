"""Pick, place and nav with a Fetch in flats of our own, by the rules of habitat-lab."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from adapters._gl_strings import current_renderer
from adapters._reached import Reached
from adapters._temporary import temporary_folder
from adapters.habitat import fetch, homes, stages, things
from adapters.habitat.adapter import GUIDE
from adapters.habitat.robot_simulators import Camera
from adapters.habitat.robot_world import RobotWorld
from adapters.habitat.skill_episodes import INSTRUCTIONS, draw
from adapters.habitat.skill_expert import Expert
from adapters.habitat.skill_rules import Nav, Pick, Place, Seen, Skill, bearing, reached
from adapters.habitat.skill_views import brief_of
from harness.core import Adapter, Case, Missing, Task, TimeStep, UserError

__all__ = ["HabitatSkillsAdapter"]

JOINT, STEP = 0.0125, 10.0 / 120.0
"""What the number 1 of an action is: rad of a joint's target (`delta_pos_limit`); m and rad that
the base moves (`lin_speed`, `ang_speed` over `ctrl_freq`). All are habitat-lab's."""
SETTLE = 60
"""Substeps before an episode in which objects come to rest."""


class HabitatSkillsAdapter(Adapter):
    """A Fetch picks an object by its name, places it on a receptacle, or goes to one.

    `task.params`:
        skill     `pick`, `place` or `nav`
        split     `eval`: homes 60 to 79, or `train`: homes 0 to 59
        width_px, height_px, hfov   the camera in the head

    Case.seed -> episode: home, objects, receptacle and start are drawn from the case's stream.

    Views, rendered when read:
        image         uint8 (height, width, 3)  RGB from the head, row 0 at the top
        depth         float32 (height, width)   m along the optical axis of `image`
        proprio       float32 (11,)  pick, place: seven joints (rad), 1 if something is held, the
                                     way from the end effector to its resting place (m)
                      float32 (3,)   nav: relative to the start, m ahead, m to the left, heading
        state_target  float32 (3,)   privileged: the object to pick, or the middle of the nearest
                                     receptacle's top, in the base's frame (x ahead, y left, z up)

    Action of pick and place: Box (10,): changes of the targets of seven joints, gripper (0 and more
    grasps, less lets go), base ahead, base turn. Of nav: Box (3,): base ahead, base turn, stop
    (above 0). Reward and end of an episode: see `skill_rules`. As in habitat-lab, pick ignores that
    an object is let go, and place that one is grasped.

    Raises UserError on unknown params.
    """

    packages: ClassVar[tuple[str, ...]] = ("habitat-sim", "mani-skill")
    privileged_views: ClassVar[tuple[str, ...]] = ("state_target",)
    guide: ClassVar[str] = GUIDE
    patience_s: ClassVar[float] = 300.0
    own_streams: ClassVar[bool] = True

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        absent = super().missing(task)
        if absent is None and fetch.description() is None:
            return Missing("the package mani-skill holds no fetch.urdf", cls.guide)
        return absent

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        return True

    @classmethod
    def stages(cls, task: Task) -> tuple[str, ...]:
        return stages.SKILLS[task.params["skill"]]

    @classmethod
    def failure_modes(cls, task: Task) -> tuple[str, ...]:
        return stages.modes_of_skill(task.params["skill"])

    @classmethod
    def env_key(cls, task: Task) -> str:
        """One environment for pick and place, and one for nav, whose action is another."""
        arm = task.params.get("skill") != "nav"
        rest = sorted((name, value) for name, value in task.params.items() if name != "skill")
        return f"habitat skills, {'arm' if arm else 'base'}: {rest}"

    def __init__(self, task: Task) -> None:
        params = task.params
        if params.get("skill") not in INSTRUCTIONS or params.get("split") not in homes.SPLITS:
            raise UserError(
                f"task {task.id}: wants skill = {', '.join(INSTRUCTIONS)} and split = "
                f"{', '.join(homes.SPLITS)}"
            )
        source = fetch.description()
        if source is None:
            raise UserError(f"task {task.id}: the package mani-skill holds no fetch.urdf; {GUIDE}")
        self._split = str(params["split"])
        self._camera = Camera(
            int(params["width_px"]), int(params["height_px"]), float(params["hfov"])
        )
        self._arm = fetch.Arm(source)
        self._world = RobotWorld(self._camera)
        self._views: dict[str, Callable[[], np.ndarray]] = {
            "image": functools.partial(self._world.draw, "image"),
            "depth": functools.partial(self._world.draw, "depth"),
            "proprio": self._proprio,
            "state_target": self._target,
        }
        self._kind = str(params["skill"])
        self.brief, self._action = brief_of(self._kind, self._camera)

    def reset(self, case: Case) -> TimeStep:
        self._kind = str(case.task.params["skill"])
        self.brief, self._action = brief_of(self._kind, self._camera)
        world = self._world
        scene = homes.written(self._split, os.getpid())
        robot, configs = _written(os.getpid())
        world.load(scene, robot, configs)
        episode = draw(
            case, self._kind, self._split, world.snap, lambda start, end: world.way(start, end)[0]
        )
        self._episode = episode
        placed = {name: (place, turn) for name, place, turn in episode.placed}
        world.begin(placed, episode.start, episode.heading, fetch.START)
        if self._kind == "place":
            world.hold(episode.thing)
        world.settle(SETTLE)
        self._start = world.base()
        self._path, self._limits, self._count = 0.0, 0, 0
        self._slipped = self._stop = self._blocked = False
        self._expert: Expert | None = None
        self._gave_up = False
        self._reached = Reached()
        seen = self._seen()
        self._skill: Skill = (
            Pick(seen, episode.thing)
            if self._kind == "pick"
            else Place(seen)
            if self._kind == "place"
            else Nav(seen)
        )
        return TimeStep(self._views, episode.instruction, success=False, metrics=self._metrics())

    def step(self, action: Any) -> TimeStep:
        move = np.asarray(self._action.validate(action), np.float64)
        world, kind = self._world, self._kind
        ahead, turn = move[:2] if kind == "nav" else move[8:]
        if kind == "nav":
            self._stop = bool(move[2] > 0)
        else:
            world.turn_joints(move[:7] * JOINT, self._arm.low, self._arm.high)
            if move[7] >= 0 and world.held is None and kind == "pick":
                world.grasp()
            elif move[7] < 0 and world.held is not None and kind == "place":
                world.release()
        before, self._blocked = world.base()[0], False
        if ahead or turn:
            self._blocked = not world.move_base(float(ahead) * STEP, float(turn) * STEP)
        world.advance()
        self._path += float(np.linalg.norm(world.base()[0] - before))
        self._slipped = world.lost()
        if self._slipped:
            world.release()
        self._count += 1
        if kind != "nav":
            joints = world.joints()
            at_limit = (joints <= self._arm.low + 1e-3) | (joints >= self._arm.high - 1e-3)
            self._limits += bool((at_limit & self._arm.bounded).any())
        reward = self._skill.step(self._seen())
        return TimeStep(
            self._views,
            self._episode.instruction,
            reward,
            self._skill.over,
            False,
            self._skill.success,
            self._metrics(),
        )

    def render(self) -> np.ndarray:
        return self._world.draw("image")

    def renderer_info(self) -> str:
        return f"OpenGL, {current_renderer()}"

    def expert(self, executed: Any) -> np.ndarray | None:
        if self._skill.over:
            return None
        if self._expert is None:
            self._expert = Expert(
                self._kind, self._episode, self._world, self._arm, STEP, STEP, JOINT
            )
        action = self._expert.act()
        self._gave_up = action is None
        return action

    def stage(self) -> int:
        return self._reached.note(
            *stages.with_the_skill(self._kind, self._last, self._episode.thing)
        )

    def failure_mode(self) -> tuple[str, ...]:
        return stages.skill_failed(self._kind, self._last, self._episode.thing, self._skill.success)

    def factors(self, case: Case) -> dict[str, str]:
        """What the instruction names, and the home."""
        episode = self._episode
        named = ", ".join(filter(None, (episode.thing, episode.receptacle)))
        return {"object": named, "scene": f"home {episode.home}"}

    def state(self) -> bytes:
        held = self._world.held or ""
        return self._world.state().tobytes() + f"{held} {self._count} {self._stop}".encode()

    def close(self) -> None:
        self._world.close()

    def _seen(self) -> Seen:
        world, episode, kind = self._world, self._episode, self._kind
        contacts = world.contacts()
        at, heading = world.base()
        # Several receptacles may have the name: any of them will do.
        far = [bearing(at, heading, goal.centre + episode.corner) for goal in episode.goals]
        apart, angle = min(far, key=lambda each: (not reached(*each), each[0]))
        asked = {episode.thing}
        seen: dict[str, Any] = {
            "held": world.held,
            "slipped": self._slipped,
            "force": contacts.force,
            "touches": self._blocked or bool(contacts.touched - asked),
            "goal_distance": apart,
            "goal_angle": abs(angle),
            "stop": self._stop,
        }
        if kind != "nav":
            tip, place = world.tip(), world.place(episode.thing)
            seen["tip_to_rest"] = float(np.linalg.norm(np.array(fetch.REST) - world.in_base(tip)))
            seen["tip_to_object"] = float(np.linalg.norm(place - tip))
            low = np.array([place[0], world.bottom(episode.thing), place[2]]) - episode.corner
            seen["object_to_goal"] = min(math.hypot(*goal.above(low)) for goal in episode.goals)
            seen["at_goal"] = any(_lies_on(goal.above(low)) for goal in episode.goals)
        self._last = Seen(**seen)
        return self._last

    def _metrics(self) -> dict[str, float]:
        metrics = {**self._skill.metrics(), "path_length": self._path}
        if self._kind == "nav":
            del metrics["drops"]
            metrics["distance_to_goal"] = self._last.goal_distance
        else:
            metrics["joint_limit_steps"] = float(self._limits)
        return {**metrics, "expert_gave_up": 1.0} if self._gave_up else metrics

    def _proprio(self) -> np.ndarray:
        world = self._world
        if self._kind == "nav":
            at, heading = world.base()
            ahead = at - self._start[0]
            cos, sin = math.cos(self._start[1]), math.sin(self._start[1])
            turned = math.remainder(heading - self._start[1], 2 * math.pi)
            x, z = ahead[0], ahead[2]
            return np.array([cos * x - sin * z, -sin * x - cos * z, turned], np.float32)
        rest = np.array(fetch.REST) - world.in_base(world.tip())
        return np.array([*world.joints(), world.held is not None, *rest], np.float32)

    def _target(self) -> np.ndarray:
        world, episode = self._world, self._episode
        if self._kind == "pick":
            return world.in_base(world.place(episode.thing)).astype(np.float32)
        at = world.base()[0]
        nearest = min(
            (goal.centre + episode.corner for goal in episode.goals),
            key=lambda centre: math.hypot(centre[0] - at[0], centre[2] - at[2]),
        )
        return world.in_base(nearest).astype(np.float32)


def _lies_on(above: tuple[float, float]) -> bool:
    """Whether an object with its lowest point there is at its goal: over the receptacle, and not
    more than habitat-lab's 0.15 m above its top."""
    apart, rise = above
    return apart == 0.0 and -0.05 < rise < 0.15


@functools.cache
def _written(process: int) -> tuple[Path, dict[str, str]]:
    """(the robot's description, the file of each object), written once per process."""
    folder, _ = temporary_folder(_written, "bench-habitat-")
    source = fetch.description()
    assert source is not None  # the constructor has refused that
    configs = things.write(Path(folder))
    return fetch.write(Path(folder), source), dict(zip(things.THINGS, configs))
