"""Atari against the real emulator."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.atari import TWO_PLAYERS, AtariAdapter
from harness.core import BadAction, Case, Discrete, Task, TimeStep, UserError
from harness.testing import check_adapter
from suites.atari import SUITES
from suites.atari_scores import RANDOM_AND_HUMAN
from suites.gea_paper import ATARI

ale_py = pytest.importorskip("ale_py")
gymnasium = pytest.importorskip("gymnasium")

ROOT = Path(__file__).parents[2]
PLAIN, STICKY = ({task.params["game"]: task for task in suite.tasks} for suite in SUITES)
LEAKY = ("assault", "qbert", "seaquest", "solaris")
"""Games in which reset_game alone, or a snapshot alone, keeps some state of the last episode."""


def with_params(task: Task, **params: object) -> Task:
    return dataclasses.replace(task, params={**task.params, **params})


def names(adapter: AtariAdapter) -> tuple[str, ...]:
    assert isinstance(adapter.brief.action, Discrete)
    return adapter.brief.action.names


def view(timestep: TimeStep, name: str) -> np.ndarray:
    return timestep.observation[name]()


def some_actions(adapter: AtariAdapter, count: int, seed: int = 0) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [adapter.brief.action.sample(rng) for _ in range(count)]


def trajectory(adapter: AtariAdapter, case: Case, actions: Sequence[Any]) -> list[Any]:
    steps = [adapter.reset(case)]
    told: list[Any] = [(adapter.state(), view(steps[0], "image").tobytes(), dict(steps[0].metrics))]
    for action in actions:
        step = adapter.step(action)
        told.append(
            (
                adapter.state(),
                view(step, "image").tobytes(),
                step.reward,
                step.terminated,
                dict(step.metrics),
            )
        )
        if step.terminated:
            break
    return told


def areas_by_hand(frame: np.ndarray) -> np.ndarray:
    """Area resampling to 84 x 84 by definition: each pixel is cut into 84 x 84 equal pieces."""
    for axis in (0, 1):
        size = frame.shape[axis]
        pieces = np.moveaxis(np.repeat(frame.astype(np.float64), 84, axis), axis, 0)
        frame = np.moveaxis(pieces.reshape(84, size, -1).mean(1), 0, axis)
    return np.floor(frame + 0.5 + 1e-9).astype(np.uint8)


@pytest.mark.parametrize("task", [PLAIN["pong"], STICKY["breakout"]], ids=lambda task: task.id)
def test_contract(task: Task) -> None:
    check_adapter(task, steps=40)


def test_an_episode_is_that_of_ale_py() -> None:
    """Screen, RAM and rewards equal those of ale-py's own environment at every step."""
    gymnasium.register_envs(ale_py)
    theirs = gymnasium.make(
        "ALE/Breakout-v5", repeat_action_probability=0.0, disable_env_checker=True
    )
    ours = AtariAdapter(PLAIN["breakout"])
    theirs.reset(seed=1)
    start = ours.reset(Case(PLAIN["breakout"], 0))
    for _ in range(int(start.metrics["frames"])):
        theirs.unwrapped.ale.act(0)
    points = 0.0
    for action in some_actions(ours, 150):
        step, (image, reward, terminated, _, info) = ours.step(action), theirs.step(action)
        np.testing.assert_array_equal(ours._ale.getScreenRGB(), image)
        np.testing.assert_array_equal(view(step, "state"), theirs.unwrapped.ale.getRAM())
        assert (step.reward, step.terminated, step.metrics["lives"]) == (
            reward,
            terminated,
            info["lives"],
        )
        points += reward
    assert points > 0
    theirs.close()


@pytest.mark.parametrize("game", LEAKY)
@pytest.mark.parametrize("tasks", [PLAIN, STICKY], ids=["plain", "sticky"])
def test_a_reused_emulator_keeps_no_state(game: str, tasks: dict[str, Task]) -> None:
    kept, case = AtariAdapter(tasks[game]), Case(tasks[game], 3)
    actions = some_actions(kept, 60)
    once = trajectory(kept, case, actions)
    for seed in (4, 5):
        trajectory(kept, Case(tasks[game], seed), some_actions(kept, 50 * seed, seed))
    assert trajectory(kept, case, actions) == once
    assert trajectory(AtariAdapter(tasks[game]), case, actions) == once


