"""The objectives of the 23 worlds: instruction, success, distance to go and the expert's subgoals.

There is one class per kind of objective.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from adapters._geodesics import DistanceField, Floor
from adapters.miniworld.expert import DONE, Disc, Subgoal, travel_cost

__all__ = ["WORLDS", "Health", "Objective", "Sign"]

SIGN_COLOURS = ("blue", "red", "green")
SIGN_SHAPES = ("box", "key")
THREE_ROOMS = ("red box", "green box", "rubber duck", "blue key", "green ball")
ROOM_OBJECTS = ("box", "ball", "key")
LOW_HEALTH, SPARE, LEAP = 10, 8, 3.5
"""The health at which the expert takes a medkit; how many actions it keeps in reserve on its way to
one; how far from a medkit the next one may be (m)."""
ROOM_OBJECTS_STEPS = 250
"""The package sets no limit; this is that of its other rooms with several objects."""


class Objective:
    """What one episode asks for. The base class is that of 17 worlds: come near the red box."""

    text: ClassVar[str] = "Go to the red box."
    """The instruction, unless it depends on the episode."""
    handles: ClassVar[bool] = False
    """Whether objects are to be picked up, so that to be held up by one is no collision."""

    def __init__(self, env: Any, rng: np.random.Generator) -> None:
        """`env` has just been reset; `rng` draws what the package leaves open."""
        self.env = env
        self._fields: dict[tuple[Disc, ...], DistanceField] = {}
        self._first = self._layout()

    @classmethod
    def prepare(cls, env: Any, rng: np.random.Generator) -> None:
        """Set what must be set before the reset."""

    @property
    def target(self) -> Any:
        """The object to come near, or None where no single place is the goal."""
        return self.env.box

    @property
    def instruction(self) -> str:
        """What the agent is told to do."""
        return self.text

    def playable(self) -> bool:
        """Whether the start is neither solved already nor impossible to solve."""
        return not self.env.near(self.target)

    def judge(self, reward: float, terminated: bool, truncated: bool) -> tuple[float, bool, bool]:
        """(reward, terminated, success) of a step, given what the package says."""
        return reward, terminated, reward > 0  # the package rewards success only

    def metrics(self) -> dict[str, float]:
        """Measures of this kind of world, up to now."""
        return {}

    def reach(self) -> float:
        """How near the agent has to come to the centre of the target, m: the package's `near`."""
        return float(self.target.radius + self.env.agent.radius + 1.1 * self.env.max_forward_step)

    def avoid(self) -> list[Disc]:
        """Discs that the agent's centre must keep out of, in addition to what blocks its way."""
        return []

    def field(self, layout: tuple[Disc, ...] | None = None) -> DistanceField:
        """The distances to the target among the objects as `layout` says, or as at the start."""
        layout = layout or self._first
        if layout not in self._fields:
            env, radius, target = self.env, self.env.agent.radius, self.target
            blocked = [(x, z, size + radius) for x, z, size in layout]
            number = [e for e in env.entities if e is not env.agent].index(target)
            bounds = self.bounds() or (env.min_x, env.max_x, env.min_z, env.max_z)
            floor = Floor(env.wall_segs[:, :, ::2], [*blocked, *self.avoid()], radius, bounds)
            self._fields[layout] = floor.distances_to(layout[number][:2], self.reach())
        return self._fields[layout]

    def _layout(self) -> tuple[Disc, ...]:
        """Where the objects stand now."""
        others = (entity for entity in self.env.entities if entity is not self.env.agent)
        return tuple((float(e.pos[0]), float(e.pos[2]), float(e.radius)) for e in others)

    def bounds(self) -> tuple[float, float, float, float] | None:
        """The least and greatest x, then z, of the agent's centre, m; None: only walls limit it."""
        return None

    def subgoal(self) -> Subgoal:
        """What the expert does next."""
        if self.env.agent.carrying is not None:
            return Subgoal.drop()
        field, target, reach = self.field(self._layout()), self.target, self.reach() - 1e-6
        x, z = float(target.pos[0]), float(target.pos[2])
        return Subgoal(
            distance=lambda pose: field(pose[0], pose[1]),
            reached=lambda pose: math.hypot(pose[0] - x, pose[1] - z) < reach,
            avoid=self.avoid(),
            bounds=self.bounds(),
        )


class Pavement(Objective):
    """Sidewalk: the street is forbidden ground."""

    text = "Go to the red box at the end of the pavement. Do not step onto the street."

    def bounds(self) -> tuple[float, float, float, float]:
        room = self.env.rooms[0]
        return room.min_x, room.max_x, room.min_z, room.max_z


class Named(Objective):
    """ThreeRooms and RoomObjects: come near the object that the instruction names.

    The package gives these worlds neither a goal nor a reward. The object is drawn by the case, and
    again where it cannot be reached; the reward is the package's for coming near an object,
    1 - 0.2 steps / limit.
    """

    names: ClassVar[Sequence[str]]

    def __init__(self, env: Any, rng: np.random.Generator) -> None:
        super().__init__(env, rng)
        self._number = int(rng.integers(len(self.names)))
        self._target = [e for e in env.entities if e is not env.agent and not e.is_static][
            self._number
        ]

    @property
    def target(self) -> Any:
        return self._target

    @property
    def instruction(self) -> str:
        return f"Go to the {self.names[self._number]}."

    def playable(self) -> bool:
        return super().playable() and math.isfinite(
            self.field()(self.env.agent.pos[0], self.env.agent.pos[2])
        )

    def judge(self, reward: float, terminated: bool, truncated: bool) -> tuple[float, bool, bool]:
        near = bool(self.env.near(self._target))
        return (self.env._reward() if near else reward), terminated or near, near


