"""An expert for PushT, written for this project: it knows the pose of the T and plans pushes.

A push is a straight way of the disc against the T. All pushes from points around the T are tried in
a copy of the simulator; the one after which the T's corners are nearest to where they belong is
made, and so on. Where no push brings them much nearer, pairs of pushes are compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from adapters.pusht.tee import OUTLINE, Tee, error, inside

__all__ = ["PushExpert"]

Pose = tuple[float, float, float]

RADIUS = 15.0
"""px, of the disc."""
CLEARANCE, APPROACH = 18.0, 21.0
"""px: how far from the T the disc's centre travels, and where it begins a push."""
SPACING = 8.0
"""px between the points of the outline that are pushed at."""
ANGLES = (-0.45, 0.0, 0.45)
"""rad, between a push and the edge's inward normal."""
SUBSTEPS, STEPS, DT = 10, 8, 0.01
"""Substeps of an action, actions in which the disc comes to rest, and seconds of a substep
(`PushTEnv.step`)."""
STIFFNESS, DAMPING = 100.0, 20.0
SPEED, EVERY, LONGEST = 100.0, 4, 140
"""px/s of a disc that tries a push, substeps between two looks at the T, and substeps in all."""
LENGTHS = np.array([2, 4, 6, 8, 10, 12, 14, 17, 20, 24, 28, 33, 39, 46, 54, 64, 76, 90, 106, 124])
"""px that a push goes on from where it begins, in the last choice before it."""
TRAVEL_COST = 0.01
"""px of error that a px of the disc's way counts as."""
MUCH, PAIRS = 0.7, 8
"""A push that leaves more than this share of the error is compared with pairs of pushes, of which
this many first ones are tried."""
AHEAD, STILL = 4, 0.02
"""Actions that are looked ahead on the way to a push, in which the T may move by so many px."""
ARRIVED, SLOW = 4.0, 60.0
"""px and px/s: the disc has arrived where it begins a push."""


@dataclass(frozen=True)
class Push:
    """The disc goes from `start` along `way`."""

    start: np.ndarray
    """px, float (2,)."""
    way: np.ndarray
    """A unit vector, float (2,)."""
    after: Pose
    """The pose of the T that it is made for."""
    left: float
    """The error that remains."""


