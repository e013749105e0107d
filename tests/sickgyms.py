"""Gymnasium environments whose starts do not follow from the seed. Registered as sick/NAME-v0."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

gymnasium: Any = pytest.importorskip("gymnasium")
spaces = gymnasium.spaces


class Seeded(gymnasium.Env):  # type: ignore[misc]
    """Does as it should."""

    observation_space = spaces.Box(-1, 1, (2,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self) -> None:
        self.resets = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.resets += 1
        self.t, self.x = 0, self.start()
        return self.x.copy(), {}

    def start(self) -> Any:
        return self.np_random.uniform(-1, 1, 2).astype(np.float32)

    def step(self, action: Any) -> Any:
        self.t += 1
        return self.x.copy(), 1.0, self.t >= 3, False, {}


class GlobalRandom(Seeded):
    """Draws from numpy's global generator."""

    def start(self) -> Any:
        return np.random.uniform(-1, 1, 2).astype(np.float32)


class Leftovers(Seeded):
    """What a reset gives depends on how often this environment was reset before."""

    def start(self) -> Any:
        return super().start() / self.resets


class Numbered(Seeded):
    """What a reset gives depends on how many of these were made before."""

    made = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).made += 1
        self.number = self.made

    def start(self) -> Any:
        return super().start() / self.number


for form in (Seeded, GlobalRandom, Leftovers, Numbered):
    gymnasium.register(f"sick/{form.__name__}-v0", form)
