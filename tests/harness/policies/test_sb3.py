"""Checkpoints of Stable-Baselines3: the same numbers as its own evaluation, and clear refusals."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

import bench
from harness.core import Box, Brief, Case, Discrete, MultiDiscrete, Turn, UserError
from harness.policies.gym_spaces import as_observation, parts_of, problem, views_read
from harness.policies.sb3 import SB3, algorithm_of
from harness.records.registry import load

stable_baselines3 = pytest.importorskip("stable_baselines3")
torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trained(kind: str, env: Any, file: Path, steps: int, **options: Any) -> Path:
    """A checkpoint after a few steps of training."""
    small = {"policy_kwargs": {"net_arch": [16]}, "seed": 0, "device": "cpu"}
    policy = options.pop("policy", "MlpPolicy")
    model = getattr(stable_baselines3, kind)(policy, env, **small, **options)
    model.learn(steps)
    model.save(file)
    return file


@pytest.fixture(scope="module")
def cartpole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sb3") / "cartpole.zip"
    return trained("PPO", "CartPole-v1", file, 2048, n_steps=512)


@pytest.fixture(scope="module")
def pendulum(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A checkpoint that was trained on normalised observations, and its statistics."""
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import VecNormalize

    folder = tmp_path_factory.mktemp("sb3")
    (folder / "statistics").mkdir()
    env = VecNormalize(make_vec_env("Pendulum-v1", seed=0))
    file = trained("PPO", env, folder / "pendulum.zip", 1024, n_steps=512)
    env.save(str(folder / "statistics" / "all.pkl"))
    return file, folder / "statistics" / "all.pkl"


class Seeded(gym.Wrapper):
    """Starts its episodes with given seeds, one after the other."""

    def __init__(self, env: gym.Env, seeds: list[int]) -> None:
        super().__init__(env)
        self._seeds = iter([*seeds, 0])

    def reset(self, **options: Any) -> Any:
        return self.env.reset(seed=next(self._seeds, 0))


def their_returns(
    model: Any, env_id: str, cases: list[Case], statistics: Path | None = None
) -> list[float]:
    """The returns that SB3's own `evaluate_policy` finds on the seeds of our cases."""
    from stable_baselines3.common.evaluation import evaluate_policy
    from stable_baselines3.common.monitor import Monitor
    from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

    seeds = [case.simulator_seed for case in cases]
    env: Any = DummyVecEnv([lambda: Monitor(Seeded(gym.make(env_id), seeds))])
    if statistics is not None:
        env = VecNormalize.load(str(statistics), env)
        env.training = env.norm_reward = False
    returns, _ = evaluate_policy(model, env, len(cases), return_episode_rewards=True)
    return [float(each) for each in returns]


def our_cases(env_id: str, episodes: int) -> list[Case]:
    task = load("adapters.gym_task:task_named")(env_id)
    return [Case(task, task.first_seed + k) for k in range(episodes)]


def ours(
    agent: str, env_id: str, episodes: int, out: Path, lanes: int = 1, **args: Any
) -> list[float]:
    report = bench.evaluate(
        agent,
        f"gym:{env_id}",
        episodes=episodes,
        workers=0,
        lanes=lanes,
        out=out,
        agent_args=args,
    )
    results = sorted(bench.load_run(report.path).results(), key=lambda each: each.seed)
    assert [each.status for each in results] == ["finished"] * episodes
    return [each.score for each in results]


def test_the_returns_are_those_of_evaluate_policy(cartpole: Path, tmp_path: Path) -> None:
    model = stable_baselines3.PPO.load(cartpole, device="cpu")
    theirs = their_returns(model, "CartPole-v1", our_cases("CartPole-v1", 8))
    assert ours(f"sb3:{cartpole}", "CartPole-v1", 8, tmp_path / "run") == theirs
    assert len(set(theirs)) > 1


