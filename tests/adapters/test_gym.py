"""The generic Gymnasium adapter: episodes, success, tasks, errors, frames and experts."""

from __future__ import annotations

from typing import Any

import levers
import numpy as np
import pytest
from levers import gymnasium, lever, spaces, store_spaces

from adapters.gym import EXPERTS, GymAdapter
from adapters.gym_task import LONGEST_EPISODE, task_for
from harness.core import BadAction, Case, Discrete, Task, UserError
from harness.testing import check_adapter

registered = levers.registered


@pytest.mark.parametrize(
    "env_id", ["CartPole-v1", "Pendulum-v1", "FrozenLake-v1", "minigrid:BabyAI-GoToLocal-v0"]
)
def test_contract(env_id: str) -> None:
    if ":" in env_id:
        pytest.importorskip("minigrid")
    check_adapter(task_for(env_id), steps=25)


def test_contract_with_success() -> None:
    task = task_for("bench-test/Drawn-v0")
    assert task.success == "once"
    check_adapter(task, seeds=range(12), steps=25, another_process=False)


def test_plays_as_the_bare_environment() -> None:
    task = task_for("CartPole-v1")
    adapter, bare = GymAdapter(task), gymnasium.make("CartPole-v1")
    for seed in (0, 1):
        case = Case(task, seed)
        step, (observation, _) = adapter.reset(case), bare.reset(seed=case.simulator_seed)
        rng, score = np.random.default_rng(seed), 0.0
        while not step.terminated:
            np.testing.assert_array_equal(step.observation["state"](), observation)
            action = int(rng.integers(2))
            step, (observation, reward, terminated, truncated, _) = (
                adapter.step(action),
                bare.step(action),
            )
            assert (step.reward, step.terminated, step.truncated) == (reward, terminated, truncated)
            score += step.reward
        assert score > 5


def test_the_environments_time_limit_truncates() -> None:
    pytest.importorskip("pygame")
    task = task_for("Pendulum-v1")
    adapter = GymAdapter(task)
    adapter.reset(Case(task, 0))
    ends = [adapter.step(np.zeros(1, np.float32)) for _ in range(200)]
    assert [step.truncated for step in ends] == [False] * 199 + [True]
    assert not any(step.terminated for step in ends)
    with pytest.raises(BadAction):
        adapter.step(np.array([9.0], np.float32))
    assert adapter.render().shape == (500, 500, 3)


def test_a_mission_is_the_instruction() -> None:
    minigrid = pytest.importorskip("minigrid")
    task = task_for("minigrid:BabyAI-GoToLocal-v0")
    adapter = GymAdapter(task)
    said = {seed: adapter.reset(Case(task, seed)).instruction for seed in range(6)}
    assert len(set(said.values())) > 1
    assert all(text.startswith("go to") for text in said.values())
    assert set(adapter.brief.observation) == {"state", "state_index"}, (
        "a grid of 7 x 7 cells is no picture"
    )
    assert adapter.brief.action == Discrete(
        7, tuple(member.name for member in minigrid.core.actions.Actions)
    )


def test_success_is_found_in_info() -> None:
    assert task_for("bench-test/Lever-v0").success == "once"
    assert task_for("bench-test/Lever-v0", {"tells": "success"}).success == "once"
    assert task_for("bench-test/Lever-v0", {"tells": "solved"}).success is None
    assert task_for("bench-test/Lever-v0", {"tells": None}, success="end").success == "end"
    assert task_for("CartPole-v1").success is None
    for success, seen in ((None, None), ("ever", False)):
        adapter = lever(success=success, tells=None)
        assert (
            adapter.reset(Case(Task("gym/lever@1", "games", "a:B", success=success), 0)).success
            is seen
        )
        assert adapter.step(0).success is seen


def test_a_tasks_id_holds_its_arguments() -> None:
    task = task_for("FrozenLake-v1", {"is_slippery": False, "map_name": "8x8"}, domain="navigation")
    assert task.id == 'gym/FrozenLake-v1+is_slippery=false+map_name="8x8"@1'
    assert (task.domain, task.max_steps, task.rule) == (
        "navigation",
        None,
        "the environment's return",
    )
    assert GymAdapter(task).brief.observation == {"state_index": Discrete(64)}
    assert GymAdapter.env_key(task) != GymAdapter.env_key(task_for("FrozenLake-v1"))
    assert task_for("bench-test/Endless-v0").max_steps == LONGEST_EPISODE


