"""Experts for pick, place and nav: they know every pose, and answer from the present state alone.

Nav follows the shortest path with continuous velocities. Pick and place drive to a place in front
of the receptacle, reach by inverse kinematics from above, and bring the arm back.
"""

from __future__ import annotations

import math

import numpy as np

from adapters.habitat import fetch, homes, things
from adapters.habitat.fetch import Arm
from adapters.habitat.flat import Rectangle
from adapters.habitat.homes import Receptacle
from adapters.habitat.robot_world import RobotWorld
from adapters.habitat.skill_episodes import Episode, arm_is_free
from adapters.habitat.skill_rules import AT_GOAL, FACING, bearing

__all__ = ["Expert"]

ABOVE, LOW, CLEAR = 0.14, 0.03, 0.95
"""m: how high the gripper passes over a place, how low an object is let go, and how high above the
floor the gripper is while the base moves."""
ARRIVED, STRAIGHT, ASIDE = 0.1, 0.04, 0.07
"""m from the place to stand; rad from facing the goal; m from above the place to reach."""
CLOSE = 0.3
"""m from the end of a path at which its corners no longer matter."""
UP = np.array([0.0, 1.0, 0.0])
REACHES = 0.145
"""m from an object's centre at which it is grasped, a little less than the grasp allows."""