def test_what_a_recurrent_policy_remembers_is_its_own(tmp_path: Path) -> None:
    """Three lanes: the memories of three episodes at once."""
    recurrent = pytest.importorskip("sb3_contrib").RecurrentPPO
    small = {"policy_kwargs": {"lstm_hidden_size": 8}, "seed": 0, "device": "cpu"}
    model = recurrent("MlpLstmPolicy", "CartPole-v1", n_steps=64, **small)
    model.learn(256)
    model.save(tmp_path / "model.zip")
    model = recurrent.load(tmp_path / "model.zip", device="cpu")
    theirs = their_returns(model, "CartPole-v1", our_cases("CartPole-v1", 5))
    found = ours(f"sb3:{tmp_path / 'model.zip'}", "CartPole-v1", 5, tmp_path / "run", lanes=3)
    assert found == theirs


def test_normalised_observations_give_the_returns_of_evaluate_policy(
    pendulum: tuple[Path, Path], tmp_path: Path
) -> None:
    file, statistics = pendulum
    model = stable_baselines3.PPO.load(file, device="cpu")
    theirs = their_returns(model, "Pendulum-v1", our_cases("Pendulum-v1", 3), statistics)
    found = ours(f"sb3:{file}", "Pendulum-v1", 3, tmp_path / "run", vecnormalize=str(statistics))
    np.testing.assert_allclose(found, theirs, rtol=1e-6)  # they add float32, we float64
    wrong = ours(f"sb3:{file}", "Pendulum-v1", 3, tmp_path / "without", vecnormalize="none")
    assert not np.allclose(wrong, theirs, rtol=1e-3)


def test_forgotten_statistics_are_noticed(
    pendulum: tuple[Path, Path], cartpole: Path, tmp_path: Path
) -> None:
    file, statistics = pendulum
    with pytest.raises(UserError, match=r"VecNormalize had scaled.*vecnormalize=FILE\.pkl"):
        SB3(str(file))
    beside = shutil.copy(cartpole, tmp_path / "model.zip")
    shutil.copy(statistics, tmp_path / "vec_normalize.pkl")
    with pytest.raises(UserError, match=r"lie beside .*model\.zip: vec_normalize\.pkl"):
        SB3(str(beside))
    SB3(str(beside), vecnormalize="none")


def test_drawn_actions_depend_on_the_turn_alone(cartpole: Path) -> None:
    turns = [turn(np.full(4, 0.01 * k, np.float32), key=k) for k in range(12)]
    alone = [SB3(str(cartpole), deterministic=False).act([each])[0] for each in turns]
    agent = SB3(str(cartpole), deterministic=False)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    together = agent.act(
        [turn(each.observation["state"], key=each.rng_key) for each in turns[::-1]]
    )
    assert alone == together[::-1]
    assert set(alone) == {0, 1}
    assert (np.random.get_state()[1] == before[0]).all()
    assert torch.equal(torch.get_rng_state(), before[1])


def turn(state: np.ndarray, key: int = 0) -> Turn:
    brief = Brief({"state": Box((4,), "float32")}, Discrete(2), "a cart", "Gymnasium")
    return Turn(brief, "", ({"state": state},), (), 0, "e", None, None, key)


@pytest.mark.parametrize(
    ("kind", "env_id"), [("DQN", "CartPole-v1"), ("SAC", "Pendulum-v1"), ("A2C", "CartPole-v1")]
)
def test_the_algorithm_is_found(kind: str, env_id: str, tmp_path: Path) -> None:
    model = getattr(stable_baselines3, kind)("MlpPolicy", env_id, device="cpu")
    model.save(tmp_path / "model.zip")
    assert algorithm_of(str(tmp_path / "model.zip")) == kind
    agent = SB3(str(tmp_path / "model.zip"))
    size = 4 if env_id == "CartPole-v1" else 3
    action = agent.act([turn(np.zeros(size, np.float32))])[0]
    expected, _ = model.predict(np.zeros(size, np.float32), deterministic=True)
    assert np.array_equal(action, expected)