class PushExpert:
    """Answers with the point that the disc should be sent to."""

    def __init__(self, simulator: Any) -> None:
        """`simulator`: a `PushTEnv` of its own."""
        self._simulator = simulator
        self.reset()

    def reset(self) -> None:
        """Forget the plan, at the start of an episode."""
        self._push: Push | None = None
        self._target: np.ndarray | None = None
        self._held = 0

    def act(self, disc: np.ndarray, velocity: np.ndarray, pose: Pose) -> np.ndarray | None:
        """The next target of the disc, px, float (2,); None where no push can be begun.

        `disc` and `velocity`: px and px/s, float (2,), of the disc's centre.
        """
        if self._target is not None:
            self._held += 1
            at_rest = np.hypot(*(self._target - disc)) < 1.0 and np.hypot(*velocity) < SLOW / 2
            if self._held < STEPS and not at_rest:
                return self._target
            self._target = self._push = None
        tee = Tee(pose)
        if self._push is None:
            self._push = self._plan(tee, disc)
        push = self._push
        if push is None:
            return None
        if np.hypot(*(push.start - disc)) < ARRIVED and np.hypot(*velocity) < SLOW:
            self._target, self._held = self._choose_end(push, disc, velocity, pose), 0
            return self._target
        return self._travel(tee, disc, velocity, push.start)

    def _travel(
        self, tee: Tee, disc: np.ndarray, velocity: np.ndarray, goal: np.ndarray
    ) -> np.ndarray:
        """The farthest point of the way to `goal` that the disc can go to without touching."""
        begin = tee.way_out(disc, CLEARANCE)
        way = tee.path(begin, goal, CLEARANCE)
        if way is None:
            self._push = None
            return begin
        # A T that overlaps a wall moves by itself.
        left_alone = self._follow(tee.pose, disc, np.zeros(2), disc, AHEAD)
        for target in (*way[::-1], begin):
            after = self._follow(tee.pose, disc, velocity, target, AHEAD)
            if math.dist(after, left_alone) < STILL:
                return target
        return begin

    def _plan(self, tee: Tee, disc: np.ndarray) -> Push | None:
        """The best push for this T, or the first one of the best pair; None where there is none."""
        now = error(tee.pose)
        pushes = self._pushes(tee, disc)
        if not pushes:
            return None
        if pushes[0].left < MUCH * now:
            return pushes[0]
        pairs = []
        for first in pushes[:PAIRS]:
            seconds = self._pushes(Tee(first.after), first.start)
            if seconds:
                pairs.append((min(first.left, seconds[0].left), first))
        return min(pairs, key=lambda pair: pair[0])[1] if pairs else pushes[0]

    def _pushes(self, tee: Tee, disc: np.ndarray) -> list[Push]:
        """All pushes, the best first."""
        found = []
        for number, corner in enumerate(OUTLINE):
            edge = OUTLINE[(number + 1) % len(OUTLINE)] - corner
            length = float(np.hypot(*edge))
            along = edge / length
            # The outline goes round clockwise on a plane whose y points down.
            outward = np.array([along[1], -along[0]])
            count = int(length / SPACING)
            for place in (np.arange(count) + 0.5) * length / count:
                point = corner + place * along
                for angle in ANGLES:
                    cos, sin = math.cos(angle), math.sin(angle)
                    way = -outward @ np.array([[cos, sin], [-sin, cos]])
                    touching = point + RADIUS * outward
                    start = touching - way * (APPROACH - RADIUS) / cos
                    push = self._try(tee, tee.to_plane(start), tee.turned(way), disc)
                    if push is not None:
                        found.append(push)
        return sorted(
            found, key=lambda push: push.left + TRAVEL_COST * float(np.hypot(*(push.start - disc)))
        )

    def _try(self, tee: Tee, start: np.ndarray, way: np.ndarray, disc: np.ndarray) -> Push | None:
        """What remains after the best length of a push; None where the disc cannot begin it."""
        if not inside(start[None])[0] or tee.distance(start[None])[0] < CLEARANCE:
            return None
        simulator = self._simulator
        self._put(tee.pose, start, way * SPEED)
        space, block, agent = simulator.space, simulator.block, simulator.agent
        best, after = math.inf, tee.pose
        for number in range(1, LONGEST + 1):
            space.step(DT)
            if number % EVERY:
                continue
            x, y = agent.position
            if not (0.0 <= x <= 512.0 and 0.0 <= y <= 512.0):
                break
            pose = (block.position.x, block.position.y, block.angle)
            left = error(pose)
            if left < best:
                best, after = left, pose
            elif left > best + 15.0:
                break
        return Push(start, way, after, best)

    def _choose_end(
        self, push: Push, disc: np.ndarray, velocity: np.ndarray, pose: Pose
    ) -> np.ndarray:
        """Where the disc stops in the push, tried with the motion that it will really make."""
        ends = disc + LENGTHS[:, None] * push.way
        ends = ends[inside(ends)].astype(np.float32).astype(np.float64)
        if not len(ends):
            return disc
        left = [error(self._follow(pose, disc, velocity, end, STEPS)) for end in ends]
        best: np.ndarray = ends[int(np.argmin(left))]
        return best

    def _follow(
        self, pose: Pose, disc: np.ndarray, velocity: np.ndarray, target: np.ndarray, steps: int
    ) -> Pose:
        """The pose of the T after the disc was sent to `target` for this many actions."""
        self._put(pose, disc, velocity)
        simulator = self._simulator
        space, agent, block = simulator.space, simulator.agent, simulator.block
        to_x, to_y = target
        for _ in range(steps * SUBSTEPS):
            (x, y), (speed_x, speed_y) = agent.position, agent.velocity
            agent.velocity = (
                speed_x + (STIFFNESS * (to_x - x) - DAMPING * speed_x) * DT,
                speed_y + (STIFFNESS * (to_y - y) - DAMPING * speed_y) * DT,
            )
            space.step(DT)
        return block.position.x, block.position.y, block.angle

    def _put(self, pose: Pose, disc: np.ndarray, velocity: np.ndarray) -> None:
        """Put the copy of the simulator into this state.

        Its space is made anew: the engine keeps contacts and what separates overlapping bodies, and
        neither can be set.
        """
        simulator = self._simulator
        simulator._setup()
        block, agent = simulator.block, simulator.agent
        # Turning moves the T, because it turns about its centre of gravity: the place comes last.
        block.angle = pose[2]
        block.position = pose[:2]
        agent.position, agent.velocity = tuple(map(float, disc)), tuple(map(float, velocity))
