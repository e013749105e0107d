"""The Shadow hand with touch sensors: what the package plays, and what it feels."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

import numpy as np
import pytest

from adapters.robotics import HandAdapter
from harness.core import BadAction, Case, Task, TimeStep, UserError
from harness.testing import check_adapter
from suites.robotics import SUITES

gymnasium = pytest.importorskip("gymnasium")
pytest.importorskip("gymnasium_robotics")

TASKS = {task.name: task for suite in SUITES for task in suite.tasks if "hand" in suite.name}
BLOCK, PEN = TASKS["hand-touch/block"], TASKS["hand-touch/pen-rotate"]


def small(task: Task) -> Task:
    return dataclasses.replace(task, params={**task.params, "image_size": 32})


@pytest.fixture(scope="module")
def pen() -> Iterator[HandAdapter]:
    adapter = HandAdapter(small(PEN))
    yield adapter
    adapter.close()


def view(timestep: TimeStep, name: str) -> np.ndarray:
    return timestep.observation[name]()


def test_the_suite_has_the_packages_tasks_and_horizon(pen: HandAdapter) -> None:
    known = {
        name: spec.max_episode_steps
        for name, spec in gymnasium.registry.items()
        if name.endswith("_ContinuousTouchSensors-v1") and "Dense" not in name
    }
    assert {task.params["id"]: task.max_steps for task in TASKS.values()} == known
    assert len(known) == 8


def test_contract() -> None:
    check_adapter(small(PEN), steps=5, views=("state", "touch", "image"))


def test_a_kept_environment_plays_and_feels_what_the_bare_packages_do() -> None:
    """The ones with continuous and with Boolean sensors are one simulation."""
    adapter, case = HandAdapter(small(BLOCK)), Case(BLOCK, 4)
    names = BLOCK.params["id"], BLOCK.params["id"].replace("Continuous", "Boolean")
    one, other = (gymnasium.make(name) for name in names)
    rng = np.random.default_rng(0)
    adapter.reset(Case(BLOCK, 8))
    for _ in range(3):
        adapter.step(adapter.brief.action.sample(rng))
    timestep = adapter.reset(case)
    felt = set()
    (seen, _), (seen_too, _) = (env.reset(seed=case.simulator_seed) for env in (one, other))
    for _ in range(12):
        observed = seen["observation"].astype(np.float32)
        state = np.concatenate([observed[:61], seen["desired_goal"].astype(np.float32)])
        assert np.array_equal(view(timestep, "state"), state)
        assert np.array_equal(view(timestep, "state_goal"), state[61:])
        assert np.array_equal(view(timestep, "proprio"), state[:48])
        assert np.array_equal(view(timestep, "touch"), observed[61:])
        assert np.array_equal(view(timestep, "touch_contact"), seen_too["observation"][61:])
        felt |= set(np.flatnonzero(view(timestep, "touch_contact")))
        action = adapter.brief.action.sample(rng)
        seen, reward, _, _, info = one.step(action)
        seen_too, *_ = other.step(action)
        view(timestep, "image")  # drawn from a copy
        timestep = adapter.step(action)
        assert timestep.reward == reward
        assert timestep.success == bool(info["is_success"])
    assert len(felt) > 5
    for env in (adapter, one, other):
        env.close()


def test_an_object_that_leaves_the_hand_is_a_drop(pen: HandAdapter) -> None:
    timestep = pen.reset(Case(PEN, 0))
    assert timestep.metrics["drops"] == 0
    assert "distance" not in timestep.metrics, "the position of the pen does not count"
    rng = np.random.default_rng(0)
    drops = []
    for _ in range(100):
        timestep = pen.step(pen.brief.action.sample(rng))
        drops.append(timestep.metrics["drops"])
    assert timestep.truncated
    assert drops == sorted(drops)
    assert drops[-1] >= 1
    height = pen._data.site_xpos[pen._centre][2]
    assert height < 0.04
    assert view(timestep, "touch").shape == (92,)
    assert timestep.metrics["contact_force_max"] > 1.0
    assert timestep.metrics["energy"] > 1.0
    assert timestep.metrics["collisions"] == 0, "the hand hangs in the air"
    assert pen.reset(Case(PEN, 0)).metrics["energy"] == 0


def test_success_is_the_packages_rule(pen: HandAdapter) -> None:
    pen.reset(Case(PEN, 1))
    pen._env.goal[:] = pen._observed["achieved_goal"]
    timestep = pen.step(pen.brief.action.noop())
    assert timestep.metrics["angle"] < 0.1
    assert (timestep.success, timestep.reward) == (True, 0.0)
    assert not timestep.terminated


def test_the_goal_is_drawn(pen: HandAdapter) -> None:
    timestep = pen.reset(Case(PEN, 2))
    first = view(timestep, "image")
    pen._env.goal[2] += 0.1
    assert (view(timestep, "image") != first).any()
    assert pen.render().shape == (480, 480, 3)


def test_there_is_no_expert_and_bad_actions_change_nothing(pen: HandAdapter) -> None:
    pen.reset(Case(PEN, 0))
    before = pen.state()
    assert not HandAdapter.has_expert(PEN)
    with pytest.raises(UserError, match="no expert"):
        pen.expert(None)
    for action in (None, np.zeros(19), np.full(20, np.nan), np.full(20, 1.5, np.float32)):
        with pytest.raises(BadAction):
            pen.step(action)
    assert pen.state() == before


def test_what_does_not_exist_is_named() -> None:
    for name, words in (
        ("HandReach-v2", "are called HandManipulateBlock|Egg|Pen..._Continuous"),
        ("HandManipulateBlock_BooleanTouchSensors-v1", "are called HandManipulateBlock|Egg"),
        ("HandManipulateBall_ContinuousTouchSensors-v1", "gymnasium_robotics has no"),
    ):
        task = dataclasses.replace(PEN, params={**PEN.params, "id": name})
        with pytest.raises(UserError, match=re.escape(words)):
            HandAdapter(task)