@pytest.mark.parametrize(
    ("env_id", "kwargs", "message"),
    [
        ("Cartpole-v1", {}, "did you mean gym:CartPole-v1"),
        ("CartPole", {}, "did you mean gym:CartPole-v1"),
        ("minigrid:BabyAI-GoToLocl-v0", {}, "did you mean gym:minigrid:BabyAI-GoToLocal"),
        ("minigrid:Nothing/LikeThis-v7", {}, "importing minigrid registers no environment of"),
        ("PandaReach-v3", {}, "the package panda_gym .* on import: gym:panda_gym:PandaReach-v3"),
        ("json/Decoder-v0", {}, "the package json .* on import: gym:json:json/Decoder-v0"),
        ("no_such_package_/Env-v0", {}, "name the package too: gym:PACKAGE:ID"),
        ("Qwertyuiop-v3", {}, "gym:PACKAGE:ID"),
        ("no_such_module:Thing-v0", {}, "no_such_module does not import"),
        ("bench-test/Uninstalled-v0", {}, "not installed: Box2D"),
        ("CartPole-v1", {"colour": "red"}, "unexpected keyword argument 'colour'"),
        (
            "bench-test/Lever-v0",
            {"action": spaces.Graph(spaces.Discrete(2), None)},
            "the action space Graph.* is not supported",
        ),
        (
            "bench-test/Lever-v0",
            {"observation": spaces.Dict({"a b": spaces.Discrete(2), "a_b": spaces.Discrete(2)})},
            "both be called state_index_a_b",
        ),
    ],
)
def test_what_cannot_be_played_is_named(env_id: str, kwargs: dict[str, Any], message: str) -> None:
    kwargs = store_spaces(kwargs)
    with pytest.raises(UserError, match=message):
        GymAdapter(
            Task("gym/x@1", "games", "adapters.gym:GymAdapter", {"id": env_id, "kwargs": kwargs})
        )
    if not kwargs:
        with pytest.raises(UserError, match=message):
            task_for(env_id)


def test_a_missing_package_is_named() -> None:
    assert GymAdapter.missing() is None
    assert GymAdapter.missing(task_for("CartPole-v1")) is None
    missing = GymAdapter.missing(
        Task("gym/x@1", "games", "adapters.gym:GymAdapter", {"id": "no_such_module.envs:Thing-v0"})
    )
    assert missing is not None
    assert "no_such_module" in missing.reason
    assert "no_such_module" in missing.remedy


def test_frames_for_people() -> None:
    drawn, undrawable, blind = lever("Drawn"), lever("Undrawable"), lever()
    for adapter in (drawn, undrawable, blind):
        adapter.reset(Case(Task("gym/lever@1", "games", "a:B"), 0))
    assert drawn.render().shape == (8, 12, 3)
    with pytest.raises(UserError, match="pygame is not installed"):
        undrawable.render()
    with pytest.raises(UserError, match="draws no frames"):
        blind.render()


@pytest.mark.parametrize("env_id", EXPERTS)
def test_experts_solve_their_games(env_id: str) -> None:
    task = task_for(env_id)
    adapter, returns = GymAdapter(task), []
    for seed in range(100):
        step, total, executed = adapter.reset(Case(task, seed)), 0.0, None
        while not (step.terminated or step.truncated):
            executed = adapter.expert(executed)
            step = adapter.step(executed)
            total += step.reward
        returns.append(total)
    assert np.mean(returns) >= gymnasium.spec(env_id).reward_threshold
    assert min(returns) >= {"CartPole-v1": 500, "MountainCar-v0": -125}[env_id]


def test_only_two_games_with_their_own_arguments_have_an_expert() -> None:
    assert GymAdapter.has_expert(task_for("CartPole-v1"))
    for task in (task_for("CartPole-v1", {"sutton_barto_reward": True}), task_for("Acrobot-v1")):
        assert not GymAdapter.has_expert(task)
        adapter = GymAdapter(task)
        adapter.reset(Case(task, 0))
        with pytest.raises(UserError, match="has no expert"):
            adapter.expert(None)
    check_adapter(task_for("MountainCar-v0"), steps=25)
