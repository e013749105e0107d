"""The generic adapter against real Gymnasium environments, and one of our own with every kind of space."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pytest

from adapters.gym import EXPERTS, LONGEST_EPISODE, GymAdapter, task_for
from harness.core import BadAction, Box, Case, Discrete, MultiDiscrete, Spec, Task, Text, UserError
from harness.testing import check_adapter

gymnasium = pytest.importorskip("gymnasium")
spaces = gymnasium.spaces


SPACES: dict[str, Any] = {}
"""The spaces that tasks name."""


class Lever(gymnasium.Env):
    """Pull the lever that the seed has chosen, of three numbered from 5; observations and actions in whatever spaces are asked for."""

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
    """The same with pictures of itself."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 10}

    def render(self) -> np.ndarray:
        picture = np.zeros((8, 12, 3), np.uint8)
        picture[:, : self.wanted] = 255
        return picture


class Undrawable(Drawn):
    """An environment whose pictures need what is not there."""

    def render(self) -> np.ndarray:
        raise gymnasium.error.DependencyNotInstalled("pygame is not installed")


class Homeless(Lever):
    """An environment that needs what is not there."""

    def __init__(self, **arguments: Any) -> None:
        raise gymnasium.error.DependencyNotInstalled(
            "Box2D is not installed, run `pip install box2d`"
        )


@pytest.fixture(autouse=True, scope="module")
def registered() -> Iterator[None]:
    names = {
        f"bench-test/{form.__name__}-v0": form for form in (Lever, Drawn, Undrawable, Homeless)
    }
    for name, form in names.items():
        gymnasium.register(name, form, max_episode_steps=20)
    gymnasium.register("bench-test/Endless-v0", Lever)
    yield
    for name in (*names, "bench-test/Endless-v0"):
        del gymnasium.registry[name]


def lever(name: str = "Lever", success: str | None = "once", **kwargs: Any) -> GymAdapter:
    """An adapter around a Lever. Spaces are no JSON: the task names them."""
    params = {"id": f"bench-test/{name}-v0", "kwargs": named(kwargs)}
    return GymAdapter(
        Task("gym/lever@1", "games", "adapters.gym:GymAdapter", params, success=success)
    )


