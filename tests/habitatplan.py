"""A stand-in for `RobotWorld` that knows the plan of a home and the arm's kinematics, no physics.

Joints reach their targets at once, objects stay where they are unless they are held or fall onto
the receptacle below, and nothing weighs or pushes anything. The floor is a grid. It tests the rules
of the adapter and the plans of its experts where there is no simulator.
"""

from __future__ import annotations

import functools
import heapq
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adapters.habitat import fetch, homes, things
from adapters.habitat.flat import DOOR, Flat, Rectangle
from adapters.habitat.robot_world import GRASP_DISTANCE, HOLDS_AT, Contacts

GRID, FINE, RADIUS = 0.1, 0.05, 0.3


class PlanWorld:
    """The methods of `RobotWorld`."""

    def __init__(self, camera: Any) -> None:
        source = fetch.description()
        assert source is not None
        self._arm = fetch.Arm(source)
        self._camera = camera
        self.held: str | None = None
        self.force = 0.0
        """What `contacts` tells, N."""

    def load(self, scene: str, robot: Path, configs: Mapping[str, str]) -> None:
        assert Path(scene).is_file()
        assert robot.is_file()
        assert all(Path(path).is_file() for path in configs.values())

    def begin(
        self, things: Mapping[str, Any], at: np.ndarray, heading: float, joints: Sequence[float]
    ) -> None:
        self.held, self._at, self._heading = None, np.array(at, float), heading
        self.targets = np.array(joints, float)
        self._places = {name: np.array(place, float) for name, (place, _) in things.items()}

    def settle(self, substeps: int) -> None:
        self._carry()

    def turn_joints(self, change: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
        self.targets = np.clip(self.targets + change, low, high)

    def move_base(self, ahead: float, turn: float) -> bool:
        mid = self._heading + turn / 2
        self._heading = math.remainder(self._heading + turn, 2 * math.pi)
        step = ahead * np.array([math.cos(mid), 0.0, -math.sin(mid)])
        home, z0 = home_at(self._at)
        for share in (step, step * (1, 0, 0), step * (0, 0, 1)):
            there = self._at + share
            if is_free(home, there[0], there[2] - z0):
                self._at = there
                return share is step
        return False

    def advance(self) -> None:
        self._carry()

    def grasp(self) -> str | None:
        near = {name: float(np.linalg.norm(self.place(name) - self.tip())) for name in self._places}
        name = min(near, key=lambda each: near[each])
        if near[name] < GRASP_DISTANCE:
            self.held = name
        return self.held

    def hold(self, name: str) -> None:
        self.held = name
        self._carry()

    def release(self) -> None:
        if self.held is None:
            return
        place, half = self._places[self.held], self._half(self.held)
        home, z0 = home_at(place)
        below = [
            each.height
            for each in homes.receptacles(home)
            if each.above(place - (0, 0, z0))[0] == 0.0 and each.height < place[1]
        ]
        place[1] = max(below, default=0.0) + half
        self.held = None

    def lost(self) -> bool:
        return False

    def contacts(self) -> Contacts:
        return Contacts(self.force, frozenset({"home"} if self.force else ()))

    def joints(self) -> np.ndarray:
        return self.targets.copy()

    def tip(self) -> np.ndarray:
        return self._in_world(self._arm.tip(self.targets)[0])

    def place(self, name: str) -> np.ndarray:
        return self._places[name].copy()

    def bottom(self, name: str) -> float:
        return float(self._places[name][1]) - self._half(name)

    def base(self) -> tuple[np.ndarray, float]:
        return self._at.copy(), self._heading

    def in_base(self, point: np.ndarray) -> np.ndarray:
        x, y, z = point - self._at
        cos, sin = math.cos(self._heading), math.sin(self._heading)
        return np.array([cos * x - sin * z, -sin * x - cos * z, y])

    def state(self) -> np.ndarray:
        return np.concatenate([self.targets, self._at, [self._heading], *self._places.values()])

    def draw(self, camera: str) -> np.ndarray:
        size = (self._camera.height_px, self._camera.width_px)
        return np.zeros((*size, 3), np.uint8) if camera == "image" else np.ones(size, np.float32)

    def snap(self, point: np.ndarray) -> np.ndarray | None:
        home, z0 = home_at(point)
        if is_free(home, point[0], point[2] - z0):
            return np.array([point[0], 0.0, point[2]])
        x, z = nearest(home, point[0], point[2] - z0)
        return np.array([x * GRID, 0.0, z * GRID + z0])

    def way(self, start: np.ndarray, end: np.ndarray) -> tuple[float, np.ndarray]:
        home, z0 = home_at(start)
        goal = nearest(home, end[0], end[2] - z0)
        left = distances(home, goal)
        at = nearest(home, start[0], start[2] - z0)
        if at not in left:
            return math.inf, np.zeros((0, 3))
        chain = [at]
        while chain[-1] != goal:
            chain.append(min(around(chain[-1]), key=lambda each: left.get(each, math.inf)))
        places = [np.array([x * GRID, 0.0, z * GRID + z0]) for x, z in chain]
        places[-1] = np.array([end[0], 0.0, end[2]])
        while len(places) > 1 and in_sight(home, start, places[1], z0):
            places.pop(0)
        return left[at], np.array([start, *places])

    def close(self) -> None:
        pass

    def _in_world(self, local: np.ndarray) -> np.ndarray:
        cos, sin = math.cos(self._heading), math.sin(self._heading)
        x, y, z = local
        return self._at + np.array([cos * x - sin * y, z, -sin * x - cos * y])

    def _half(self, name: str) -> float:
        return float(things.size(things.THINGS[name])[1]) / 2

    def _carry(self) -> None:
        if self.held is not None:
            at, points = self._arm.tip(self.targets)
            self._places[self.held] = self._in_world(at + (HOLDS_AT - fetch.TIP) * points)


def home_at(point: np.ndarray) -> tuple[Flat, float]:
    """(the home of the split `eval` in which a point lies, the z of its corner)."""
    number = math.floor((point[2] + 1.0) / homes.SPACING)
    return built(homes.SPLITS["eval"][number]), number * homes.SPACING


built = functools.cache(homes.build)


def is_free(home: Flat, x: float, z: float) -> bool:
    """Whether a base can stand there."""
    i, j = round(x / FINE), round(z / FINE)
    plan = _plan(home.number)  # a home's own hash would be that of all its pieces
    return bool(0 <= i < plan.shape[0] and 0 <= j < plan.shape[1] and plan[i, j])


@functools.cache
def _plan(number: int) -> np.ndarray:
    """Whether a base can stand at (i * FINE, j * FINE)."""
    home = built(number)
    x, z = np.meshgrid(
        np.arange(0.0, home.width, FINE), np.arange(0.0, home.depth, FINE), indexing="ij"
    )

    def inside(spot: Rectangle) -> np.ndarray:
        return (spot.x0 <= x) & (x <= spot.x1) & (spot.z0 <= z) & (z <= spot.z1)

    walls = [room.floor.z1 if room.north else room.floor.z0 for room in home.rooms]
    floors = [
        each.grown(-0.05 - RADIUS) for each in (home.corridor, *(r.floor for r in home.rooms))
    ]
    floors += [
        Rectangle(room.door + RADIUS, wall - 0.5, room.door + DOOR - RADIUS, wall + 0.5)
        for room, wall in zip(home.rooms, walls)
    ]
    free = np.any([inside(each) for each in floors], axis=0)
    taken = np.any([inside(piece.floor.grown(RADIUS)) for piece in home.pieces], axis=0)
    found: np.ndarray = free & ~taken
    return found


@functools.cache
def _cells(number: int) -> frozenset[tuple[int, int]]:
    coarse = round(GRID / FINE)
    return frozenset((int(x), int(z)) for x, z in np.argwhere(_plan(number)[::coarse, ::coarse]))


def nearest(home: Flat, x: float, z: float) -> tuple[int, int]:
    cell = (round(x / GRID), round(z / GRID))
    if cell in _cells(home.number):
        return cell
    return min(
        _cells(home.number), key=lambda each: math.hypot(each[0] - x / GRID, each[1] - z / GRID)
    )


def around(cell: tuple[int, int]) -> list[tuple[int, int]]:
    x, z = cell
    return [(x + i, z + j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]


def distances(home: Flat, goal: tuple[int, int]) -> dict[tuple[int, int], float]:
    """Each cell from which the goal can be reached -> its distance, m."""
    return _distances(home.number, goal)


@functools.cache
def _distances(number: int, goal: tuple[int, int]) -> dict[tuple[int, int], float]:
    free = _cells(number)
    left: dict[tuple[int, int], float] = {}
    queue = [(0.0, goal)]
    while queue:
        far, cell = heapq.heappop(queue)
        if cell in left:
            continue
        left[cell] = far
        for each in around(cell):
            if each in free and each not in left:
                heapq.heappush(queue, (far + GRID * math.dist(cell, each), each))
    return left


def in_sight(home: Flat, start: np.ndarray, end: np.ndarray, z0: float) -> bool:
    points = np.linspace(start, end, 20)[1:]
    return all(is_free(home, x, z - z0) for x, _, z in points)