class Expert:
    """Plays one episode. `step_m` and `step_rad`: what the base moves and turns at most in a step;
    `joint_rad`: what a joint's target does."""

    def __init__(
        self,
        kind: str,
        episode: Episode,
        world: RobotWorld,
        arm: Arm,
        step_m: float,
        step_rad: float,
        joint_rad: float,
    ) -> None:
        self._kind, self._episode, self._world, self._arm = kind, episode, world, arm
        self._steps = (step_m, step_rad, joint_rad)
        self._home = homes.build(episode.home)
        self._rest = arm.reach(fetch.REST, fetch.START)
        self._goal = min(episode.goals, key=self._distance)
        self._focus = self._goal.centre + episode.corner
        if kind == "pick":
            self._focus = world.place(episode.thing)
            on = [goal for goal in episode.goals if self._is_on(goal, self._focus)]
            self._goal = on[0] if on else self._goal
        elif kind == "place":
            self._focus = self._free_place()

    def act(self) -> np.ndarray | None:
        """The next action: (10,) or, for nav, (3,); None where it knows no way."""
        if self._kind == "nav":
            return self._nav()
        world, thing = self._world, self._episode.thing
        if self._kind == "pick" and world.held == thing:
            return self._back()
        if self._kind == "place" and world.held is None:
            return self._back()
        if self._kind == "pick":
            self._focus = world.place(thing)
        drive = self._approach()
        if drive is None:
            return None
        ahead, turn, there = drive
        if self._kind == "pick":
            half = float(things.size(things.THINGS[thing])[1]) / 2
            offset = min(max(half + 0.045, 0.08), 0.13)
        else:
            offset = world.tip()[1] - world.bottom(thing) + LOW
        tip = world.tip()
        aside = math.hypot(tip[0] - self._focus[0], tip[2] - self._focus[2])
        # Once it is lower than that it goes on, though it does not move down on a straight line.
        low = tip[1] - self._focus[1] < offset + ABOVE - 0.02
        lowers = there and aside < (2 * ASIDE if low else ASIDE)
        above = self._focus + UP * (offset + (0.0 if lowers else ABOVE))
        if not there:
            above[1] = max(above[1], CLEAR)  # on its way the arm passes over furniture
        joints = self._joints(above, there)
        if joints is None and not lowers:
            joints = self._joints(self._focus + UP * offset, there)
        if joints is None and self._kind == "pick":
            joints = self._joints(self._beside(), there)
        if joints is None:
            return None if there else self._action(self._rest, self._grip(False), ahead, turn)
        if there and self._kind == "place" and self._low_enough():
            return self._action(world.targets, -1.0, 0.0, 0.0)
        grasps = there and self._kind == "pick" and self._nearest() < REACHES
        return self._action(joints, self._grip(grasps), ahead, turn)

    def _grip(self, grasps: bool) -> float:
        """The gripper's part of an action that lets nothing go, and grasps only if it is to."""
        return 1.0 if grasps or self._world.held is not None else -1.0

    def _back(self) -> np.ndarray | None:
        """Lift, and bring the end effector back to its resting place."""
        world = self._world
        tip = world.tip()
        high = self._focus[1] + (ABOVE + 0.02 if self._kind == "pick" else 0.3)
        grip = self._grip(False)
        near = math.hypot(tip[0] - self._focus[0], tip[2] - self._focus[2]) < 0.12
        if near and tip[1] < min(high - 0.05, fetch.REST[2] - 0.1):
            over = self._joints(np.array([tip[0], high, tip[2]]), True)
            if over is not None:
                return self._action(over, grip, 0.0, 0.0)
        return self._action(self._rest, grip, 0.0, 0.0)

    def _beside(self) -> np.ndarray:
        """A place in front of the object, from which it can be grasped where it stands too high."""
        way = self._world.base()[0] - self._focus
        apart = max(math.hypot(way[0], way[2]), 1e-6)
        found: np.ndarray = self._focus + way * (0.1 / apart, 0.0, 0.1 / apart) + UP * 0.05
        return found

    def _nearest(self) -> float:
        """The distance from the end effector to the object, infinite if another one is nearer."""
        tip = self._world.tip()
        apart = {
            name: float(np.linalg.norm(self._world.place(name) - tip))
            for name, _, _ in self._episode.placed
        }
        thing = self._episode.thing
        return apart[thing] if min(apart.values()) == apart[thing] else math.inf

    def _low_enough(self) -> bool:
        """Whether what is held is over its place, and just above it."""
        world, thing = self._world, self._episode.thing
        apart, _ = self._goal.above(world.place(thing) - self._episode.corner)
        rise = world.bottom(thing) - self._goal.height
        tip = world.tip()
        aside = math.hypot(tip[0] - self._focus[0], tip[2] - self._focus[2])
        return apart == 0.0 and aside < ASIDE and rise < min(LOW + 0.03, AT_GOAL)

    def _approach(self) -> tuple[float, float, bool] | None:
        """(ahead, turn, whether the base is in its place), as shares of the largest step."""
        world, corner = self._world, self._episode.corner
        stand = world.snap(self._goal.before(self._focus - corner, 0.36) + corner)
        if stand is None:
            return None
        at, heading = world.base()
        apart = math.hypot(stand[0] - at[0], stand[2] - at[2])
        off = bearing(at, heading, self._focus)[1]
        if apart < ARRIVED:
            if abs(off) < STRAIGHT:
                return 0.0, 0.0, True
            return 0.0, self._turn(off), False
        moved = self._follow(stand)
        return None if moved is None else (*moved, False)

    def _follow(self, end: np.ndarray) -> tuple[float, float] | None:
        """(ahead, turn) along the shortest path, as shares of the largest step."""
        at, heading = self._world.base()
        start = self._world.snap(at)
        if start is None:
            return None
        length, points = self._world.way(start, end)
        if not math.isfinite(length):
            return None
        ahead = [
            point for point in points[1:] if math.hypot(point[0] - at[0], point[2] - at[2]) > 0.02
        ]
        if not ahead:
            return 0.0, 0.0
        apart, off = bearing(at, heading, ahead[0])
        move = min(1.0, apart / self._steps[0]) if abs(off) < 0.35 else 0.0
        return move, self._turn(off)

    def _nav(self) -> np.ndarray | None:
        at, heading = self._world.base()
        apart, off = bearing(at, heading, self._focus)
        end = self._world.snap(self._goal.before() + self._episode.corner)
        if end is None:
            return None
        if math.hypot(end[0] - at[0], end[2] - at[2]) < 0.15 and apart < 1.4:
            if abs(off) < FACING / 2:
                return np.array([0.0, 0.0, 1.0], np.float32)
            return np.array([0.0, self._turn(off), -1.0], np.float32)
        moved = self._follow(end)
        return None if moved is None else np.array([*moved, -1.0], np.float32)

    def _turn(self, off: float) -> float:
        if self._kind == "nav" and abs(off) > FACING and not self._is_free(off):
            other = off - math.copysign(2 * math.pi, off)
            if self._is_free(other):
                off = other
        return max(-1.0, min(1.0, off / self._steps[1]))

    def _is_free(self, turn: float) -> bool:
        """Whether the arm, as nav holds it, meets no wall and no furniture while the base turns."""
        at, heading = self._world.base()
        x, z = (at - self._episode.corner)[[0, 2]]
        here = Rectangle(float(x), float(z), float(x), float(z))
        floors = (self._home.corridor, *(room.floor for room in self._home.rooms))
        inside = [floor for floor in floors if floor.contains(here)]
        if not inside:
            return True  # in a door
        headings = heading + np.linspace(0.0, turn, 2 + int(abs(turn) / 0.2))[1:]
        return all(arm_is_free(self._home, inside[0], x, z, float(each)) for each in headings)

    def _joints(self, point: np.ndarray, there: bool) -> np.ndarray | None:
        """Joints that bring the end effector to a point, from where the base is or will stand."""
        local = self._world.in_base(point)
        if not there:
            corner = self._episode.corner
            stand = self._goal.before(self._focus - corner, 0.36) + corner
            local = np.array([math.hypot(*(point - stand)[[0, 2]]), 0.0, point[1]])
        # From where the arm is, or from where it began; with a gripper that points to the floor, or
        # ahead, as for what stands high.
        for down in (0.3, 0.02):
            for start in (self._world.targets, np.array(fetch.START)):
                joints = self._arm.reach(local, start, down)
                if joints is not None:
                    return joints
        return None

    def _action(
        self, joints: np.ndarray | None, grip: float, ahead: float, turn: float
    ) -> np.ndarray | None:
        if joints is None:
            return None
        change = np.clip((joints - self._world.targets) / self._steps[2], -1.0, 1.0)
        return np.array([*change, grip, ahead, turn], np.float32)

    def _distance(self, goal: Receptacle) -> float:
        start = self._world.snap(self._world.base()[0])
        end = self._world.snap(goal.before() + self._episode.corner)
        return math.inf if start is None or end is None else self._world.way(start, end)[0]

    def _is_on(self, goal: Receptacle, place: np.ndarray) -> bool:
        apart, rise = goal.above(place - self._episode.corner)
        return apart == 0.0 and 0.0 < rise < 0.3

    def _free_place(self) -> np.ndarray:
        """The place on the receptacle's top that is farthest from all objects, in the scene."""
        corner, top = self._episode.corner, self._goal.top
        others = [
            self._world.place(name) - corner
            for name, _, _ in self._episode.placed
            if name != self._episode.thing
        ]
        best, most = self._goal.centre, -1.0
        for across in np.linspace(0.15, 0.85, 8):
            for along in np.linspace(0.15, 0.85, 8):
                x = top.x0 + across * (top.x1 - top.x0)
                z = top.z0 + along * (top.z1 - top.z0)
                middle = math.hypot(x - self._goal.centre[0], z - self._goal.centre[2])
                room = min((math.hypot(x - each[0], z - each[2]) for each in others), default=1.0)
                worth = min(room, 0.3) - 0.2 * middle
                if worth > most:
                    best, most = np.array([x, self._goal.height, z]), worth
        found: np.ndarray = best + corner
        return found
