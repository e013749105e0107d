"""The MiniGrid adapter on the real simulator, and the two suite files that use it."""

from __future__ import annotations

import itertools
from typing import Any

import gymnasium
import numpy as np
import pytest
from minigrid.utils.baby_ai_bot import BabyAIBot
from minigrid.wrappers import RGBImgPartialObsWrapper

from adapters._babyai_bot import PLAN_LIMIT
from adapters.minigrid import PIXELS, MiniGridAdapter
from harness.core import BadAction, Case, Task, TimeStep, UserError
from suites.babyai import SUITES as BABYAI
from suites.minigrid import SUITES as MINIGRID

TASKS = {task.name: task for suite in (*BABYAI, *MINIGRID) for task in suite.tasks}
FIRST = 1_000_000_000


def level(name: str) -> Task:
    return Task(
        "test/level@1",
        "navigation",
        "adapters.minigrid:MiniGridAdapter",
        {"id": name},
        first_seed=FIRST,
    )


def bare(name: str) -> Any:
    return gymnasium.make(f"minigrid:{name}", disable_env_checker=True).unwrapped


def play(adapter: MiniGridAdapter, case: Case, look: bool = False, limit: int = 80) -> list[Any]:
    """Everything an episode of random actions shows, and the whole map after each step."""
    rng, seen, timestep = np.random.default_rng(case.seed), [], adapter.reset(case)
    for _ in range(limit):
        values = [view() for view in timestep.observation.values()] if look else []
        if look:
            adapter.render()
        flags = timestep.reward, timestep.terminated, timestep.truncated, timestep.success
        seen.append(
            (timestep.instruction, flags, adapter.state(), adapter._env.grid.encode().tobytes())
        )
        assert len(values) in (0, 5)
        if timestep.terminated or timestep.truncated:
            break
        timestep = adapter.step(adapter.brief.action.sample(rng))
    return seen


def play_expert(
    adapter: MiniGridAdapter, case: Case, astray: float = 0.0
) -> tuple[TimeStep, int, bool]:
    """Play the expert, then random actions if it gives up: (last TimeStep, steps, gave up)."""
    rng, timestep, executed, gave_up = (
        np.random.default_rng(case.seed),
        adapter.reset(case),
        None,
        False,
    )
    for count in itertools.count(1):
        wanted = adapter.expert(executed)
        assert wanted is None or not gave_up, "an expert that gave up does not come back"
        gave_up = wanted is None
        executed = adapter.brief.action.sample(rng) if gave_up or rng.random() < astray else wanted
        timestep = adapter.step(executed)
        assert timestep.metrics == ({"expert_gave_up": 1.0} if gave_up else {})
        if timestep.terminated or timestep.truncated:
            return timestep, count, gave_up
    raise AssertionError


@pytest.mark.parametrize(
    "name",
    [
        "babyai/GoToRedBlueBall",
        "babyai/BossLevel",
        "minigrid/Dynamic-Obstacles-8x8",
        "minigrid/GoToDoor-8x8",
    ],
)
def test_contract(name: str) -> None:
    from harness.testing import check_adapter

    check_adapter(TASKS[name], steps=60, another_process=name == "babyai/BossLevel")


@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_task_builds_and_fits_its_brief(name: str) -> None:
    task = TASKS[name]
    adapter = MiniGridAdapter(task)
    timestep = adapter.reset(Case(task, task.first_seed))
    for action in (None, 0, 1, 2):
        if action is not None:
            timestep = adapter.step(action)
        for view, spec in adapter.brief.observation.items():
            assert spec.problem(timestep.observation[view]()) is None
    assert timestep.instruction
    adapter.close()


def test_suites_agree_with_their_sources() -> None:
    gea, planning = BABYAI
    assert (len(gea.tasks), gea.episodes) == (17, 100)
    figures = [task.references[0].value for task in gea.tasks]
    assert np.mean(figures) == pytest.approx(0.911, abs=5e-4), (
        "the paper's table 2 is the mean of its table 10"
    )
    assert all(
        task.tags == ("gea",) and task.first_seed == FIRST and task.max_steps is None
        for task in gea.tasks
    )
    assert all(MiniGridAdapter.has_expert(task) for task in (*gea.tasks, *planning.tasks))
    assert not any(MiniGridAdapter.has_expert(task) for task in MINIGRID[0].tasks)


