"""The rules of habitat-lab's skills pick, place and navigate to an object, without a simulator.

Success, the end of an episode and the reward are those of habitat-lab 0.3
(`tasks/rearrange/sub_tasks/{pick,place,nav_to_obj}_sensors.py`, `rearrange_sensors.py`) with the
numbers of `benchmark/rearrange/skills/{pick,place,nav_to_obj}.yaml`. One thing is ours: where an
object is to go is a receptacle's top and not a point.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["STEPS", "Force", "Nav", "Pick", "Place", "Seen", "Skill", "bearing", "reached"]

STEPS = {"pick": 300, "place": 300, "nav": 400}
"""Horizons: `max_episode_steps`."""
REST = 0.15
"""m: `ee_resting_success_threshold`."""
AT_GOAL = 0.15
"""m: `obj_at_goal.succ_thresh`, here the height of the object above the receptacle."""
LEAST_FORCE, MOST_FORCE = 20.0, 10_000.0
"""N: `min_force`; `max_accum_force` and `max_instant_force`."""
NEAR, FACING, TURNING = 1.5, 0.261799, 3.0
"""`nav_to_pos_succ.success_distance` (m), `success_angle_dist` (rad), `turn_reward_dist` (m)."""
SUCCESS, SLACK = 10.0, -0.005
"""`success_reward`, `slack_reward`."""


@dataclasses.dataclass(frozen=True)
class Seen:
    """What is measured after a step. Distances in m, angles in rad, forces in N."""

    held: str | None = None
    """The object in the gripper."""
    slipped: bool = False
    """Whether what was held was torn out of the gripper in this step."""
    tip_to_rest: float = 0.0
    tip_to_object: float = 0.0
    object_to_goal: float = 0.0
    """From the object to the nearest point above a receptacle of the name."""
    at_goal: bool = False
    """Whether the object is above such a receptacle, at most AT_GOAL from it."""
    force: float = 0.0
    """The largest force of one contact."""
    touches: bool = False
    """Whether the robot touches what it was not asked to touch."""
    goal_distance: float = 0.0
    """From the base to the receptacle, along the floor."""
    goal_angle: float = 0.0
    """Between where the base looks and the receptacle, from 0 to pi."""
    stop: bool = False


class Force:
    """habitat-lab's accumulated force: the sum of its rises by more than LEAST_FORCE."""

    def __init__(self, now: float) -> None:
        self._before, self.most = now, now
        self.accumulated, self.added = 0.0, 0.0

    def add(self, now: float) -> None:
        """Record the force after a step, N."""
        self.most = max(self.most, now)
        self.added = now - self._before
        if self.added > LEAST_FORCE:
            self.accumulated += self.added
            self._before = now
        elif self.added < 0.0:
            self._before = now
        else:
            self.added = 0.0

    @property
    def too_much(self) -> bool:
        """Whether the episode ends for it."""
        return self.accumulated > MOST_FORCE or self._before > MOST_FORCE


class Skill(ABC):
    """The course of one episode: what ends it, whether it succeeded, its metrics."""

    def __init__(self, seen: Seen) -> None:
        """`seen`: the start."""
        self.force = Force(seen.force)
        self.collisions, self.drops, self.over, self.success = 0, 0, False, False

    def step(self, seen: Seen) -> float:
        """Record a step; returns its reward."""
        self.force.add(seen.force)
        self.collisions += seen.touches
        reward = self._judge(seen) + SLACK + (SUCCESS if self.success else 0.0)
        self.over = self.over or self.success or self.force.too_much
        return reward

    @abstractmethod
    def _judge(self, seen: Seen) -> float:
        """Set `success` and `over`; returns the reward but for success and slack."""

    def metrics(self) -> dict[str, float]:
        """Collisions (control steps), the largest and the accumulated force (N), drops."""
        return {
            "collisions": float(self.collisions),
            "contact_force_max": self.force.most,
            "force_accumulated": self.force.accumulated,
            "drops": float(self.drops),
        }


class Pick(Skill):
    """Success: the right object is held, and the end effector is back at its resting place.

    It ends where a wrong object is grasped, or the object is lost.
    """

    def __init__(self, seen: Seen, wanted: str) -> None:
        super().__init__(seen)
        self._wanted, self._before, self._distance = wanted, seen.held, -1.0

    def _judge(self, seen: Seen) -> float:
        self.success = seen.held == self._wanted and not seen.slipped and seen.tip_to_rest < REST
        reward = -max(0.0, min(1e-4 * self.force.added, 0.01)) - 1.0 * seen.slipped
        reward -= 1.0 * self.force.too_much
        before, self._before = self._before, seen.held
        if seen.held is not None and before is None:
            self._distance = -1.0
            if seen.held != self._wanted:
                self.over = True
                return reward - 0.5
            reward += 2.0
        distance = seen.tip_to_object if seen.held is None else seen.tip_to_rest
        if self._distance >= 0:
            reward += 2.0 * round(self._distance - distance, 3)
        self._distance = distance
        if seen.held is None and before is not None:
            self.over, self.drops = True, self.drops + 1
            reward -= 0.5
        return reward


class Place(Skill):
    """Success: the object is at its goal, nothing is held, and the end effector is back.

    It ends where the object is let go anywhere else.
    """

    def __init__(self, seen: Seen) -> None:
        super().__init__(seen)
        self._let_go, self._distance = seen.held is None, -1.0

    def _judge(self, seen: Seen) -> float:
        self.success = seen.held is None and seen.at_goal and seen.tip_to_rest < REST
        reward = -1.0 * self.force.too_much
        going = not seen.at_goal or seen.held is not None
        distance, least = (seen.object_to_goal, 0.15) if going else (seen.tip_to_rest, 0.0)
        if seen.held is None and not self._let_go:
            self._let_go = True
            if not seen.at_goal:
                self.over, self.drops = True, self.drops + 1
                return reward
            reward += 5.0
            self._distance = -1.0
        if distance >= least and self._distance >= 0:
            reward += 2.0 * round(self._distance - distance, 3)
        self._distance = distance
        return reward


class Nav(Skill):
    """Success: stop is called within NEAR of the receptacle, looking at it within FACING."""

    def __init__(self, seen: Seen) -> None:
        super().__init__(seen)
        self._distance, self._angle = seen.goal_distance, -1.0

    def _judge(self, seen: Seen) -> float:
        reward = self._distance - seen.goal_distance
        self._distance = seen.goal_distance
        if seen.goal_distance < TURNING:
            if self._angle >= 0:
                reward += self._angle - seen.goal_angle
            self._angle = seen.goal_angle
        self.over = seen.stop
        self.success = seen.stop and reached(seen.goal_distance, seen.goal_angle)
        return reward


def reached(distance: float, angle: float) -> bool:
    """Whether a base `distance` m from a receptacle that looks `angle` rad past it may stop."""
    return distance < NEAR and abs(angle) < FACING


def bearing(at: ArrayLike, heading: float, goal: ArrayLike) -> tuple[float, float]:
    """(distance along the floor in m, angle in rad, positive to the left) of `goal` (3,) from a
    base at `at` (3,) that looks along x turned by `heading` about y."""
    x, _, z = np.asarray(goal, np.float64) - np.asarray(at, np.float64)
    angle = math.remainder(math.atan2(-z, x) - heading, 2 * math.pi)
    return math.hypot(x, z), angle