@pytest.mark.slow
def test_every_game_of_the_suite_is_reproducible() -> None:
    for task in STICKY.values():
        adapter, case = AtariAdapter(task), Case(task, 0)
        actions = some_actions(adapter, 10)
        once = trajectory(adapter, case, actions)
        trajectory(adapter, Case(task, 1), some_actions(adapter, 30, 1))
        assert trajectory(adapter, case, actions) == once, task.id
        assert (
            adapter.brief.observation["image"].problem(view(adapter.reset(case), "image")) is None
        )
        assert adapter.brief.control_hz == task.control_hz


def test_seeds_differ_by_their_number_of_no_ops() -> None:
    adapter = AtariAdapter(PLAIN["pong"])
    cases = [Case(PLAIN["pong"], seed) for seed in range(150)]
    frames = [int(adapter.reset(case).metrics["frames"]) for case in cases]
    assert set(frames) == set(range(1, 31))
    states = [
        tuple(told[0] for told in trajectory(adapter, case, [2, 3] * 10)) for case in cases[:20]
    ]
    assert len(set(states)) == len(set(frames[:20])) > 5


def test_sticky_actions() -> None:
    task = STICKY["breakout"]
    adapter = AtariAdapter(task)
    actions = some_actions(adapter, 40)
    first, second = (trajectory(adapter, Case(task, seed), actions) for seed in (0, 1))
    assert first[0] == second[0], "without no-ops every episode starts alike"
    assert first != second

    always, never = with_params(task, sticky=1.0), with_params(task, sticky=0.0)
    held = trajectory(AtariAdapter(always), Case(always, 0), [2] * 20)
    idle = trajectory(AtariAdapter(never), Case(never, 0), [0] * 20)
    moved = trajectory(AtariAdapter(never), Case(never, 0), [2] * 20)
    assert held == idle != moved


def test_how_often_actions_stick(monkeypatch: pytest.MonkeyPatch) -> None:
    """With alternating actions, a quarter of the frames that can show it repeat the last action."""
    task = with_params(STICKY["pong"], frame_skip=1)
    adapter = AtariAdapter(task)
    adapter.reset(Case(task, 0))

    class Recorder:
        def __init__(self, ale: Any) -> None:
            self.ale, self.executed = ale, list[str]()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.ale, name)

        def act(self, action: Any) -> int:
            self.executed.append(action.name)
            return self.ale.act(action)

    recorder = Recorder(adapter._ale)
    monkeypatch.setattr(adapter, "_ale", recorder)
    wanted = [2, 3] * 1000
    for action in wanted:
        adapter.step(action)
    stuck = np.mean(
        [
            done != names(adapter)[action]
            for done, action in zip(recorder.executed, wanted, strict=True)
        ]
    )
    # Sticking once executes the other action, and sticking again the chosen one: the probability
    # p of the wrong action satisfies p = 0.25 (1 - p).
    assert abs(stuck - 0.2) < 0.04


@pytest.mark.parametrize("game", ["breakout", "asteroids"])
def test_views_pool_the_last_two_frames(game: str) -> None:
    task = PLAIN[game]
    single = with_params(task, frame_skip=1, noop_max=0)
    adapter, frames = AtariAdapter(task), AtariAdapter(single)
    actions = some_actions(adapter, 25)
    seed = next(k for k in range(9) if adapter.reset(Case(task, k)).metrics["frames"] > 1)
    step = adapter.reset(Case(task, seed))
    frames.reset(Case(single, 0))
    pending = [0] * int(step.metrics["frames"])
    pooled = 0
    for action in [None, *actions]:
        if action is not None:
            step, pending = adapter.step(action), [action] * 4
        for each in pending[:-1]:
            frames.step(each)
        before, was = frames._ale.getScreenRGB().copy(), frames._ale.getScreenGrayscale().copy()
        frames.step(pending[-1])
        now, luma = frames._ale.getScreenRGB(), frames._ale.getScreenGrayscale()
        brighter = (was > luma)[:, :, None]
        np.testing.assert_array_equal(view(step, "image"), np.where(brighter, before, now))
        np.testing.assert_array_equal(adapter.render(), view(step, "image"))
        np.testing.assert_array_equal(
            view(step, "image_gray"), areas_by_hand(np.maximum(was, luma))
        )
        pooled += int(brighter.any())
    assert pooled > 5, "frames that differ were compared"