def test_what_is_no_checkpoint_is_refused_with_the_remedy(tmp_path: Path) -> None:
    for name, content in (("text.zip", b"hello"), ("empty.zip", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=r"is no checkpoint.*sb3:FILE\.zip"):
            SB3(str(tmp_path / name))
    with pytest.raises(UserError, match="cannot be read: No such file"):
        SB3.declares({"path": str(tmp_path / "absent.zip")})


def test_a_body_that_differs_is_refused(cartpole: Path) -> None:
    def refused(view: Any, action: Any, **args: Any) -> str:
        brief = Brief({"state": view}, action, "", "")
        found = SB3.unfit({"path": str(cartpole), **args}, brief)
        return "" if found is None else found.reason

    state = Box((4,), "float32")
    assert refused(state, Discrete(2)) == ""
    assert "float32 (4,), and not the float32 (6,)" in refused(Box((6,), "float32"), Discrete(2))
    assert "2 choices, that of the task 3 choices" in refused(state, Discrete(3))
    assert "of Discrete, that of the task of Box" in refused(state, Box((1,)))
    assert "is the view joints, which the task lacks" in refused(state, Discrete(2), views="joints")


def test_it_keeps_the_contract_of_an_agent(cartpole: Path) -> None:
    task = our_cases("CartPole-v1", 1)[0].task
    for deterministic in (True, False):
        arguments = {"path": str(cartpole), "deterministic": deterministic}
        bench.check_agent("harness.policies.sb3:SB3", [task], args=arguments)


def test_bounds_of_actions_are_compared(pendulum: tuple[Path, Path]) -> None:
    args = {"path": str(pendulum[0])}
    views: Mapping[str, Any] = {"state": Box((3,), "float32")}
    found = SB3.unfit(args, Brief(views, Box((1,), low=-1.0, high=1.0), "", ""))
    assert found is not None
    assert "from -2 to 2, that of the task from -1 to 1" in found.reason
    assert SB3.unfit(args, Brief(views, Box((1,), low=-2.0, high=2.0), "", "")) is None


def test_pictures_and_dicts_become_what_the_space_says() -> None:
    picture = np.arange(20 * 24 * 3, dtype=np.uint8).reshape(20, 24, 3)
    space = spaces.Dict(
        {
            "camera": spaces.Box(0, 255, (6, 20, 24), np.uint8),
            "goal": spaces.Box(-1, 1, (4,), np.float32),
            "joints": spaces.Box(-1, 1, (2,), np.float32),
        }
    )
    parts = parts_of(space, {"joints": "proprio"})
    assert views_read(parts) == ("camera?", "image?", "goal?", "state_goal?", "proprio")
    offered = {
        "image": Box((20, 24, 3), "uint8"),
        "goal": Box((2,), "float32"),
        "proprio": Box((1,), "float64"),
    }
    assert problem(parts, Brief(offered, Discrete(2), "", ""), stack=2) is None
    first = {"image": picture, "goal": np.ones(2), "proprio": np.zeros(1)}
    shown = as_observation(parts, [first], stack=2)
    assert (shown["camera"][:3] == 0).all()
    assert np.array_equal(shown["camera"][3:], picture.transpose(2, 0, 1))
    assert shown["goal"].tolist() == [0.0, 0.0, 1.0, 1.0]
    assert shown["joints"].dtype == np.float32
    wrong = problem(parts, Brief({**offered, "goal": MultiDiscrete((2, 2))}, Discrete(2), "", ""))
    assert wrong is not None


def test_a_key_that_is_not_there_is_named() -> None:
    space = spaces.Dict({"camera": spaces.Box(0, 255, (20, 24, 3), np.uint8)})
    with pytest.raises(UserError, match="no key 'goal'; it has camera"):
        parts_of(space, {"goal": "state"})
    with pytest.raises(UserError, match="no Dict"):
        parts_of(spaces.Discrete(3), {"goal": "state"})
