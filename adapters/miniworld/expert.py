"""The expert of MiniWorld: a search among the agent's own actions, guided by the distance to go.

It is A* over (x, z, heading) with the simulator's own rules of motion and collision, so what it
plans is what happens. It plans until it is `STRETCH` metres nearer to the subgoal, executes that,
and plans again as soon as it is not where it planned to be. It knows the whole floor.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["DONE", "Disc", "Expert", "Pose", "Subgoal", "travel_cost"]

TURN_LEFT, TURN_RIGHT, FORWARD, BACK, PICK_UP, DROP, DONE = 0, 1, 2, 3, 4, 5, 7
STRETCH = 1.5
"""How much nearer to the subgoal one plan leads, m."""
SIGHT = 6.0
"""How far around the agent one search knows walls and objects, m."""
MOST_STATES = 30_000
"""How many states one search may expand before the expert gives up."""

Disc = tuple[float, float, float]
"""x, z, radius, m"""
Pose = tuple[float, float, float]
"""x, z (m), heading (rad, counter-clockwise from x as seen from above; ahead is (cos, -sin))"""


@dataclass(frozen=True)
class Subgoal:
    """Where to go, and what to do there."""

    distance: Callable[[Pose], float]
    """Metres to go from a pose; an estimate that guides the search."""
    reached: Callable[[Pose], bool]
    on_arrival: tuple[int, ...] = ()
    """Actions to take once it is reached."""
    avoid: Sequence[Disc] = ()
    """Where the agent's centre must not be."""
    bounds: tuple[float, float, float, float] | None = None
    """The least and greatest x, then z, of the agent's centre, m; None: only walls limit it."""

    @classmethod
    def pick_up(cls, env: Any, wanted: Sequence[Any]) -> Subgoal:
        """Take one of the wanted objects, from a pose in which it can then be carried."""
        agent = env.agent
        reach = 2.7 * agent.radius

        def distance(pose: Pose) -> float:
            gaps = (math.hypot(pose[0] - e.pos[0], pose[1] - e.pos[2]) - e.radius for e in wanted)
            return float(min(gaps) - reach)

        def reached(pose: Pose) -> bool:
            if distance(pose) > 0:
                return False
            # The package's rule: what a disc just ahead of the agent touches is picked up.
            around = _Surroundings(env, pose, 4.0)
            ahead = 1.5 * agent.radius
            taken = around.first_hit(
                pose[0] + ahead * math.cos(pose[2]),
                pose[1] - ahead * math.sin(pose[2]),
                1.2 * agent.radius,
            )
            return taken in wanted and around.is_clear(
                *_carried(env, pose, taken), taken.radius, ignore=taken
            )

        return cls(distance, reached, (PICK_UP,))

    @classmethod
    def put_next_to(cls, env: Any, other: Any) -> Subgoal:
        """Drop what is carried where it counts as near the other object."""
        mine = env.agent.carrying
        reach = mine.radius + other.radius + 1.1 * env.max_forward_step - 1e-3

        def distance(pose: Pose) -> float:
            x, z = _carried(env, pose, mine)
            return max(0.0, float(math.hypot(x - other.pos[0], z - other.pos[2]) - reach))

        return cls(distance, lambda pose: distance(pose) == 0.0, (DROP,))

    @classmethod
    def drop(cls) -> Subgoal:
        """Drop what is carried, at once."""
        return cls(lambda pose: 0.0, lambda pose: True, (DROP,))


class Expert:
    """Plans and follows subgoals in one episode."""

    def __init__(self, env: Any, subgoal: Callable[[], Subgoal]) -> None:
        """`subgoal` gives the current subgoal; it is called whenever a plan is needed."""
        self._env, self._subgoal = env, subgoal
        self._plan: list[tuple[Pose, int]] = []
        self._holding: Any = None

    def action(self) -> int | None:
        """The next action, or None where the search finds no path."""
        agent = self._env.agent
        pose = (float(agent.pos[0]), float(agent.pos[2]), float(agent.dir))
        as_planned = (
            self._plan
            and agent.carrying is self._holding
            and all(abs(a - b) < 1e-6 for a, b in zip(pose, self._plan[0][0]))
        )
        if not as_planned:
            self._plan, self._holding = _search(self._env, self._subgoal(), pose), agent.carrying
        return self._plan.pop(0)[1] if self._plan else None


def travel_cost(env: Any, pose: Pose, entity: Any) -> float:
    """About how many actions it takes to turn to an object and reach it, if nothing is between."""
    dx, dz = entity.pos[0] - pose[0], entity.pos[2] - pose[1]
    angle = (math.atan2(-dz, dx) - pose[2] + math.pi) % (2 * math.pi) - math.pi
    ahead = math.hypot(dx, dz) - entity.radius - 2.7 * env.agent.radius
    turn, step = env.params.sample(None, "turn_step"), env.params.sample(None, "forward_step")
    return float(abs(math.degrees(angle)) / turn + max(0.0, float(ahead)) / step)


