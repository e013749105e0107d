"""PushT against the real package, here or in the interpreter of `bench doctor --fix pusht`."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulatorcases import make_case, step_digests

from adapters.pusht import PushTAdapter
from adapters.pusht.tee import GOAL, OUTLINE, Tee, error
from harness.core import Adapter, BadAction, Case, Task, TimeStep, UserError
from harness.host.hosted import end_probes
from harness.host.interpreters import VARIABLE, _from_file, interpreter_of
from harness.host.loading import load_adapter
from harness.policies.profiles import load_profile
from harness.testing import check_adapter
from suites.pusht import SUITES

ROOT = Path(__file__).parents[2]
ENTRY = "adapters.pusht:PushTAdapter"
(TASK,) = SUITES[0].tasks

BARE = """
import hashlib, json, sys, warnings
import gymnasium, numpy as np
warnings.simplefilter("ignore")
import gym_pusht
seed, actions = json.loads(sys.stdin.read())
def told(seen, reward, over, info):
    return {
        "image": hashlib.md5(seen["pixels"].tobytes()).hexdigest(),
        "proprio": seen["agent_pos"].astype(np.float32).tolist(),
        "coverage": info.get("coverage"), "reward": float(reward), "over": over,
        "success": bool(info["is_success"]), "block": info["block_pose"].tolist(),
    }
env = gymnasium.make("gym_pusht/PushT-v0", obs_type="pixels_agent_pos", render_mode="rgb_array")
seen, info = env.reset(seed=seed)
lines = [told(seen, 0.0, False, info)]
for action in actions:
    seen, reward, terminated, truncated, info = env.step(np.array(action, np.float32))
    lines.append(told(seen, reward, bool(terminated or truncated), info))