def named(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The same with a name in place of every space."""
    names = {
        key: repr(value) if isinstance(value, spaces.Space) else value
        for key, value in kwargs.items()
    }
    SPACES.update(
        {names[key]: value for key, value in kwargs.items() if isinstance(value, spaces.Space)}
    )
    return names


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


def test_own_time_limit_truncates() -> None:
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


def test_mission_is_the_instruction() -> None:
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


def test_start_of_discrete_spaces_is_taken_off() -> None:
    adapter = lever()
    env = adapter._env.unwrapped
    assert adapter.brief.action == Discrete(3)
    assert adapter.brief.observation == {"state_index": Discrete(3)}
    successes = set()
    for seed in range(10):
        step = adapter.reset(Case(Task("gym/lever@1", "games", "a:B"), seed))
        target = step.observation["state_index"]()
        assert env.wanted == target + 5
        for action in range(3):
            step = adapter.step(action)
            assert env.pulled == action + 5
            assert (step.success, step.reward) == (action == target, action == target)
        successes.add(target)
    assert successes == {0, 1, 2}


def test_success() -> None:
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


def test_task() -> None:
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
    ("space", "views"),
    [
        (spaces.Box(0, 255, (20, 30, 3), np.uint8), {"image": Box((20, 30, 3), "uint8", 0, 255)}),
        (spaces.Box(0, 255, (20, 30, 1), np.uint8), {"state": Box((20, 30, 1), "uint8", 0, 255)}),
        (
            spaces.Box(np.array([0.0, -1.0]), np.array([1.0, 1.0]), dtype=np.float64),
            {"state": Box((2,), "float64", (0.0, -1.0), 1.0)},
        ),
        (spaces.MultiBinary((2, 2)), {"state": Box((2, 2), "int8", 0, 1)}),
        (
            spaces.MultiDiscrete([[2, 3], [4, 5]], start=[[1, 1], [1, 1]]),
            {"state_index": MultiDiscrete((2, 3, 4, 5))},
        ),
        (spaces.Text(7), {"text": Text(7)}),
        (
            spaces.Tuple([spaces.Discrete(2), spaces.Discrete(4, start=-2)]),
            {"state_index_0": Discrete(2), "state_index_1": Discrete(4)},
        ),
        (
            spaces.Dict(
                {
                    "camera left": spaces.Box(0, 255, (16, 16, 3), np.uint8),
                    "camera right": spaces.Box(0, 255, (16, 18, 3), np.uint8),
                    "arm": spaces.Dict(
                        {"angles": spaces.Box(-1, 1, (2,)), "speed": spaces.Box(-1, 1, ())}
                    ),
                    "instruction": spaces.Text(5),
                    "note": spaces.Text(9),
                }
            ),
            {
                "image_camera_left": Box((16, 16, 3), "uint8", 0, 255),
                "image_camera_right": Box((16, 18, 3), "uint8", 0, 255),
                "state_arm_angles": Box((2,), "float32", -1, 1),
                "state_arm_speed": Box((), "float32", -1, 1),
                "text_note": Text(9),
            },
        ),
    ],
    ids=["image", "one channel", "bounds", "bits", "choices", "text", "tuple", "dict"],
)
def test_observation_spaces(space: Any, views: dict[str, Spec]) -> None:
    adapter = lever(observation=space)
    assert adapter.brief.observation == views
    for seed in range(3):
        step = adapter.reset(Case(Task("gym/lever@1", "games", "a:B"), seed))
        for name, spec in views.items():
            assert spec.problem(step.observation[name]()) is None
        assert ("text_note" in views) == (step.instruction != "")
    first = adapter.state()
    adapter.reset(Case(Task("gym/lever@1", "games", "a:B"), 9))
    assert adapter.state() != first


def test_views_are_copies() -> None:
    adapter = lever(observation=spaces.Box(-1, 1, (2,)))
    step = adapter.reset(Case(Task("gym/lever@1", "games", "a:B"), 0))
    seen = step.observation["state"]()
    kept = seen.copy()
    adapter._observed[:] = 7
    np.testing.assert_array_equal(seen, kept)


@pytest.mark.parametrize(
    ("space", "spec", "action", "passed"),
    [
        (
            spaces.Box(-2, 2, (2,), np.float64),
            Box((2,), "float64", -2, 2),
            np.array([1, -2]),
            np.array([1.0, -2.0]),
        ),
        (spaces.Discrete(2, start=-1), Discrete(2), 1, 0),
        (
            spaces.MultiDiscrete([[2], [3]], start=[[0], [4]]),
            MultiDiscrete((2, 3)),
            np.array([1, 2]),
            np.array([[1], [6]]),
        ),
        (
            spaces.MultiBinary((1, 2)),
            MultiDiscrete((2, 2)),
            np.array([0, 1]),
            np.array([[0, 1]], np.int8),
        ),
        (spaces.Text(4), Text(4), "go", "go"),
    ],
    ids=["box", "discrete", "choices", "bits", "text"],
)
def test_action_spaces(space: Any, spec: Spec, action: Any, passed: Any) -> None:
    adapter = lever(action=space)
    assert adapter.brief.action == spec
    adapter.reset(Case(Task("gym/lever@1", "games", "a:B"), 0))
    adapter.step(action)
    pulled = adapter._env.unwrapped.pulled
    np.testing.assert_array_equal(pulled, passed)
    assert pulled in space


def test_names_of_actions() -> None:
    ale_py = pytest.importorskip("ale_py")
    gymnasium.register_envs(ale_py)
    task = task_for("ale_py:ALE/Pong-v5")
    adapter = GymAdapter(task)
    assert adapter.brief.action == Discrete(
        6, ("NOOP", "FIRE", "RIGHT", "LEFT", "RIGHTFIRE", "LEFTFIRE")
    )
    assert adapter.reset(Case(task, 0)).observation["image"]().shape == (210, 160, 3)


@pytest.mark.parametrize(
    ("env_id", "kwargs", "message"),
    [
        ("Cartpole-v1", {}, "did you mean CartPole-v1"),
        ("CartPole", {}, "did you mean CartPole-v1"),
        ("Qwertyuiop-v3", {}, "gym:PACKAGE:ID"),
        ("no_such_module:Thing-v0", {}, "no_such_module does not import"),
        ("bench-test/Homeless-v0", {}, "not installed: Box2D"),
        ("CartPole-v1", {"colour": "red"}, "unexpected keyword argument 'colour'"),
        (
            "bench-test/Lever-v0",
            {"action": spaces.Dict({"a": spaces.Discrete(2)})},
            "the action space Dict",
        ),
        (
            "bench-test/Lever-v0",
            {"observation": spaces.Dict({"g": spaces.Sequence(spaces.Discrete(2))})},
            r"Sequence\(.* under g is not supported",
        ),
        (
            "bench-test/Lever-v0",
            {"observation": spaces.Dict({"a b": spaces.Discrete(2), "a_b": spaces.Discrete(2)})},
            "both be called state_index_a_b",
        ),
    ],
)
def test_what_will_not_do(env_id: str, kwargs: dict[str, Any], message: str) -> None:
    kwargs = named(kwargs)
    with pytest.raises(UserError, match=message):
        GymAdapter(
            Task("gym/x@1", "games", "adapters.gym:GymAdapter", {"id": env_id, "kwargs": kwargs})
        )
    if not kwargs:
        with pytest.raises(UserError, match=message):
            task_for(env_id)


def test_missing() -> None:
    assert GymAdapter.missing() is None
    assert GymAdapter.missing(task_for("CartPole-v1")) is None
    missing = GymAdapter.missing(
        Task("gym/x@1", "games", "adapters.gym:GymAdapter", {"id": "no_such_module.envs:Thing-v0"})
    )
    assert missing is not None
    assert "no_such_module" in missing.reason
    assert "no_such_module" in missing.remedy


def test_frames() -> None:
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


def test_who_has_an_expert() -> None:
    assert GymAdapter.has_expert(task_for("CartPole-v1"))
    for task in (task_for("CartPole-v1", {"sutton_barto_reward": True}), task_for("Acrobot-v1")):
        assert not GymAdapter.has_expert(task)
        adapter = GymAdapter(task)
        adapter.reset(Case(task, 0))
        with pytest.raises(UserError, match="has no expert"):
            adapter.expert(None)
    check_adapter(task_for("MountainCar-v0"), steps=25)
