"""The expert: a search among the agent's own actions, turns and steps, down the distance that is left.

A* over (x, z, heading) with the simulator's own rules of motion and collision, so what it plans is what happens. It plans a stretch at a
time (`STRETCH` metres nearer), executes it, and plans again at once when it finds itself elsewhere than planned. It sees the whole floor.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["DONE", "Course", "Disc", "Expert", "Pose", "effort"]

TURN_LEFT, TURN_RIGHT, FORWARD, BACK, PICK_UP, DROP, DONE = 0, 1, 2, 3, 4, 5, 7
STRETCH = 1.5
"""m"""
SIGHT = 6.0
"""m around the agent that one search looks at."""
LIMIT = 30_000
"""States a search may look at; then the expert gives up."""

Disc = tuple[float, float, float]
"""x, z, radius, m"""
Pose = tuple[float, float, float]
"""x, z (m), heading (rad, counter-clockwise from x as seen from above; ahead is (cos, -sin))"""


@dataclass(frozen=True)
class Course:
    """Where to, and what then."""

    left: Callable[[Pose], float]
    """Metres to go from a pose, about."""
    arrived: Callable[[Pose], bool]
    then: tuple[int, ...] = ()
    """Actions to take on arrival."""
    avoid: Sequence[Disc] = ()
    """Where the agent's centre must not be."""
    bounds: tuple[float, float, float, float] | None = None
    """Between which x, then z, it must be."""

    @classmethod
    def to_pick_up(cls, env: Any, wanted: Sequence[Any]) -> Course:
        """To where `pickup` takes one of the wanted objects, and takes it only if it can then be carried on."""
        agent = env.agent
        reach = 2.7 * agent.radius

        def left(pose: Pose) -> float:
            return (
                min(math.hypot(pose[0] - e.pos[0], pose[1] - e.pos[2]) - e.radius for e in wanted)
                - reach
            )

        def arrived(pose: Pose) -> bool:
            if left(pose) > 0:
                return False
            world = _World(env, pose, 4.0)
            ahead = 1.5 * agent.radius
            taken = world.first_hit(
                pose[0] + ahead * math.cos(pose[2]),
                pose[1] - ahead * math.sin(pose[2]),
                1.2 * agent.radius,
            )
            return taken in wanted and world.clear(
                *_carried(env, pose, taken), taken.radius, ignore=taken
            )

        return cls(left, arrived, (PICK_UP,))

    @classmethod
    def to_put_next(cls, env: Any, other: Any) -> Course:
        """To where what is carried, once dropped, is near the other object."""
        mine = env.agent.carrying
        reach = mine.radius + other.radius + 1.1 * env.max_forward_step - 1e-3

        def left(pose: Pose) -> float:
            x, z = _carried(env, pose, mine)
            return max(0.0, math.hypot(x - other.pos[0], z - other.pos[2]) - reach)

        return cls(left, lambda pose: left(pose) == 0.0, (DROP,))

    @classmethod
    def to_drop(cls, env: Any) -> Course:
        """Drop it here."""
        return cls(lambda pose: 0.0, lambda pose: True, (DROP,))


class Expert:
    """Follows courses in one episode; `course` is asked whenever a plan is needed."""

    def __init__(self, env: Any, course: Callable[[], Course]) -> None:
        self._env, self._course = env, course
        self._plan: list[tuple[Pose, int]] = []
        self._holding: Any = None

    def action(self) -> int | None:
        """The next action, or None where no way is found."""
        agent = self._env.agent
        pose = (float(agent.pos[0]), float(agent.pos[2]), float(agent.dir))
        on_course = (
            self._plan
            and agent.carrying is self._holding
            and all(abs(a - b) < 1e-6 for a, b in zip(pose, self._plan[0][0]))
        )
        if not on_course:
            self._plan, self._holding = _search(self._env, self._course(), pose), agent.carrying
        return self._plan.pop(0)[1] if self._plan else None


def effort(env: Any, pose: Pose, entity: Any) -> float:
    """Actions it takes to turn to an object and reach it where nothing is in between, about."""
    dx, dz = entity.pos[0] - pose[0], entity.pos[2] - pose[1]
    angle = (math.atan2(-dz, dx) - pose[2] + math.pi) % (2 * math.pi) - math.pi
    ahead = math.hypot(dx, dz) - entity.radius - 2.7 * env.agent.radius
    turn, step = env.params.sample(None, "turn_step"), env.params.sample(None, "forward_step")
    return abs(math.degrees(angle)) / turn + max(0.0, float(ahead)) / step


