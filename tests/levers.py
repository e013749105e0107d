"""A Gymnasium environment with any spaces, and the adapter around it; skips where Gymnasium is not.

`registered` is a fixture, which a test module takes over by naming it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pytest

from adapters.gym import GymAdapter
from harness.core import Task

gymnasium = pytest.importorskip("gymnasium")
spaces = gymnasium.spaces

SPACES: dict[str, Any] = {}
"""Spaces by their repr, which is what a task's params hold: they must be JSON."""


class Lever(gymnasium.Env):
    """Pull the lever that the seed has chosen, of three numbered from 5.

    `observation` and `action` name spaces in SPACES; `tells` is the key of success in `info`.
    """

    def __init__(
        self,
        observation: Any = None,
        action: Any = None,
        tells: str | None = "is_success",
        render_mode: str | None = None,
    ) -> None:
        self.observation_space = (
            spaces.Discrete(3, start=5) if observation is None else SPACES[observation]
        )
        self.action_space = spaces.Discrete(3, start=5) if action is None else SPACES[action]
        self.tells = tells
        self.render_mode = render_mode
        self.pulled: Any = None

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.wanted = int(self.np_random.integers(5, 8))
        self.observation_space.seed(seed)
        return self._look(False)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert action in self.action_space, action
        self.pulled = action
        done = isinstance(self.action_space, spaces.Discrete) and action == self.wanted
        return self._look(done)[0], float(done), False, False, self._look(done)[1]

    def _look(self, done: bool) -> tuple[Any, dict[str, Any]]:
        plain = isinstance(self.observation_space, spaces.Discrete)
        return self.wanted if plain else self.observation_space.sample(), {
            self.tells: np.bool_(done)
        } if self.tells else {}


class Drawn(Lever):
    """A Lever that draws itself."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 10}

    def render(self) -> np.ndarray:
        picture = np.zeros((8, 12, 3), np.uint8)
        picture[:, : self.wanted] = 255
        return picture


class Undrawable(Drawn):
    """A Lever whose pictures need a package that is not installed."""

    def render(self) -> np.ndarray:
        raise gymnasium.error.DependencyNotInstalled("pygame is not installed")


class Uninstalled(Lever):
    """A Lever that needs a package that is not installed."""

    def __init__(self, **arguments: Any) -> None:
        raise gymnasium.error.DependencyNotInstalled(
            "Box2D is not installed, run `pip install box2d`"
        )


@pytest.fixture(autouse=True, scope="module")
def registered() -> Iterator[None]:
    """Lever and its variants are known to Gymnasium as bench-test/NAME-v0."""
    names = {
        f"bench-test/{form.__name__}-v0": form for form in (Lever, Drawn, Undrawable, Uninstalled)
    }
    for name, form in names.items():
        gymnasium.register(name, form, max_episode_steps=20)
    gymnasium.register("bench-test/Endless-v0", Lever)
    yield
    for name in (*names, "bench-test/Endless-v0"):
        del gymnasium.registry[name]


def lever(name: str = "Lever", success: str | None = "once", **kwargs: Any) -> GymAdapter:
    """An adapter around a Lever with these arguments."""
    params = {"id": f"bench-test/{name}-v0", "kwargs": store_spaces(kwargs)}
    return GymAdapter(
        Task("gym/lever@1", "games", "adapters.gym:GymAdapter", params, success=success)
    )


def store_spaces(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Put every space into SPACES and its name into the arguments."""
    names = {
        key: repr(value) if isinstance(value, spaces.Space) else value
        for key, value in kwargs.items()
    }
    SPACES.update(
        {names[key]: value for key, value in kwargs.items() if isinstance(value, spaces.Space)}
    )
    return names