def test_without_no_ops_the_first_picture_is_the_first_frame() -> None:
    adapter = AtariAdapter(STICKY["breakout"])
    for seed in (0, 1):
        step = adapter.reset(Case(STICKY["breakout"], seed))
        np.testing.assert_array_equal(view(step, "image"), adapter._ale.getScreenRGB())
        np.testing.assert_array_equal(
            view(step, "image_gray"), areas_by_hand(adapter._ale.getScreenGrayscale())
        )
        adapter.step(1)


def luma_of(image: np.ndarray) -> np.ndarray:
    """The brightness of an RGB picture, area by area of the gray view."""
    weighted: np.ndarray = image.astype(np.float64) @ [0.299, 0.587, 0.114]
    return areas_by_hand(np.floor(weighted + 0.5)).astype(int)


def test_the_asteroids_are_in_the_colour_view() -> None:
    """Asteroids are drawn in every other frame: the last one alone often lacks them."""
    task = PLAIN["asteroids"]
    adapter = AtariAdapter(task)
    step = adapter.reset(Case(task, 0))
    missing, unpooled = [], []
    for action in some_actions(adapter, 40, seed=1):
        step = adapter.step(action)
        gray = view(step, "image_gray").astype(int)
        missing.append(int((gray - luma_of(view(step, "image")) > 40).sum()))
        unpooled.append(int((gray - luma_of(adapter._ale.getScreenRGB()) > 40).sum()))
    assert max(missing) == 0
    assert np.mean(np.array(unpooled) > 0) > 0.2, "the last frame alone lacks them"


@pytest.mark.slow
def test_no_game_has_objects_that_the_colour_view_lacks() -> None:
    for game, task in PLAIN.items():
        adapter = AtariAdapter(task)
        step = adapter.reset(Case(task, 0))
        for action in some_actions(adapter, 20, seed=1):
            step = adapter.step(action)
            gray = view(step, "image_gray").astype(int)
            assert (gray - luma_of(view(step, "image")) <= 16).all(), game
            if step.terminated:
                break
        adapter.close()


@pytest.mark.parametrize("task", [PLAIN["breakout"], STICKY["seaquest"]], ids=lambda task: task.id)
@pytest.mark.parametrize("name", ["image", "image_gray"])
def test_a_view_does_not_depend_on_when_it_is_first_read(task: Task, name: str) -> None:
    early, late = AtariAdapter(task), AtariAdapter(task)
    actions = some_actions(early, 60)
    steps = early.reset(Case(task, 1)), late.reset(Case(task, 1))
    view(steps[0], name)
    for index, action in enumerate(actions):
        steps = early.step(action), late.step(action)
        seen = view(steps[0], name)
        if index >= 30:
            np.testing.assert_array_equal(view(steps[1], name), seen)
        assert (early.state(), steps[0].reward, steps[0].metrics) == (
            late.state(),
            steps[1].reward,
            steps[1].metrics,
        )
        if index >= 30:
            np.testing.assert_array_equal(early.render(), late.render())


@pytest.mark.parametrize("game", LEAKY)
def test_the_frame_before_the_first_no_op_is_the_same_in_a_kept_emulator(game: str) -> None:
    task = with_params(PLAIN[game], noop_max=1)
    kept, fresh = AtariAdapter(task), AtariAdapter(task)
    for seed in range(3):
        start = kept.reset(Case(task, seed))
        if seed == 0:
            first = view(start, "image")
        np.testing.assert_array_equal(view(start, "image"), first)
        for action in some_actions(kept, 70, seed):
            if kept.step(action).terminated:
                break
    np.testing.assert_array_equal(view(fresh.reset(Case(task, 0)), "image"), first)