class ThreeRooms(Named):
    """Five objects in three rooms."""

    names = THREE_ROOMS


class RoomObjects(Named):
    """Three objects in a room, and an agent 3 m wide.

    The package widens the agent to keep objects apart, and never narrows it again.
    """

    names = ROOM_OBJECTS

    @classmethod
    def prepare(cls, env: Any, rng: np.random.Generator) -> None:
        env.max_episode_steps = ROOM_OBJECTS_STEPS


class Sign(Objective):
    """A sign names the colour, the instruction the shape; the case draws both.

    Touching any other object ends the episode.
    """

    @classmethod
    def prepare(cls, env: Any, rng: np.random.Generator) -> None:
        env._color_index, env._goal = (
            int(rng.integers(n)) for n in (len(SIGN_COLOURS), len(SIGN_SHAPES))
        )

    @property
    def target(self) -> Any:
        return self.env._objects[self.env._goal][self.env._color_index]

    @property
    def instruction(self) -> str:
        return (
            f"Go to the {SIGN_SHAPES[self.env._goal]} of the colour that the sign on the wall "
            "names. Touch no other object."
        )

    def avoid(self) -> list[Disc]:
        """All other objects, with the distance that counts as touching them."""
        env = self.env
        margin = env.agent.radius + 1.1 * env.max_forward_step
        others = [entity for pair in env._objects for entity in pair if entity is not self.target]
        return [(float(e.pos[0]), float(e.pos[2]), float(e.radius + margin)) for e in others]

    def playable(self) -> bool:
        return not any(self.env.near(entity) for pair in self.env._objects for entity in pair)


class Pickup(Objective):
    """PickupObjects: pick up all five objects; the reward is 1 for each."""

    text = "Pick up all the objects."
    handles = True
    target = None

    def playable(self) -> bool:
        return True

    def judge(self, reward: float, terminated: bool, truncated: bool) -> tuple[float, bool, bool]:
        return reward, terminated, terminated  # the package terminates when nothing is left

    def metrics(self) -> dict[str, float]:
        return {"picked_up": float(self.env.num_picked_up)}

    def subgoal(self) -> Subgoal:
        return Subgoal.pick_up(self.env, [e for e in self.env.entities if e is not self.env.agent])


class Health(Pickup):
    """CollectHealth: be alive at the limit.

    A medkit restores the health to 100; every step takes 2 of it.
    """

    text = "Stay alive: your health runs down; pick up medkits to restore it."

    def __init__(self, env: Any, rng: np.random.Generator) -> None:
        super().__init__(env, rng)
        self._kit: Any = None
        self._health = 0.0

    def judge(self, reward: float, terminated: bool, truncated: bool) -> tuple[float, bool, bool]:
        return reward, terminated, truncated and not terminated

    def metrics(self) -> dict[str, float]:
        return {"health": float(self.env.health)}

    def subgoal(self) -> Subgoal:
        """A medkit, taken as late as is safe, since the next one may be far away."""
        kits = [entity for entity in self.env.entities if entity is not self.env.agent]
        health = self.env.health
        # The health rises when a medkit is taken, which then stands somewhere else.
        if health > self._health or self._kit is None:
            self._kit = self._choose(kits)
        self._health = health
        subgoal = Subgoal.pick_up(self.env, [self._kit])
        if health <= LOW_HEALTH:
            return subgoal
        return dataclasses.replace(subgoal, on_arrival=(DONE,))  # wait in front of it

    def _choose(self, kits: list[Any]) -> Any:
        """The nearest medkit in reach that has another one near it.

        Always taking the nearest would end in a corner with no further medkits.
        """
        env = self.env
        pose = float(env.agent.pos[0]), float(env.agent.pos[2]), float(env.agent.dir)

        def cost(kit: Any) -> tuple[bool, float]:
            alone = min(math.dist(kit.pos, other.pos) for other in kits if other is not kit) > LEAP
            return alone, travel_cost(env, pose, kit)

        # A step takes 2 of the health.
        within = [kit for kit in kits if travel_cost(env, pose, kit) <= env.health / 2 - SPARE]
        if within:
            return min(within, key=cost)
        return min(kits, key=lambda kit: travel_cost(env, pose, kit))


class PutNext(Objective):
    """Carry the red box to the yellow one."""

    text = "Put the red box next to the yellow box."
    handles = True
    target = None

    def playable(self) -> bool:
        return not self.env.near(self.env.red_box, self.env.yellow_box)

    def subgoal(self) -> Subgoal:
        env = self.env
        if env.agent.carrying is None:
            return Subgoal.pick_up(env, [env.red_box])
        if env.agent.carrying is env.red_box:
            return Subgoal.put_next_to(env, env.yellow_box)
        return Subgoal.drop()


WORLDS: dict[str, type[Objective]] = {
    **dict.fromkeys(
        ("FourRooms", "Hallway", "OneRoom", "OneRoomS6", "OneRoomS6Fast", "WallGap"), Objective
    ),
    **dict.fromkeys(("Maze", "MazeS2", "MazeS3", "MazeS3Fast"), Objective),
    **dict.fromkeys(
        ("TMaze", "TMazeLeft", "TMazeRight", "YMaze", "YMazeLeft", "YMazeRight"), Objective
    ),
    "Sidewalk": Pavement,
    "ThreeRooms": ThreeRooms,
    "RoomObjects": RoomObjects,
    "Sign": Sign,
    "PickupObjects": Pickup,
    "CollectHealth": Health,
    "PutNext": PutNext,
}
