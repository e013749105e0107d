"""`gym:ID?KEY=VALUE`: a Gymnasium environment with settings of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from conftest import Said
from levers import registered

from adapters.gym import GymAdapter
from adapters.gym_task import LONGEST_EPISODE, task_named
from harness.core import Case, Normaliser, UserError
from harness.records.stored_run import load_run

__all__ = ["registered"]

Bench = Callable[..., Said]
LATE = "bench-test/Lever-v0"


def test_every_setting_arrives() -> None:
    task = task_named(
        "FrozenLake-v1?kwargs.map_name=8x8&kwargs.is_slippery=false&success=none&domain=navigation"
        "&max_steps=50&low=0&high=2.5&fresh=true"
    )
    assert task.id == 'gym/FrozenLake-v1+is_slippery=false+map_name="8x8"@1'
    assert task.params == {
        "id": "FrozenLake-v1",
        "kwargs": {"map_name": "8x8", "is_slippery": False},
        "fresh": True,
    }
    assert (task.domain, task.max_steps, task.success) == ("navigation", 50, None)
    assert task.normaliser == Normaliser(0, 2.5, "low", "high")
    assert task_named("CartPole-v1").max_steps is None
    assert task_named("bench-test/Endless-v0").max_steps == LONGEST_EPISODE


@pytest.mark.parametrize("rule", ["once", "ever", "end"])
def test_a_rule_and_the_key_of_success(rule: str) -> None:
    task = task_named(f"{LATE}?success={rule}&success_key=is_success")
    assert (task.success, task.params["success_key"]) == (rule, "is_success")
    assert "its success" in task.rule


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("CartPole-v1?sucess=once", "no setting 'sucess'; did you mean success"),
        ("CartPole-v1?render_fps=3", "written kwargs.render_fps=VALUE"),
        ("CartPole-v1?success", "write gym:ID"),
        ("CartPole-v1?success=sometimes", "success"),
        ("CartPole-v1?domain=chess", "domain"),
        ("CartPole-v1?max_steps=-3", "max_steps"),
        ("CartPole-v1?low=1", "needs low and high"),
        ("CartPole-v1?low=1&high=1", "two scores"),
        ("CartPole-v1?max_steps=many", "max_steps"),
    ],
)
def test_a_wrong_setting_is_named(name: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        task_named(name)


def test_a_horizon_beyond_the_environments_limit_is_played() -> None:
    long = task_named("MountainCar-v0?max_steps=700")
    assert GymAdapter.env_key(long) != GymAdapter.env_key(task_named("MountainCar-v0"))
    adapter = GymAdapter(long)
    step = adapter.reset(Case(long, 0))
    for _ in range(699):
        step = adapter.step(1)
        assert not step.truncated
    assert adapter.step(1).truncated


def test_a_run_with_settings_is_verified(bench_here: Bench) -> None:
    suite = "gym:CartPole-v1?max_steps=20&success=none"
    words = ("run", "--agent", "uniform", "--suite", suite, "--workers", 0, "--episodes", 4)
    said = bench_here(*words, "--out", "run")
    assert said.code == 0, said
    assert all(each.steps <= 20 for each in load_run("run").results())
    said = bench_here("verify", "run", "--sample", "all")
    assert said.code == 0, said.out