def _search(env: Any, subgoal: Subgoal, start: Pose) -> list[tuple[Pose, int]]:
    """The plan for the next stretch, as (pose, action there); empty where there is none."""
    step = float(env.params.sample(None, "forward_step"))
    turn = math.radians(env.params.sample(None, "turn_step"))
    headings, cell = round(2 * math.pi / turn), step / 2
    around, agent, mine = _Surroundings(env, start, SIGHT), env.agent, env.agent.carrying

    def legal(pose: Pose) -> bool:
        x, z, _ = pose
        if subgoal.bounds is not None:
            low_x, high_x, low_z, high_z = subgoal.bounds
            if not (low_x < x < high_x and low_z < z < high_z):
                return False
        if any(math.hypot(x - a, z - b) <= radius for a, b, radius in subgoal.avoid):
            return False
        if not around.is_clear(x, z, agent.radius, ignore=mine):
            return False
        return mine is None or around.is_clear(*_carried(env, pose, mine), mine.radius, ignore=mine)

    def key(pose: Pose, heading: int) -> tuple[int, int, int]:
        return (
            round((pose[0] - start[0]) / cell),
            round((pose[1] - start[1]) / cell),
            heading % headings,
        )

    begin, order = subgoal.distance(start), itertools.count()
    if not math.isfinite(begin):
        return []
    stretch = max(STRETCH, 3 * step)
    # (cost, -actions, order, pose, heading, path): the deeper first among equal costs
    queue: list[tuple[float, int, int, Pose, int, Any]] = [(begin / step, 0, 0, start, 0, None)]
    seen: set[tuple[int, int, int]] = set()
    while queue and len(seen) < MOST_STATES:
        _, depth, _, pose, heading, path = heapq.heappop(queue)
        if subgoal.reached(pose):
            return [*_unroll(path), *((pose, action) for action in subgoal.on_arrival)]
        if path is not None and begin - subgoal.distance(pose) >= stretch:
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
        # What the agent carries may block both turns and steps forward.
        if mine is not None:
            moves.append((BACK, (x - dx, z - dz, angle), heading))
        for action, after, facing in moves:
            if (
                key(after, facing) in seen
                or math.hypot(after[0] - start[0], after[1] - start[1]) > SIGHT / 2
            ):
                continue
            if (action in (FORWARD, BACK) or mine is not None) and not legal(after):
                continue
            cost = 1 - depth + subgoal.distance(after) / step
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
    """The x, z where the agent would carry the entity, as MiniWorldEnv._get_carry_pos has it."""
    ahead = 1.05 * (env.agent.radius + entity.radius + env.max_forward_step)
    return pose[0] + ahead * math.cos(pose[2]), pose[1] - ahead * math.sin(pose[2])


class _Surroundings:
    """The walls and objects around a pose.

    It tests for collisions as MiniWorldEnv.intersect does, about twenty times faster because few
    walls and objects are near.
    """

    def __init__(self, env: Any, pose: Pose, sight: float) -> None:
        x, z, _ = pose
        segments = env.wall_segs[:, :, ::2].reshape(-1, 4).tolist()
        self._walls = [wall for wall in segments if _distance(x, z, *wall) < sight]
        self._entities = [
            (float(e.pos[0]), float(e.pos[2]), float(e.radius), e)
            for e in env.entities
            if e is not env.agent and math.hypot(e.pos[0] - x, e.pos[2] - z) < sight + e.radius
        ]

    def is_clear(self, x: float, z: float, radius: float, ignore: Any = None) -> bool:
        """Whether a disc at x, z touches neither a wall nor an object, `ignore` excepted."""
        if any(_distance(x, z, *wall) < radius for wall in self._walls):
            return False
        return all(
            math.hypot(x - a, z - b) >= radius + r or entity is ignore
            for a, b, r, entity in self._entities
        )

    def first_hit(self, x: float, z: float, radius: float) -> Any:
        """The first object that a disc at x, z touches.

        None where the disc touches a wall, touches a fixed object first, or touches nothing.
        """
        if any(_distance(x, z, *wall) < radius for wall in self._walls):
            return None
        for a, b, r, entity in self._entities:
            if math.hypot(x - a, z - b) < radius + r:
                return None if entity.is_static else entity
        return None


def _distance(x: float, z: float, ax: float, az: float, bx: float, bz: float) -> float:
    """The distance of the point (x, z) from the segment between a and b."""
    dx, dz = bx - ax, bz - az
    share = ((x - ax) * dx + (z - az) * dz) / (dx * dx + dz * dz)
    share = 0.0 if share < 0 else min(share, 1.0)
    return math.hypot(x - ax - share * dx, z - az - share * dz)