@pytest.mark.parametrize(
    "name",
    ["BabyAI-GoToLocalS8N7-v0", "BabyAI-UnlockPickupDist-v0", "MiniGrid-Dynamic-Obstacles-6x6-v0"],
)
def test_an_episode_is_that_of_the_package(name: str) -> None:
    """Rewards, flags, mission and observation equal a bare environment's at every step."""
    env, task = bare(name), level(name)
    adapter = MiniGridAdapter(task)
    drawn = RGBImgPartialObsWrapper(env, tile_size=8)
    for seed in (FIRST, FIRST + 1):
        observation, _ = env.reset(seed=seed)
        timestep, rng = adapter.reset(Case(task, seed)), np.random.default_rng(seed)
        for _ in range(60):
            np.testing.assert_array_equal(timestep.observation["grid"](), observation["image"])
            np.testing.assert_array_equal(
                timestep.observation["image_partial"](), drawn.observation(observation)["image"]
            )
            assert timestep.observation["direction"]() == observation["direction"]
            assert timestep.instruction == observation["mission"]
            action = adapter.brief.action.sample(rng)
            observation, reward, terminated, truncated, _ = env.step(action)
            timestep = adapter.step(action)
            assert (timestep.reward, timestep.terminated, timestep.truncated) == (
                reward,
                terminated,
                truncated,
            )
            if terminated or truncated:
                break


@pytest.mark.parametrize(
    "name",
    ["BabyAI-GoToObjS4-v0", "BabyAI-GoTo-v0", "BabyAI-FindObjS5-v0", "MiniGrid-LavaGapS5-v0"],
)
def test_image_is_exact_tiles_centred_on_black(name: str) -> None:
    env, task = bare(name), level(name)
    adapter = MiniGridAdapter(task)
    env.reset(seed=3)
    image = adapter.reset(Case(task, 3)).observation["image"]()
    tile = PIXELS // max(env.width, env.height)
    drawn = env.get_frame(highlight=True, tile_size=tile)
    top, left = (PIXELS - drawn.shape[0]) // 2, (PIXELS - drawn.shape[1]) // 2
    inside = np.zeros(image.shape[:2], bool)
    inside[top : top + drawn.shape[0], left : left + drawn.shape[1]] = True
    np.testing.assert_array_equal(image[inside].reshape(drawn.shape), drawn)
    assert not image[~inside].any()
    np.testing.assert_array_equal(adapter.render(), image)


def test_nothing_is_rendered_unless_read(monkeypatch: pytest.MonkeyPatch) -> None:
    task = level("BabyAI-GoToLocal-v0")
    adapter = MiniGridAdapter(task)
    drawn = []
    whole = adapter._env.gen_obs_grid
    monkeypatch.setattr(adapter._env, "gen_obs_grid", lambda *size: drawn.append(1) or whole(*size))
    timestep = adapter.reset(Case(task, 1))
    for action in (0, 1, 0, 5, 6):
        timestep = adapter.step(action)
        timestep.observation["direction"]()
    assert drawn == []
    timestep.observation["grid"]()
    assert drawn == [1]


@pytest.mark.parametrize(
    "name",
    [
        "BabyAI-BossLevel-v0",
        "BabyAI-UnlockPickup-v0",
        "MiniGrid-Dynamic-Obstacles-8x8-v0",
        "MiniGrid-MemoryS11-v0",
    ],
)
def test_a_reused_environment_keeps_no_state(name: str) -> None:
    task = level(name)
    kept, cases = MiniGridAdapter(task), [Case(task, FIRST + k) for k in range(4)]
    once = {case.id: play(kept, case) for case in cases}
    for case in reversed(cases):
        assert play(kept, case, look=True) == once[case.id] == play(MiniGridAdapter(task), case)
    assert len({repr(seen) for seen in once.values()}) == len(cases), (
        "other seeds are other episodes"
    )


def test_level_generation_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    task = level("BabyAI-GoTo-v0")
    adapter = MiniGridAdapter(task)
    for seed in range(5):
        adapter.reset(Case(task, seed))
    assert capfd.readouterr() == ("", "")
    for seed in range(5):
        adapter._env.reset(seed=seed)
    assert "Sampling rejected" in capfd.readouterr().out, (
        "this level and these seeds are here because they print"
    )


@pytest.mark.parametrize(
    "name",
    [
        "BabyAI-GoTo-v0",
        "MiniGrid-GoToDoor-8x8-v0",
        "MiniGrid-GoToObject-8x8-N2-v0",
        "MiniGrid-RedBlueDoors-8x8-v0",
    ],
)
def test_the_noop_action_does_nothing(name: str) -> None:
    task = level(name)
    adapter = MiniGridAdapter(task)
    for seed in range(5):
        views = adapter.reset(Case(task, seed)).observation
        before = views["image"]()
        timestep = adapter.step(adapter.brief.action.noop())
        assert not timestep.terminated
        np.testing.assert_array_equal(views["image"](), before)


@pytest.mark.parametrize("action", [7, -1, 1.0, "left", None, np.array([1, 2])])
def test_an_unknown_action_is_refused(action: Any) -> None:
    task = level("BabyAI-GoToObj-v0")
    adapter = MiniGridAdapter(task)
    adapter.reset(Case(task, 0))
    before = adapter.state()
    with pytest.raises(BadAction):
        adapter.step(action)
    assert adapter.state() == before