sys.__stdout__.write("\\nLINES" + json.dumps(lines))
"""
"""Plays the bare package as LeRobot does, and prints what it saw."""


@pytest.fixture(scope="module")
def there() -> Iterator[str]:
    """Make PushT available from whichever interpreter has it, whose path this is, or skip."""
    with pytest.MonkeyPatch.context() as patch:
        if PushTAdapter.missing() is not None:
            python = _from_file(ROOT / "bench.toml").get("pusht") or str(
                ROOT / ".bench/interpreters/pusht/bin/python"
            )
            patch.setenv(VARIABLE, json.dumps({"pusht": python}))
            missing = load_adapter(ENTRY).missing()
            end_probes()
            if missing is not None:
                pytest.skip(f"{missing.reason}: {missing.remedy}")
        yield interpreter_of(ENTRY) or sys.executable


@pytest.fixture(scope="module")
def adapter(there: str) -> Iterator[Adapter]:
    adapter = load_adapter(ENTRY)(TASK)
    yield adapter
    adapter.close()


def view(step: TimeStep, name: str) -> np.ndarray:
    value: Any = step.observation[name]
    return value() if callable(value) else value


def case(seed: int) -> Case:
    return Case(TASK, seed)


def test_the_suite_is_lerobots_evaluation() -> None:
    assert (SUITES[0].episodes, TASK.first_seed, TASK.max_steps) == (50, 1000, 300)
    assert (TASK.success, TASK.score, TASK.control_hz) == ("ever", "max_reward", 10.0)
    assert {each.value for each in TASK.references if each.same_rule} == {
        0.638,
        0.654,
        0.895,
        0.955,
    }


@pytest.mark.parametrize("params", [{}, {"size": 0}, {"size": "96"}, {"size": 96, "x": 1}])
def test_a_wrong_param_is_named(params: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="`size`, a whole number of px"):
        PushTAdapter(dataclasses.replace(TASK, params=params))


@pytest.mark.slow
def test_contract(there: str) -> None:
    check_adapter(TASK, steps=30)


def test_it_plays_as_the_bare_package(there: str, adapter: Adapter) -> None:
    """Places, rewards, coverage, pixels and the end, at every step of two episodes."""
    import hashlib

    for seed, count in ((1000, 60), (7, 300)):
        actions = np.random.default_rng(seed).uniform(0, 512, (count, 2)).astype(np.float32)
        done = subprocess.run(
            [there, "-I", "-c", BARE],
            input=json.dumps([seed, actions.tolist()]),
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        expected = json.loads(done.stdout.partition("LINES")[2])
        step, best = adapter.reset(case(seed)), 0.0
        for number, line in enumerate(expected):
            if number:
                step = adapter.step(actions[number - 1])
                best = max(best, line["reward"])
                assert step.metrics["coverage"] == pytest.approx(line["coverage"], abs=1e-9)
            assert hashlib.md5(view(step, "image").tobytes()).hexdigest() == line["image"], number
            assert view(step, "proprio").tolist() == line["proprio"]
            assert step.reward == pytest.approx(line["reward"], abs=1e-9)
            assert step.success == line["success"]
            assert (step.terminated or step.truncated) == line["over"], number
            assert step.metrics["max_reward"] == pytest.approx(best, abs=1e-8)
            state = view(step, "state")
            assert np.allclose(state[2:4], line["block"][:2], atol=1e-3)
            turned = (state[4] - line["block"][2] + np.pi) % (2 * np.pi) - np.pi
            assert abs(turned) < 1e-5
    assert step.truncated
    assert not step.terminated


def test_the_expert_covers_the_target(adapter: Adapter) -> None:
    for seed in (1000, 1002):
        step, executed = adapter.reset(case(seed)), None
        for _ in range(300):
            executed = adapter.brief.action.validate(adapter.expert(executed))
            step = adapter.step(executed)
            if step.terminated:
                break
        assert step.success is True
        assert step.metrics["max_reward"] == 1.0
        assert step.metrics["coverage"] == step.metrics["max_coverage"] > 0.95


def test_the_expert_plans_again_when_another_action_was_executed(adapter: Adapter) -> None:
    adapter.reset(case(1003))
    executed = None
    for number in range(40):
        wanted = adapter.expert(executed)
        executed = wanted if number % 3 else np.clip(wanted + 25, 0, 512).astype(np.float32)
        step = adapter.step(executed)
    assert step.metrics["coverage"] > 0.0
    assert "expert_gave_up" not in step.metrics


def test_the_disc_goes_where_it_is_sent(adapter: Adapter) -> None:
    """x to the right, y down, in the pixels of the plane and of the picture."""
    for seed in (1000, 1001):
        adapter.reset(case(seed))
        for target in ((480.0, 40.0), (40.0, 480.0)):
            for _ in range(12):
                step = adapter.step(np.array(target, np.float32))
            assert np.allclose(view(step, "proprio"), target, atol=1.0)
            x, y = (int(place / 512 * 96) for place in target)
            red, green, blue = view(step, "image")[y, x].astype(int)
            assert blue > 200 > red + 40, "the disc is blue"
            assert green < blue


def test_the_keypoints_are_corners_of_the_t(adapter: Adapter) -> None:
    step = adapter.reset(case(1004))
    x, y, angle = view(step, "state")[2:]
    outline = Tee((float(x), float(y), float(angle))).to_plane(OUTLINE)
    corners = view(step, "state_keypoints").reshape(8, 2)
    apart = np.hypot(*(outline[:, None] - corners).transpose(2, 0, 1))
    assert (apart.min(axis=1) < 0.01).all(), "each corner of the outline is among them"
    assert (apart.min(axis=0) < 0.01).all()


def test_the_neutral_action_and_bad_ones(adapter: Adapter) -> None:
    assert adapter.brief.action.noop().tolist() == [256.0, 256.0]
    adapter.reset(case(1000))
    for wrong in (None, "up", np.zeros(3), [np.nan, 1.0]):
        with pytest.raises(BadAction):
            adapter.step(wrong)


def test_lerobots_profile_fits(adapter: Adapter) -> None:
    profile = load_profile("lerobot-pusht")
    assert profile.mismatches(adapter.brief) == ()
    assert profile.missing(adapter.brief) is None


@pytest.mark.parametrize(
    ("name", "view_name"), [("friction", "state"), ("texture", "image"), ("start", "state")]
)
def test_perturbations_take_effect_and_the_next_episode_is_clean(
    adapter: Adapter, name: str, view_name: str
) -> None:
    clean = step_digests(adapter, make_case(TASK), view_name, 40)
    changed = step_digests(adapter, make_case(TASK, name, 5), view_name, 40)
    assert changed != clean
    assert step_digests(adapter, make_case(TASK), view_name, 40) == clean
    assert step_digests(adapter, make_case(TASK, name, 5), view_name, 40) == changed


def test_other_colours_change_no_state(adapter: Adapter) -> None:
    plain = step_digests(adapter, make_case(TASK), "state", 20)
    assert step_digests(adapter, make_case(TASK, "texture", 5), "state", 20) == plain


def test_frames_for_people_change_nothing(adapter: Adapter) -> None:
    plain = step_digests(adapter, make_case(TASK), "image", 5)
    adapter.reset(case(1001))
    frame = adapter.render()
    assert (frame.shape, frame.dtype) == ((512, 512, 3), np.uint8)
    assert not (frame == [255, 0, 0]).all(axis=2).any(), "no target of an earlier episode is drawn"
    adapter.step(np.array([100, 100], np.float32))
    assert (adapter.render() == [255, 0, 0]).all(axis=2).any()
    assert step_digests(adapter, make_case(TASK), "image", 5) == plain


def test_distances_from_the_t() -> None:
    tee = Tee((100.0, 200.0, np.pi / 2))  # turned so that its stem points to the left
    assert tee.to_plane(np.array([[0.0, 120.0]]))[0] == pytest.approx((-20.0, 200.0))
    points = np.array([[110.0, 200.0], [90.0, 150.0], [-40.0, 200.0], [40.0, 225.0]])
    assert tee.distance(points) == pytest.approx([10.0, 0.0, 20.0, 10.0])
    assert error(GOAL) == pytest.approx(0.0, abs=1e-9)
    assert error((GOAL[0] + 3.0, GOAL[1] - 4.0, GOAL[2])) == pytest.approx(5.0)


def test_ways_keep_away_from_the_t() -> None:
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(50):
        tee = Tee((float(rng.uniform(150, 350)), float(rng.uniform(150, 350)), rng.uniform(-3, 3)))
        start, end = rng.uniform(0, 512, (2, 2))
        if tee.distance(np.stack([start, end])).min() < 18.0:
            out = tee.way_out(start, 18.0)
            assert tee.distance(out[None])[0] >= 18.0 - 1e-9
            continue
        way = tee.path(start, end, 18.0)
        if way is None:
            continue
        found += 1
        assert np.array_equal(way[-1], end)
        for begin, stop in zip([start, *way], way):
            along = np.linspace(0, 1, 500)[:, None]
            assert tee.distance(begin + along * (stop - begin)).min() > 17.5
    assert found > 15


def test_a_horizon_beyond_the_packages_is_played(there: str) -> None:
    task: Task = dataclasses.replace(TASK, id="pusht/longer@1", max_steps=310)
    longer = load_adapter(ENTRY)(task)
    try:
        longer.reset(Case(task, 1000))
        ends = [longer.step(np.array([20.0, 20.0], np.float32)).truncated for _ in range(310)]
    finally:
        longer.close()
    assert ends == [False] * 309 + [True]