def test_the_loss_of_a_life_ends_nothing() -> None:
    adapter = AtariAdapter(PLAIN["breakout"])
    step = adapter.reset(Case(PLAIN["breakout"], 0))
    lives = [step.metrics["lives"]]
    while not step.terminated:
        step = adapter.step(1)
        lives.append(step.metrics["lives"])
    assert lives[0] == 5
    assert lives[-1] == 0
    assert set(lives) == {5, 4, 3, 2, 1, 0}


def test_brief() -> None:
    adapter = AtariAdapter(PLAIN["ms_pacman"])
    assert names(adapter)[0] == "NOOP"
    assert adapter.brief.control_hz == 15
    step = adapter.reset(Case(PLAIN["ms_pacman"], 0))
    assert step.instruction == "Play Ms Pacman."
    assert step.success is None
    for name, spec in adapter.brief.observation.items():
        assert spec.problem(view(step, name)) is None, name
    everything = AtariAdapter(with_params(PLAIN["pong"], full_action_space=True))
    assert len(names(everything)) == 18
    with pytest.raises(BadAction):
        adapter.step(99)


def test_modes_and_difficulties() -> None:
    plain, hard = PLAIN["breakout"], with_params(PLAIN["breakout"], difficulty=1, mode=4)
    adapters = AtariAdapter(plain), AtariAdapter(hard)
    easy, other = (trajectory(adapter, Case(plain, 0), [1, 2, 3] * 10) for adapter in adapters)
    assert easy != other
    assert trajectory(adapters[1], Case(plain, 0), [1, 2, 3] * 10) == other


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"game": "pongg"}, "did you mean pong"),
        ({"game": "joust"}, "no Atari game 'joust'"),
        ({"sticky": 2}, "0 <= sticky <= 1"),
        ({"frame_skip": 0}, "frame_skip >= 1"),
        ({"frameskip": 4}, "frameskip"),
        ({"mode": 77}, "pong has no mode 77; it has 0"),
        ({"difficulty": 9}, "pong has no difficulty 9"),
    ],
)
def test_wrong_params(params: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        AtariAdapter(with_params(PLAIN["pong"], **params))


def test_nothing_is_printed() -> None:
    """In a separate process, because the emulator prints its banner once."""
    code = (
        "from adapters.atari import AtariAdapter\n"
        "from suites.atari import SUITES\n"
        "AtariAdapter(SUITES[0].tasks[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_suites_and_their_protocols() -> None:
    games = set(ale_py.roms.get_all_rom_ids()) - TWO_PLAYERS
    assert len(games) == 104
    assert len(RANDOM_AND_HUMAN) == 57
    assert set(RANDOM_AND_HUMAN) <= games
    assert len(ATARI) == 44
    assert [suite.in_all for suite in SUITES] == [True, False]
    for suite, tasks in zip(SUITES, (PLAIN, STICKY), strict=True):
        assert set(tasks) == set(RANDOM_AND_HUMAN)
        assert suite.episodes == 10
        for game, task in tasks.items():
            assert task.name == f"{suite.name}/{game}"
            assert (task.max_steps, task.success, task.score, task.domain) == (
                27_000,
                None,
                "return",
                "games",
            )
            assert task.max_steps * task.params["frame_skip"] == 108_000
            assert (task.tags == ("gea",)) == (game in ATARI)
            assert task.normaliser
            assert [task.normaliser(score) for score in RANDOM_AND_HUMAN[game]] == [0, 1]
    for task in (PLAIN["alien"], STICKY["alien"]):
        figures = [(each.label, each.value, each.tasks) for each in task.references]
        assert figures[:3] == [("GEA", 0.061, 1), ("GEA", 0.327, 44), ("GEA-Base", 0.403, 44)]
        assert not any(reference.same_rule for reference in task.references)