@pytest.mark.parametrize("name", ["BabyAI-Nowhere-v0", "CartPole-v1", "BabyAI GoTo"])
def test_an_unknown_level_is_answered_with_the_remedy(name: str) -> None:
    with pytest.raises(UserError, match="level"):
        MiniGridAdapter(level(name))


@pytest.mark.parametrize(
    "name", ["babyai/GoToLocalS8N7", "babyai/Open", "babyai/PickupLoc", "babyai/SynthSeq"]
)
def test_expert_solves(name: str) -> None:
    task = TASKS[name]
    adapter = MiniGridAdapter(task)
    for seed in range(FIRST, FIRST + 5):
        last, steps, gave_up = play_expert(adapter, Case(task, seed))
        assert last.success
        assert last.terminated
        assert not gave_up
        assert last.reward == pytest.approx(1 - 0.9 * steps / adapter._env.max_steps)


def test_the_expert_continues_from_the_executed_action() -> None:
    task = TASKS["babyai/GoToRedBall"]
    adapter = MiniGridAdapter(task)
    outcomes = [
        play_expert(adapter, Case(task, seed), astray=0.3)[0].success
        for seed in range(FIRST, FIRST + 10)
    ]
    assert sum(bool(success) for success in outcomes) >= 9


def test_expert_gives_up_instead_of_hanging(monkeypatch: pytest.MonkeyPatch) -> None:
    """On half of UnlockToUnlock's seeds the bot plans for ever: it gives up, always at one step."""
    task = level("BabyAI-UnlockToUnlock-v0")
    adapter = MiniGridAdapter(task)
    cases = [Case(task, seed) for seed in range(FIRST, FIRST + 8)]
    outcomes = [play_expert(adapter, case)[1:] for case in cases]
    assert 0 < sum(gave_up for _, gave_up in outcomes) < len(cases)
    assert outcomes == [play_expert(MiniGridAdapter(task), case)[1:] for case in cases]
    monkeypatch.setattr("adapters._babyai_bot.PLAN_LIMIT", 5 * PLAN_LIMIT)
    assert outcomes == [play_expert(adapter, case)[1:] for case in cases], (
        "the limit is no horizon: a longer one changes nothing"
    )


def test_expert_gives_up_when_a_box_was_opened() -> None:
    task = level("BabyAI-PickupDist-v0")
    adapter = MiniGridAdapter(task)
    timestep, executed, rng = adapter.reset(Case(task, FIRST)), None, np.random.default_rng(0)
    for _ in range(40):  # wander until a box is ahead, then open it
        assert adapter.expert(executed) is not None
        ahead = adapter._env.grid.get(*adapter._env.front_pos)
        executed = 5 if ahead is not None and ahead.type == "box" else int(rng.integers(3))
        timestep = adapter.step(executed)
        if executed == 5:
            break
    assert executed == 5
    assert (timestep.terminated, timestep.truncated, timestep.metrics) == (False, False, {})
    assert adapter.expert(executed) is None
    assert adapter.step(6).metrics == {"expert_gave_up": 1.0}
    assert adapter.reset(Case(task, FIRST)).metrics == {}
    assert adapter.expert(None) is not None


def test_a_fault_of_the_adapter_is_not_taken_for_giving_up(monkeypatch: pytest.MonkeyPatch) -> None:
    task = level("BabyAI-GoToObj-v0")
    adapter = MiniGridAdapter(task)
    adapter.reset(Case(task, 0))

    def broken(bot: BabyAIBot, executed: Any) -> int:
        raise KeyError("broken")

    monkeypatch.setattr(BabyAIBot, "replan", broken)
    with pytest.raises(KeyError):
        adapter.expert(None)


def test_a_task_without_an_expert_says_so() -> None:
    for name in ("MiniGrid-DoorKey-8x8-v0", "BabyAI-KeyInBox-v0"):
        task = level(name)
        assert not MiniGridAdapter.has_expert(task)
        adapter = MiniGridAdapter(task)
        adapter.reset(Case(task, 0))
        with pytest.raises(UserError, match="no expert"):
            adapter.expert(None)


def test_success_is_a_positive_reward_at_the_end() -> None:
    """Lava, a moving ball and the limit end an episode without success."""
    task = level("MiniGrid-Dynamic-Obstacles-5x5-v0")
    adapter = MiniGridAdapter(task)
    ends = set()
    for seed in range(12):
        timestep = adapter.reset(Case(task, seed))
        rng = np.random.default_rng(seed)
        while not (timestep.terminated or timestep.truncated):
            timestep = adapter.step(int(rng.integers(3)) if seed else 0)
            assert timestep.success is (timestep.terminated and timestep.reward > 0)
        ends.add((timestep.terminated, timestep.truncated, np.sign(timestep.reward)))
    assert (False, True, 0.0) in ends
    assert (True, False, -1.0) in ends
