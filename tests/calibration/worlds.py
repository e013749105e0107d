"""Simulated agents: an outcome is a Bernoulli variable with its own rate in each task.

In a share `common` of the cases both agents share the random draw, so that pairs are correlated.
Everything is drawn from fixed seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["WORLDS", "World", "lowered"]


@dataclass(frozen=True)
class World:
    """Tasks, and two agents' rates on them."""

    name: str
    base: np.ndarray
    new: np.ndarray
    episodes: int
    common: float = 0.5

    @property
    def difference(self) -> float:
        return float((self.new - self.base).mean())

    def draw(self, runs: int, seed: int = 1, episodes: int | None = None) -> np.ndarray:
        """Paired differences, shape (runs, episodes, tasks)."""
        rng = np.random.default_rng(seed)
        shape = (runs, episodes or self.episodes, len(self.base))
        drawn = rng.random(shape)
        other = np.where(rng.random(shape) < self.common, drawn, rng.random(shape))
        return (other < self.new).astype(np.int8) - (drawn < self.base).astype(np.int8)


def lowered(base: Sequence[float] | np.ndarray, loss: float) -> np.ndarray:
    """Rates that are `loss` lower on average, as evenly as rates can be."""
    rates = np.array(base, dtype=float)
    for _ in range(20):
        left = loss - (np.asarray(base) - rates).mean()
        open_ = rates > 0 if left > 0 else rates < 1
        if abs(left) < 1e-12 or not open_.any():
            break
        rates[open_] = np.clip(rates[open_] - left * len(rates) / open_.sum(), 0, 1)
    return rates


SPREAD = np.linspace(0.1, 0.9, 10)
HIGH, LOW = np.full(10, 0.98), np.full(10, 0.02)
WORLDS = {
    "10 tasks, rates 0.1 to 0.9, 50 episodes": (SPREAD, 50),
    "10 tasks, rates 0.98, 50 episodes": (HIGH, 50),
    "10 tasks, rates 0.02, 50 episodes": (LOW, 50),
    "2 tasks, rates 0.3 and 0.95, 50 episodes": (np.array([0.3, 0.95]), 50),
    "50 tasks, rates 0.5 to 1, 20 episodes": (np.linspace(0.5, 1, 50), 20),
    "1 task, rate 0.6, 100 episodes": (np.array([0.6]), 100),
}
