"""What each of the 23 worlds asks for: its instruction, its success and how far it is from there, in one class a kind."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from adapters._geodesics import Field, Floor
from adapters.miniworld.expert import DONE, Course, Disc, effort

__all__ = ["WORLDS", "Quest"]

SIGN_COLOURS = ("blue", "red", "green")
SIGN_SHAPES = ("box", "key")
THREE_ROOMS = ("red box", "green box", "rubber duck", "blue key", "green ball")
ROOM_OBJECTS = ("box", "ball", "key")
LOW_HEALTH, SPARE, LEAP = 10, 8, 3.5
"""Health at which the expert takes a medkit; actions it keeps in hand on its way to one; the farthest (m) that the one after it may be."""
ROOM_OBJECTS_STEPS = 250
"""The package sets no limit; this is the one of its other rooms with several objects."""


class Quest:
    """One episode's aim. The base class is the aim of the 17 worlds with a red box: come near it."""

    words: ClassVar[str] = "Go to the red box."

    def __init__(self, env: Any, rng: np.random.Generator) -> None:
        """`rng` draws what the package leaves open; `env` has just been reset."""
        self.env = env
        self._fields: dict[tuple[Disc, ...], Field] = {}
        self._first = self._layout()

    @classmethod
    def prepare(cls, env: Any, rng: np.random.Generator) -> None:
        """Set what must stand before the reset."""

    @property
    def target(self) -> Any:
        """The object to come near, or None where no single place is the goal."""
        return self.env.box

    @property
    def instruction(self) -> str:
        """What to do, in words."""
        return self.words

    def playable(self) -> bool:
        """Whether the episode is neither solved nor, where the package may deal such a one, impossible at its start."""
        return not self.env.near(self.target)

    def judge(self, reward: float, terminated: bool, truncated: bool) -> tuple[float, bool, bool]:
        """(reward, terminated, success) of a step, from the package's: its reward is above 0 at success only."""
        return reward, terminated, reward > 0

    def metrics(self) -> dict[str, float]:
        """Measures of this world, up to now."""
        return {}

    def reach(self) -> float:
        """How near the centre of the target has to be, m: the package's `near`."""
        return float(self.target.radius + self.env.agent.radius + 1.1 * self.env.max_forward_step)

    def avoid(self) -> list[Disc]:
        """Places that the agent's centre must keep away from, besides what blocks its way."""
        return []

    def field(self, layout: tuple[Disc, ...] | None = None) -> Field:
        """The distances to the target among objects that stand where they did at the start, or as `layout` says."""
        layout = layout or self._first
        if layout not in self._fields:
            env, radius, target = self.env, self.env.agent.radius, self.target
            blocked = [(x, z, size + radius) for x, z, size in layout]
            number = [e for e in env.entities if e is not env.agent].index(target)
            bounds = self.bounds() or (env.min_x, env.max_x, env.min_z, env.max_z)
            floor = Floor(env.wall_segs[:, :, ::2], [*blocked, *self.avoid()], radius, bounds)
            self._fields[layout] = floor.field(layout[number][:2], self.reach())
        return self._fields[layout]

    def _layout(self) -> tuple[Disc, ...]:
        """Where the objects stand now."""
        others = (entity for entity in self.env.entities if entity is not self.env.agent)
        return tuple((float(e.pos[0]), float(e.pos[2]), float(e.radius)) for e in others)

    def bounds(self) -> tuple[float, float, float, float] | None:
        """Least and greatest x, then z, that the agent's centre may take, where they are not the walls'."""
        return None

    def course(self) -> Course:
        """What the expert does next."""
        if self.env.agent.carrying is not None:
            return Course.to_drop(self.env)
        field, target, reach = self.field(self._layout()), self.target, self.reach() - 1e-6
        x, z = float(target.pos[0]), float(target.pos[2])
        return Course(
            left=lambda pose: field(pose[0], pose[1]),
            arrived=lambda pose: math.hypot(pose[0] - x, pose[1] - z) < reach,
            avoid=self.avoid(),
            bounds=self.bounds(),
        )


class Pavement(Quest):
    """Sidewalk: the street is forbidden ground."""

    words = "Go to the red box at the end of the pavement. Do not step onto the street."

    def bounds(self) -> tuple[float, float, float, float]:
        """The pavement's."""
        room = self.env.rooms[0]
        return room.min_x, room.max_x, room.min_z, room.max_z


class Named(Quest):
    """ThreeRooms and RoomObjects: the package gives them neither goal nor reward. Ours: come near the object that the instruction names,
    drawn by the case; the reward is the package's for that, 1 - 0.2 steps / limit. An object that cannot be reached is drawn again."""

    names: ClassVar[Sequence[str]]

    def __init__(self, env: Any, rng: np.random.Generator) -> None:
        super().__init__(env, rng)
        self._number = int(rng.integers(len(self.names)))
        self._target = [e for e in env.entities if e is not env.agent and not e.is_static][
            self._number
        ]

    @property
    def target(self) -> Any:
        """The object named."""
        return self._target

    @property
    def instruction(self) -> str:
        """Names the object."""
        return f"Go to the {self.names[self._number]}."

    def playable(self) -> bool:
        """Neither near nor out of reach."""
        return super().playable() and math.isfinite(
            self.field()(self.env.agent.pos[0], self.env.agent.pos[2])
        )

    def judge(self, reward: float, terminated: bool, truncated: bool) -> tuple[float, bool, bool]:
        """Near the object it is over."""
        near = bool(self.env.near(self._target))
        return (self.env._reward() if near else reward), terminated or near, near


