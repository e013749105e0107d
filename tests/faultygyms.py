"""Environments with Gymnasium's interface that fail when they are first used, each in its own way.

Importing this module registers them as first/NAME-v0.
"""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np
import pytest

gymnasium: Any = pytest.importorskip("gymnasium")
spaces = gymnasium.spaces

FORMS: list[type] = []


class Count(gymnasium.Env):  # type: ignore[misc]
    """Counts to five; `x` is drawn at the reset."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}
    observation_space = spaces.Box(-10, 10, (2,), np.float32)
    action_space = spaces.Discrete(2)

    def __init_subclass__(cls) -> None:
        FORMS.append(cls)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.t, self.x = 0, float(self.np_random.uniform(-1, 1))
        return self._look(), {}

    def step(self, action: Any) -> Any:
        self.t += 1
        return self._look(), 1.0, self.t >= 5, False, {}

    def _look(self) -> np.ndarray:
        return np.array([self.t, self.x], np.float32)


class Plain(Count):
    """Without a fault."""


class NoSeed(Count):
    """gym 0.21."""

    def reset(self) -> Any:  # type: ignore[override]
        return super().reset()[0]


class BareReset(Count):
    """Takes the seed, and returns the observation alone; it has two elements, like a pair."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return super().reset(seed=seed)[0]


class FourValues(Count):
    """A step of gym before 0.26."""

    def step(self, action: Any) -> Any:
        observation, reward, done, _, info = super().step(action)
        return observation, reward, done, info


class TwoRewards(Count):
    """A vector of rewards."""

    def step(self, action: Any) -> Any:
        observation, _, done, cut, info = super().step(action)
        return observation, np.array([1.0, 2.0]), done, cut, info


class Asks(Count):
    """Asks a person."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        input("download? ")
        return super().reset(seed=seed)


class Leaves(Count):
    """Ends the process in its constructor."""

    def __init__(self) -> None:
        raise SystemExit(0)


class Hangs(Count):
    """Waits for something that never comes."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        time.sleep(1000)


class Raises(Count):
    """Raises what is no Exception."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        raise GeneratorExit("no window")


class LeavesLater(Count):
    """Ends the process at its third step."""

    def step(self, action: Any) -> Any:
        if self.t == 2:
            raise SystemExit(0)
        return super().step(action)


class EndsAtOnce(Count):
    """Over after one step."""

    def step(self, action: Any) -> Any:
        self.t = 4
        return super().step(action)


class NoPictures(Count):
    """Promises pictures, and its constructor takes no render_mode."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 4}

    def __init__(self) -> None:
        pass


class HandsOn(NoPictures):
    """Takes any keyword, and hands it on to a constructor that takes none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)


class WrongPart(NoPictures):
    """Has a fault of its own where it takes no pictures."""

    def __init__(self, size: int = 3) -> None:
        self.size = size + "x"  # type: ignore[operator]


class SolvedAlways(Count):
    """Solved at every start."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return super().reset(seed=seed)[0], {"is_success": True}

    def step(self, action: Any) -> Any:
        return (*super().step(action)[:4], {"is_success": True})


class SolvedSometimes(Count):
    """Solved at about a quarter of its starts."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        observation, _ = super().reset(seed=seed)
        return observation, {"is_success": self.x > 0.5}

    def step(self, action: Any) -> Any:
        return (*super().step(action)[:4], {"is_success": self.t >= 5})


for form in FORMS:
    gymnasium.register(f"first/{form.__name__}-v0", form, max_episode_steps=20)
