"""Procgen against the real library, here or in the interpreter of `bench doctor --fix procgen`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Run

from adapters.procgen import GAMES, STATE_EVERY, ProcgenAdapter
from harness.core import Adapter, Case, Task, TimeStep, UserError
from harness.host.hosted import end_probes
from harness.host.interpreters import VARIABLE, _from_file
from harness.host.loading import load_adapter
from harness.testing import check_adapter
from suites.procgen import SUITES

ROOT = Path(__file__).parents[2]
ENTRY = "adapters.procgen:ProcgenAdapter"
TEST, TRAIN = ({task.params["game"]: task for task in suite.tasks} for suite in SUITES)


def with_params(task: Task, **params: object) -> Task:
    return dataclasses.replace(task, params={**task.params, **params})


@pytest.fixture(scope="module")
def there() -> Iterator[None]:
    """Make Procgen available, from whichever interpreter has it, or skip."""
    with pytest.MonkeyPatch.context() as patch:
        if ProcgenAdapter.missing() is not None:
            python = _from_file(ROOT / "bench.toml").get("procgen") or str(
                ROOT / ".bench/interpreters/procgen/bin/python"
            )
            patch.setenv(VARIABLE, json.dumps({"procgen": python}))
            missing = load_adapter(ENTRY).missing()
            end_probes()
            if missing is not None:
                pytest.skip(f"{missing.reason}: {missing.remedy}")
        yield


@pytest.fixture(scope="module")
def adapter(there: None) -> Iterator[Adapter]:
    """One adapter for all tests: loading its textures takes two seconds."""
    adapter = load_adapter(ENTRY)(TEST["maze"])
    yield adapter
    adapter.close()


def image(step: TimeStep) -> np.ndarray:
    value: Any = step.observation["image"]
    return value() if callable(value) else value


def play(adapter: Adapter, case: Case, steps: int = 60) -> list[Any]:
    rng = np.random.default_rng(case.seed)
    told: list[Any] = [(image(adapter.reset(case)).tobytes(), adapter.state())]
    for _ in range(steps):
        step = adapter.step(int(rng.integers(15)))
        told.append(
            (
                image(step).tobytes(),
                adapter.state(),
                step.reward,
                step.terminated,
                step.truncated,
                dict(step.metrics),
            )
        )
        if step.terminated or step.truncated:
            break
    return told


def test_the_suites_and_their_protocols() -> None:
    assert list(TEST) == list(TRAIN)
    assert set(TEST) == set(GAMES)
    assert len(TEST) == 16
    for task in TEST.values():
        assert (task.first_seed, task.params.get("levels")) == (200, None), (
            "no test level is a training level"
        )
        assert task.normaliser is not None
        assert (task.normaliser(task.normaliser.low), task.normaliser(task.normaliser.high)) == (
            0,
            1,
        )
    assert {(task.first_seed, task.params["levels"]) for task in TRAIN.values()} == {(0, 200)}
    assert TEST["fruitbot"].normaliser is not None
    assert TEST["fruitbot"].normaliser(13.0) == pytest.approx((13.0 + 1.5) / (32.4 + 1.5))


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"game": "coinrum"}, "did you mean coinrun"),
        ({"levels": 0}, "levels must be at least 1"),
        ({"mode": "wild"}, "easy, hard"),
        ({"x": 1}, "do not fit"),
    ],
)
def test_a_wrong_param_is_named(params: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        ProcgenAdapter(with_params(TEST["maze"], **params))


@pytest.mark.slow
def test_contract(there: None) -> None:
    check_adapter(TEST["starpilot"], steps=60, others=[TEST["maze"]])


def test_a_seed_is_a_level(adapter: Adapter) -> None:
    for game in GAMES:
        assert adapter.reset(Case(TEST[game], 200)).instruction == GAMES[game]
        first = play(adapter, Case(TEST[game], 201))
        assert play(adapter, Case(TEST[game], 202))[0] != first[0], game
        assert play(adapter, Case(TEST[game], 201)) == first, game
        train = play(adapter, Case(TRAIN[game], 201), 0)
        assert train == play(adapter, Case(TRAIN[game], 1), 0), (
            "a training level is the seed modulo 200"
        )
        assert train != first[:1]


def test_how_episodes_end(adapter: Adapter) -> None:
    adapter.reset(Case(TEST["maze"], 200))
    for number in range(1, 501):
        step = adapter.step(4)
        assert (step.truncated, step.terminated) == (number == 500, False)
        assert bool(adapter.state()) == (number % STATE_EVERY == 0 and number < 500)
    assert step.metrics == {"level_complete": 0}
    rng = np.random.default_rng(0)
    ends = set()
    for level in range(200, 230):
        step = adapter.reset(Case(TEST["leaper"], level))
        before = image(step)
        while not (step.terminated or step.truncated):
            before = image(step)
            step = adapter.step(int(rng.choice([5, 5, 4, 1, 7])))
        ends.add((step.terminated, step.reward, step.metrics["level_complete"]))
        assert np.array_equal(image(step), before), "the frame before the end"
    assert ends <= {(True, 10.0, 1), (True, 0.0, 0), (False, 0.0, 0)}
    assert (True, 10.0, 1) in ends
    with pytest.raises(UserError, match="levels from 0"):
        adapter.reset(Case(TEST["maze"], 2**31))


def test_frames_for_people(adapter: Adapter) -> None:
    case = Case(TEST["coinrun"], 203)
    unseen = play(adapter, case)
    adapter.reset(case)
    for _ in range(20):
        seen = image(adapter.step(8))
    frame = adapter.render()
    assert (frame.shape, frame.dtype) == ((512, 512, 3), np.uint8)
    small = frame.reshape(64, 8, 64, 8, 3).mean(axis=(1, 3))
    assert np.abs(small - seen).mean() < 12, "the same scene as the view"
    assert play(adapter, case) == unseen, "drawing changes nothing"


def test_uniform_is_near_zero(there: None, play_toys: Callable[..., Run]) -> None:
    """R_min, the zero of the scale, is the score of an agent that sees nothing."""
    run = play_toys(
        "baselines.simple:Uniform", [TEST["starpilot"], TEST["bigfish"], TEST["chaser"]], 6
    )
    assert {line["status"] for line in run.results} == {"finished"}
    assert abs(np.mean([line["normalised"] for line in run.results])) < 0.05
    assert len({line["digest"] for line in run.results}) == len(run.results)
