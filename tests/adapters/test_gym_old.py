"""Environments of the old package gym are named as such, with the remedy in the same line."""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import levers
import pytest
from levers import Lever, gymnasium

from adapters._gym_interface import WrongInterface, behind, make, registered, reset
from adapters.gym import GymAdapter
from adapters.gym_task import task_for
from harness.core import Task, UserError

registered_levers = levers.registered
REGISTRIES: list[Any] = [
    {"Old-v0": object(), "CrafterReward-v1": object()},
    SimpleNamespace(env_specs={"Old-v0": object(), "CrafterReward-v1": object()}),
]


@pytest.fixture(params=REGISTRIES, ids=["0.26", "0.21"])
def old_gym(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package gym that some package has imported."""
    module = ModuleType("gym")
    module.envs = SimpleNamespace(registry=request.param)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gym", module)


def test_an_id_of_the_old_package_is_played_through_shimmy(old_gym: None) -> None:
    with pytest.raises(UserError) as refused:
        task_for("json:Old-v0")
    assert str(refused.value) == (
        "gym:json:Old-v0: Old-v0 is registered with the old package gym, not with Gymnasium; play "
        "it through Shimmy: gym:shimmy:GymV21Environment-v0?kwargs.env_id=json:Old-v0 (pip install "
        "shimmy 'gym==0.26.2' 'numpy<2')"
    )
    with pytest.raises(UserError, match=r"env_id=Old-v0 \(pip"):
        registered("Old-v0")


@pytest.mark.skipif(importlib.util.find_spec("crafter") is None, reason="crafter is not installed")
def test_crafter_has_a_suite_with_and_without_the_old_package(
    request: pytest.FixtureRequest,
) -> None:
    words = "bench plays it as a family of its own: --suite crafter"
    with pytest.raises(UserError, match=f"knows no environment CrafterReward-v1; {words}"):
        task_for("crafter:CrafterReward-v1")
    request.getfixturevalue("monkeypatch").setitem(
        sys.modules, "gym", SimpleNamespace(envs=SimpleNamespace(registry=REGISTRIES[0]))
    )
    with pytest.raises(UserError, match=f"old package gym, not with Gymnasium; {words}"):
        task_for("crafter:CrafterReward-v1")


def test_a_module_that_needs_the_old_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_old_gym.py").write_text("import gym\n")
    monkeypatch.setitem(sys.modules, "gym", None)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match=r"needs the old package gym: pip install shimmy 'gym=="):
        task_for("needs_old_gym:Thing-v0")


class NoEnv:
    """An environment of nobody."""


@pytest.fixture
def foreign() -> Iterator[None]:
    """Classes that derive from no gymnasium.Env, as old gym's do."""
    old = type("Env", (), {"__module__": "gym.core"})
    names = {"bench-test/NoEnv-v0": NoEnv, "bench-test/OldEnv-v0": type("Mine", (old,), {})}
    for name, form in names.items():
        gymnasium.register(name, form)
    yield
    for name in names:
        del gymnasium.registry[name]


@pytest.mark.parametrize("name", ["NoEnv", "OldEnv"])
def test_a_class_of_another_package_is_a_row_with_the_remedy(foreign: None, name: str) -> None:
    with pytest.raises(WrongInterface, match=r"derive from gymnasium\.Env; wrap it"):
        make(f"bench-test/{name}-v0", {})
    task = task_for(f"bench-test/{name}-v0")
    assert task.adapter == "adapters.gym:UnstartableEnvironment"
    assert "GymV21CompatibilityV0" in task.params["remedy"]


class Unseeded(Lever):
    """As Shimmy's wrapper around an environment of old gym without seed()."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.wrapped = object()
        return self.wrapped.seed(seed)  # type: ignore[attr-defined]


class Forgetful(Lever):
    """Has a fault of its own that looks similar."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return self.seedling  # type: ignore[attr-defined]


def test_an_environment_that_cannot_be_seeded_is_named() -> None:
    with pytest.raises(WrongInterface, match=r"neither reset\(seed=...\) nor seed\(\): no episode"):
        reset(Unseeded(), 0)
    with pytest.raises(AttributeError, match="seedling"):
        reset(Forgetful(), 0)


def test_what_shimmy_wraps_is_part_of_the_identity() -> None:
    old = {"env_id": "some.module:Old-v0"}
    assert behind("shimmy:GymV21Environment-v0", old) == ("gym", "some.module")
    assert behind("shimmy:GymV26Environment-v0", {"env_id": "CartPole-v1"}) == ("gym",)
    assert behind("shimmy:dm_control/reacher-easy-v0", {}) == ("dm_control", "mujoco")
    assert behind("CartPole-v1", old) == ()
    gymnasium.register("bsuite/catch-v0", functools.partial(Lever, tells=None))
    try:
        task = Task("gym/x@1", "games", "adapters.gym:GymAdapter", {"id": "bsuite/catch-v0"})
        assert GymAdapter.modules(task)[-2:] == ("levers", "bsuite")
    finally:
        del gymnasium.registry["bsuite/catch-v0"]


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("dm_control/cartpole-swingup-v0", "shimmy"),
        ("FlappyBird-v0", "flappy_bird_gymnasium"),
    ],
)
def test_packages_that_register_on_import_are_named(name: str, package: str) -> None:
    with pytest.raises(UserError, match=f"on import: gym:{package}:{name}"):
        task_for(name)