class ThreeRooms(Named):
    """Five objects in three rooms."""

    names = THREE_ROOMS


class RoomObjects(Named):
    """Three objects in a room, and an agent 3 m wide: the package widens it to keep objects apart and never narrows it again."""

    names = ROOM_OBJECTS

    @classmethod
    def prepare(cls, env: Any, rng: np.random.Generator) -> None:
        """Set a limit."""
        env.max_episode_steps = ROOM_OBJECTS_STEPS


class Sign(Quest):
    """A sign names the colour, the instruction the shape; both drawn by the case. Touching any other object ends the episode."""

    @classmethod
    def prepare(cls, env: Any, rng: np.random.Generator) -> None:
        """Draw the colour and the shape."""
        env._color_index, env._goal = (
            int(rng.integers(n)) for n in (len(SIGN_COLOURS), len(SIGN_SHAPES))
        )

    @property
    def target(self) -> Any:
        """The object of that colour and shape."""
        return self.env._objects[self.env._goal][self.env._color_index]

    @property
    def instruction(self) -> str:
        """Names the shape."""
        return f"Go to the {SIGN_SHAPES[self.env._goal]} of the colour that the sign on the wall names. Touch no other object."

    def avoid(self) -> list[Disc]:
        """All the other objects, as near as counts as touched."""
        env = self.env
        margin = env.agent.radius + 1.1 * env.max_forward_step
        others = [entity for pair in env._objects for entity in pair if entity is not self.target]
        return [(float(e.pos[0]), float(e.pos[2]), float(e.radius + margin)) for e in others]

    def playable(self) -> bool:
        """No object is near."""
        return not any(self.env.near(entity) for pair in self.env._objects for entity in pair)


class Pickup(Quest):
    """PickupObjects: all five; the reward is 1 for each."""

    words = "Pick up all the objects."
    target = None

    def playable(self) -> bool:
        """Always."""
        return True

    def judge(self, reward: float, terminated: bool, truncated: bool) -> tuple[float, bool, bool]:
        """The package terminates when nothing is left."""
        return reward, terminated, terminated

    def metrics(self) -> dict[str, float]:
        """How many were picked up."""
        return {"picked_up": float(self.env.num_picked_up)}

    def course(self) -> Course:
        """To the nearest."""
        return Course.to_pick_up(
            self.env, [e for e in self.env.entities if e is not self.env.agent]
        )


class Health(Pickup):
    """CollectHealth: alive at the limit. A medkit restores health to 100, of which every step takes 2."""

    words = "Stay alive: your health runs down; pick up medkits to restore it."

    def __init__(self, env: Any, rng: np.random.Generator) -> None:
        super().__init__(env, rng)
        self._kit: Any = None
        self._health = 0.0

    def judge(self, reward: float, terminated: bool, truncated: bool) -> tuple[float, bool, bool]:
        """Alive when time is up."""
        return reward, terminated, truncated and not terminated

    def metrics(self) -> dict[str, float]:
        """The health left, 0 to 100."""
        return {"health": float(self.env.health)}

    def course(self) -> Course:
        """To a medkit, taken as late as is safe: every one leads elsewhere, and the next may be far."""
        kits = [entity for entity in self.env.entities if entity is not self.env.agent]
        health = self.env.health
        if (
            health > self._health or self._kit is None
        ):  # one was taken, and stands somewhere else now
            self._kit = self._choose(kits)
        self._health = health
        course = Course.to_pick_up(self.env, [self._kit])
        return course if health <= LOW_HEALTH else dataclasses.replace(course, then=(DONE,))

    def _choose(self, kits: list[Any]) -> Any:
        """The nearest from which there is a next: who always goes to the nearest ends in a corner where there are no more."""
        env = self.env
        pose = float(env.agent.pos[0]), float(env.agent.pos[2]), float(env.agent.dir)

        def cost(kit: Any) -> tuple[bool, float]:
            alone = min(math.dist(kit.pos, other.pos) for other in kits if other is not kit) > LEAP
            return alone, effort(env, pose, kit)

        within = [kit for kit in kits if effort(env, pose, kit) <= env.health / 2 - SPARE]
        return (
            min(within, key=cost) if within else min(kits, key=lambda kit: effort(env, pose, kit))
        )


class PutNext(Quest):
    """Carry the red box to the yellow one."""

    words = "Put the red box next to the yellow box."
    target = None

    def playable(self) -> bool:
        """They do not stand together yet."""
        return not self.env.near(self.env.red_box, self.env.yellow_box)

    def course(self) -> Course:
        """Fetch it, then bring it."""
        env = self.env
        if env.agent.carrying is None:
            return Course.to_pick_up(env, [env.red_box])
        if env.agent.carrying is env.red_box:
            return Course.to_put_next(env, env.yellow_box)
        return Course.to_drop(env)


WORLDS: dict[str, type[Quest]] = {
    **dict.fromkeys(
        ("FourRooms", "Hallway", "OneRoom", "OneRoomS6", "OneRoomS6Fast", "WallGap"), Quest
    ),
    **dict.fromkeys(("Maze", "MazeS2", "MazeS3", "MazeS3Fast"), Quest),
    **dict.fromkeys(
        ("TMaze", "TMazeLeft", "TMazeRight", "YMaze", "YMazeLeft", "YMazeRight"), Quest
    ),
    "Sidewalk": Pavement,
    "ThreeRooms": ThreeRooms,
    "RoomObjects": RoomObjects,
    "Sign": Sign,
    "PickupObjects": Pickup,
    "CollectHealth": Health,
    "PutNext": PutNext,
}
