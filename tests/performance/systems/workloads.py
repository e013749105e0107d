"""What is measured: four fixed sets of episodes, the same for every runner.

An episode is an integer index. It alone fixes the environment, the initial state and the policy's
random stream, so two runners that keep episode identity return identical outcomes.

    W1  200 x BabyAI-GoToLocal-v0, random actions                         (fast environment)
    W2    8 x ALE/Pong-v5, frameskip 4, at most 1000 steps, random actions   (100 kB frames)
    W3   40 = 4 Meta-World tasks x 10, scripted expert, stop at success or 500 steps  (MuJoCo)
    W4   64 x BabyAI-GoTo-v0, random actions from one simulated accelerator, which takes 5 ms for
         a batch and 0.05 ms for each observation
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

SERVER_BATCH = 32
SERVER_CALL_S = 0.005
SERVER_OBSERVATION_S = 0.00005


@dataclass(frozen=True)
class Workload:
    name: str
    tasks: tuple[str, ...]
    """Environment ids; episode index i belongs to tasks[i // per_task]."""
    per_task: int
    actions: int
    """Number of discrete actions; 0 for a continuous action of size 4 in [-1, 1]."""
    shape: tuple[int, ...]
    """Shape of the observation that the policy receives (uint8, or float64 for W3)."""
    served: bool = False
    """The policy sits behind the simulated accelerator."""

    @property
    def episodes(self) -> int:
        return len(self.tasks) * self.per_task

    def seed(self, index: int) -> int:
        """The episode that an index stands for: those past the last one are played again."""
        return index % self.episodes

    def task(self, index: int) -> str:
        return self.tasks[self.seed(index) // self.per_task]


WORKLOADS = {
    w.name: w
    for w in (
        Workload("W1", ("BabyAI-GoToLocal-v0",), 200, 7, (7, 7, 3)),
        Workload("W2", ("ALE/Pong-v5",), 8, 6, (210, 160, 3)),
        Workload(
            "W3", ("reach-v3", "door-open-v3", "pick-place-v3", "drawer-close-v3"), 10, 0, (39,)
        ),
        Workload("W4", ("BabyAI-GoTo-v0",), 64, 7, (7, 7, 3), served=True),
    )
}


@dataclass(frozen=True)
class Outcome:
    index: int
    steps: int
    score: int
    """Success as 0 or 1; in W2 the undiscounted return."""


def digest(outcomes: Sequence[Outcome]) -> str:
    """Twelve hex digits over sorted [index, steps, score]: equal if all episodes came out equal."""
    rows = sorted([o.index, o.steps, o.score] for o in outcomes)
    return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()[:12]


class Simulator:
    """One lane: plays the episodes of a workload one after another in this process.

    Environments are built here, before the first reset, one for each task in `indices`.
    """

    def __init__(self, workload: Workload, indices: Sequence[int]) -> None:
        self.workload = workload
        self.score = 0
        self.steps = 0
        self._built = {
            task: _build(task) for task in dict.fromkeys(workload.task(i) for i in indices)
        }
        self._env: Any = None

    def reset(self, index: int) -> np.ndarray:
        task = self.workload.task(index)
        self._env, starts = self._built[task]
        self.score = self.steps = 0
        if starts:
            self._env.set_task(starts[index % self.workload.per_task])
        observation, _ = self._env.reset(seed=self.workload.seed(index))
        return observation["image"] if isinstance(observation, dict) else observation

    def step(self, action: Any) -> tuple[np.ndarray, bool]:
        """Return the next observation and whether the episode is over."""
        observation, reward, terminated, truncated, info = self._env.step(action)
        self.steps += 1
        if self.workload.actions == 0:
            self.score = int(info["success"])
            return observation, bool(self.score or terminated or truncated or self.steps >= 500)
        if isinstance(observation, dict):
            self.score = int(reward > 0)
            return observation["image"], terminated or truncated
        self.score += int(reward)
        return observation, terminated or truncated


def _build(task: str) -> tuple[Any, list[Any]]:
    """An environment, and its fixed initial states where the seed alone does not choose them."""
    import gymnasium

    if task.startswith("ALE/"):
        import ale_py

        gymnasium.register_envs(ale_py)
        return gymnasium.make(
            task, frameskip=4, max_episode_steps=1000, disable_env_checker=True
        ), []
    if task.startswith("BabyAI"):
        import minigrid  # noqa: F401  (registers the ids)

        return gymnasium.make(task, disable_env_checker=True), []
    import metaworld

    suite = metaworld.MT1(task, seed=42)
    return suite.train_classes[task](), suite.train_tasks


class Policy:
    """The policy of one lane: random actions, or the scripted expert of the episode's task."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self._experts: dict[str, Any] = {}
        self._expert: Any = None
        self._stream = np.random.default_rng(0)

    def start(self, index: int) -> None:
        if self.workload.actions:
            self._stream = np.random.default_rng(self.workload.seed(index))
            return
        task = self.workload.task(index)
        if task not in self._experts:
            self._experts[task] = _expert(task)
        self._expert = self._experts[task]

    def act(self, observation: np.ndarray) -> Any:
        if self.workload.actions:
            return int(self._stream.integers(self.workload.actions))
        return self._expert.get_action(observation)


def _expert(task: str) -> Any:
    import warnings

    from metaworld import policies

    warnings.filterwarnings("ignore", message=".*Constant")
    stem = "".join(part.capitalize() for part in task.removesuffix("-v3").split("-"))
    return getattr(policies, f"Sawyer{stem}V3Policy")()


def accelerator_s(observations: int) -> float:
    """Seconds that the simulated accelerator takes for so many observations, 32 in a batch."""
    calls = -(-observations // SERVER_BATCH)
    return SERVER_CALL_S * calls + SERVER_OBSERVATION_S * observations


def accelerator(observations: int) -> None:
    """Wait for the simulated accelerator; the CPU stays free meanwhile."""
    time.sleep(accelerator_s(observations))


def shares(episodes: int, lanes: int) -> list[list[int]]:
    """Consecutive indices for each lane, lane i getting (episodes + i) // lanes of them."""
    sizes = [(episodes + i) // lanes for i in range(lanes)]
    ends = np.cumsum(sizes)
    return [list(range(int(end) - size, int(end))) for end, size in zip(ends, sizes)]
