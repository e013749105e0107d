"""A gymnasium environment that plays a fixed list of episodes, one for each reset.

With autoreset nobody chooses the next episode, so the lane does: this keeps gymnasium and
Stable-Baselines3 on exactly the episodes of the other runners. After its list a lane keeps stepping
its last episode, as any autoreset environment would.
"""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np
from workloads import Policy, Simulator, Workload


class Lane(gymnasium.Env):
    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}
    render_mode = None

    def __init__(self, workload: Workload, indices: list[int]) -> None:
        low, high, kind = (0, 255, np.uint8) if workload.actions else (-np.inf, np.inf, np.float64)
        self.observation_space = gymnasium.spaces.Box(low, high, workload.shape, kind)
        self.action_space = (
            gymnasium.spaces.Discrete(workload.actions)
            if workload.actions
            else gymnasium.spaces.Box(-np.inf, np.inf, (4,), np.float64)
        )
        self._simulator = Simulator(workload, indices)
        self._indices = indices
        self._next = 0
        self._score = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict]:
        index = self._indices[min(self._next, len(self._indices) - 1)]
        self._next += 1
        self._score = 0
        return self._simulator.reset(index), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict]:
        observation, done = self._simulator.step(action)
        gained, self._score = self._simulator.score - self._score, self._simulator.score
        return observation, float(gained), done, False, {}


class LanePolicies:
    """The policies of all lanes, following each lane through its list of episodes."""

    def __init__(self, workload: Workload, lists: list[list[int]]) -> None:
        self._lists = lists
        self._position = [-1] * len(lists)
        self._policies = [Policy(workload) for _ in lists]

    def index(self, lane: int) -> int:
        return self._lists[lane][min(self._position[lane], len(self._lists[lane]) - 1)]

    def left(self, lane: int) -> bool:
        """Whether the lane is still inside its list."""
        return self._position[lane] < len(self._lists[lane])

    def next(self, lane: int) -> None:
        self._position[lane] += 1
        self._policies[lane].start(self.index(lane))

    def act(self, lane: int, observation: np.ndarray) -> Any:
        return self._policies[lane].act(observation)