def _search(env: Any, course: Course, start: Pose) -> list[tuple[Pose, int]]:
    """(pose, action there) for the next stretch; empty where there is none."""
    step, turn = (
        float(env.params.sample(None, "forward_step")),
        math.radians(env.params.sample(None, "turn_step")),
    )
    headings, cell = round(2 * math.pi / turn), step / 2
    world, agent, mine = _World(env, start, SIGHT), env.agent, env.agent.carrying

    def legal(pose: Pose) -> bool:
        x, z, _ = pose
        if course.bounds is not None and not (
            course.bounds[0] < x < course.bounds[1] and course.bounds[2] < z < course.bounds[3]
        ):
            return False
        if any(math.hypot(x - a, z - b) <= distance for a, b, distance in course.avoid):
            return False
        if not world.clear(x, z, agent.radius, ignore=mine):
            return False
        return mine is None or world.clear(*_carried(env, pose, mine), mine.radius, ignore=mine)

    def key(pose: Pose, heading: int) -> tuple[int, int, int]:
        return (
            round((pose[0] - start[0]) / cell),
            round((pose[1] - start[1]) / cell),
            heading % headings,
        )

    begin, order = course.left(start), itertools.count()
    if not math.isfinite(begin):
        return []
    stretch = max(STRETCH, 3 * step)
    # (cost, -actions, order, pose, heading, path): deeper first among equals
    queue: list[tuple[float, int, int, Pose, int, Any]] = [(begin / step, 0, 0, start, 0, None)]
    seen: set[tuple[int, int, int]] = set()
    while queue and len(seen) < LIMIT:
        _, depth, _, pose, heading, path = heapq.heappop(queue)
        if course.arrived(pose):
            return [*_unroll(path), *((pose, action) for action in course.then)]
        if path is not None and begin - course.left(pose) >= stretch:
            return _unroll(path)
        if (here := key(pose, heading)) in seen:
            continue
        seen.add(here)
        x, z, angle = pose
        dx, dz = step * math.cos(angle), -step * math.sin(angle)
        moves = [
            (FORWARD, (x + dx, z + dz, angle), heading),
            (TURN_LEFT, (x, z, angle + turn), heading + 1),
            (TURN_RIGHT, (x, z, angle - turn), heading - 1),
        ]
        if mine is not None:  # with something in its arms it may have to back out
            moves.append((BACK, (x - dx, z - dz, angle), heading))
        for action, after, facing in moves:
            if (
                key(after, facing) in seen
                or math.hypot(after[0] - start[0], after[1] - start[1]) > SIGHT / 2
            ):
                continue
            if (action in (FORWARD, BACK) or mine is not None) and not legal(after):
                continue
            cost = 1 - depth + course.left(after) / step
            if math.isfinite(cost):
                heapq.heappush(
                    queue, (cost, depth - 1, next(order), after, facing, (path, pose, action))
                )
    return []


def _unroll(path: Any) -> list[tuple[Pose, int]]:
    steps: list[tuple[Pose, int]] = []
    while path is not None:
        path, pose, action = path
        steps.append((pose, action))
    return steps[::-1]


def _carried(env: Any, pose: Pose, entity: Any) -> tuple[float, float]:
    """Where the agent would carry the entity: MiniWorldEnv._get_carry_pos, on the floor."""
    ahead = 1.05 * (env.agent.radius + entity.radius + env.max_forward_step)
    return pose[0] + ahead * math.cos(pose[2]), pose[1] - ahead * math.sin(pose[2])


class _World:
    """What stands around a pose: MiniWorldEnv.intersect for the few walls and objects there, some twenty times faster."""

    def __init__(self, env: Any, pose: Pose, sight: float) -> None:
        x, z, _ = pose
        self._walls = [
            wall for wall in env.wall_segs[:, :, ::2].reshape(-1, 4).tolist() if _distance(x, z, *wall) < sight
        ]  # fmt: skip
        self._entities = [
            (float(e.pos[0]), float(e.pos[2]), float(e.radius), e)
            for e in env.entities
            if e is not env.agent and math.hypot(e.pos[0] - x, e.pos[2] - z) < sight + e.radius
        ]

    def clear(self, x: float, z: float, radius: float, ignore: Any = None) -> bool:
        """Whether a disc there touches neither wall nor object."""
        if any(_distance(x, z, *wall) < radius for wall in self._walls):
            return False
        return all(
            math.hypot(x - a, z - b) >= radius + r or entity is ignore
            for a, b, r, entity in self._entities
        )

    def first_hit(self, x: float, z: float, radius: float) -> Any:
        """The first movable object that a disc there touches; None where it is a wall, fixed or nothing."""
        if any(_distance(x, z, *wall) < radius for wall in self._walls):
            return None
        for a, b, r, entity in self._entities:
            if math.hypot(x - a, z - b) < radius + r:
                return None if entity.is_static else entity
        return None


def _distance(x: float, z: float, ax: float, az: float, bx: float, bz: float) -> float:
    """Of a point from a segment."""
    dx, dz = bx - ax, bz - az
    share = ((x - ax) * dx + (z - az) * dz) / (dx * dx + dz * dz)
    share = 0.0 if share < 0 else min(share, 1.0)
    return math.hypot(x - ax - share * dx, z - az - share * dz)
