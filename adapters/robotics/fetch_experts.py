"""Scripted controllers of the Fetch tasks, which see the full state.

All but that of FetchSlide are functions of the current observation.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

__all__ = ["SCRIPTS", "SlideExpert"]

Observation = Mapping[str, np.ndarray]
"""The package's observation; adapters/robotics/fetch.py lists its elements."""

GAIN = 15.0
"""Action per metre of error: the hand is fast and does not overshoot."""
LIFT, CLEAR = 0.08, 0.055
"""How high above the block the hand goes to pass over it, and from which height on it may move
sideways (m)."""


def _reach(seen: Observation) -> np.ndarray:
    return _towards(seen, seen["desired_goal"])


def _push(seen: Observation) -> np.ndarray:
    """Go behind the block as seen from the goal, then push it there."""
    hand, block = seen["observation"][:3], seen["observation"][3:6]
    to_goal = seen["desired_goal"][:2] - block[:2]
    left = float(np.hypot(*to_goal))
    if left < 0.012:
        return np.zeros(4)
    ahead = to_goal / left
    offset = hand[:2] - block[:2]
    along = float(offset @ ahead)
    aside = offset - along * ahead
    if along < -0.03 and np.hypot(*aside) < 0.02 and hand[2] < block[2] + 0.03:
        move = ahead * min(left + 0.015, 0.06) - 0.8 * aside
        return _towards(seen, np.array([*(hand[:2] + move), block[2]]))
    return _go_to(seen, block[:2] - 0.075 * ahead)


def _pick(seen: Observation) -> np.ndarray:
    """Open above the block, go down, close, carry it to the goal and hold it there."""
    hand, block, fingers = (
        seen["observation"][:3],
        seen["observation"][3:6],
        seen["observation"][9:11],
    )
    offset = block - hand
    aside = float(np.hypot(*offset[:2]))
    if aside < 0.02 and abs(offset[2]) < 0.02:
        held = fingers.sum() < 0.0505  # the block is 0.05 m wide
        return _towards(seen, hand + seen["desired_goal"] - block if held else block, fingers=-1.0)
    height = block[2] if aside < 0.015 else block[2] + 0.06
    return _towards(seen, np.array([*block[:2], height]), fingers=1.0)


SCRIPTS: Mapping[str, Callable[[Observation], np.ndarray]] = {
    "FetchReach": _reach,
    "FetchPush": _push,
    "FetchPickAndPlace": _pick,
}
"""The controller of each task but FetchSlide: observation -> float64 (4,), to clip to -1..1."""


def _towards(seen: Observation, point: np.ndarray, fingers: float = 0.0) -> np.ndarray:
    return np.append((point - seen["observation"][:3]) * GAIN, fingers)


def _go_to(seen: Observation, point: np.ndarray) -> np.ndarray:
    """Go to `point` (2,) at the object's height, passing over the object if it is in the way."""
    hand, thing = seen["observation"][:3], seen["observation"][3:6]
    offset, path = hand[:2] - thing[:2], point - hand[:2]
    action = _towards(seen, np.array([*point, thing[2]]))
    if np.hypot(*path) < 0.02:
        return action
    nearest = offset + np.clip(-(offset @ path) / (path @ path), 0.0, 1.0) * path
    if np.hypot(*nearest) < 0.06:
        action[2] = (thing[2] + LIFT - hand[2]) * GAIN
        if hand[2] < thing[2] + CLEAR:
            action[:2] *= 0.0 if np.hypot(*offset) < 0.07 else 0.3
    return action


class SlideExpert:
    """One shot at the puck: go behind it and hit it so that it stops at the goal.

    The goal is out of the hand's reach. Direction and speed of the hit are found by trying them in
    the simulator itself, on a copy of its data: at most 16 tries of the episode's remaining steps,
    once per episode. Everything is deterministic.
    """

    TRIES = 16
    NEAR = 0.02
    """The error at which the search stops, m."""
    HIT, BACK = 8, 3
    """Steps of the hit, and of the retreat after it."""
    PATIENCE = 16
    """Steps to get behind the puck."""

    def __init__(self, env: Any, seen: Observation, left: int) -> None:
        """Plan with `left` steps to go; `env`, the unwrapped environment, stays unchanged."""
        goal, puck = seen["desired_goal"], seen["achieved_goal"]
        to_goal = (goal - puck)[:2]
        distance = float(np.hypot(*to_goal))
        self._ahead = to_goal / distance
        self._behind = 0.09 if distance < 0.45 else 0.14  # m: a longer run-up hits harder
        turn = 0.4 * math.atan2(self._ahead[1], self._ahead[0])
        speed = min(1.0, 0.3 + 0.9 * distance)
        best = math.inf, turn, speed, 0.0, 0.0
        rng = np.random.default_rng(0)
        for attempt in range(self.TRIES):
            self._aim(turn, speed)
            stop = self._try(env, seen, left)
            error = float(np.linalg.norm(stop - goal))
            x = (stop - puck)[:2] @ self._ahead
            y = (stop - puck)[:2] @ np.array([-self._ahead[1], self._ahead[0]])
            slid, off = math.hypot(x, y), math.atan2(y, x)
            best = min(best, (error, turn, speed, slid, off))
            if error < self.NEAR:
                break
            if attempt < 9:  # correct by the error
                if slid > 0.03:
                    turn -= 0.8 * min(0.6, max(-0.6, off))
                speed += (distance - slid) * (0.9 if attempt < 4 else 0.5)
            else:  # that oscillates: search around the best attempt
                _, turn, speed, slid, off = best
                turn += -0.5 * off + 0.08 * rng.normal()
                speed += 0.4 * (distance - slid) + 0.03 * rng.normal()
            speed = min(1.0, max(0.15, speed))
        self._aim(best[1], best[2])

    def _aim(self, turn: float, speed: float) -> None:
        cos, sin = math.cos(turn), math.sin(turn)
        x, y = self._ahead
        self._along, self._speed = np.array([cos * x - sin * y, sin * x + cos * y]), speed
        self._calls, self._hitting = 0, -1

    def _try(self, env: Any, seen: Observation, left: int) -> np.ndarray:
        """Where the puck lies at the end, (3,) in m."""
        data, env.data = env.data, copy.copy(env.data)
        try:
            for _ in range(left):
                seen, *_ = env.step(self.act(seen))
                if (
                    self._hitting > self.HIT + 2
                    and np.hypot(*env.data.joint("object0:joint").qvel[:2]) < 0.01
                ):
                    break
            return seen["achieved_goal"]
        finally:
            env.data = data

    def act(self, seen: Observation) -> np.ndarray:
        """The next action, float32 (4,) in -1..1; call it once per step."""
        hand, puck = seen["observation"][:3], seen["observation"][3:6]
        self._calls += 1
        if self._hitting < 0:
            place = puck[:2] - self._behind * self._along
            ready = np.hypot(*(place - hand[:2])) < 0.008 and abs(hand[2] - puck[2]) < 0.012
            if not ready and self._calls <= self.PATIENCE:
                return np.clip(_go_to(seen, place), -1.0, 1.0).astype(np.float32)
            self._hitting = 0
        self._hitting += 1
        move = (
            self._speed
            if self._hitting <= self.HIT
            else -0.3
            if self._hitting <= self.HIT + self.BACK
            else 0.0
        )
        # The bounds form a square, so along a diagonal the hand may be faster.
        full = self._along / np.abs(self._along).max()
        return np.clip([*(move * full), 0.0, 0.0], -1.0, 1.0).astype(np.float32)
