"""The generic Gymnasium adapter: which views and actions it makes of every kind of space."""

from __future__ import annotations

from typing import Any

import levers
import numpy as np
import pytest
from levers import gymnasium, lever, spaces

from adapters.gym import GymAdapter, task_for
from harness.core import Box, Case, Discrete, MultiDiscrete, Spec, Task, Text

registered = levers.registered


def test_discrete_spaces_are_counted_from_zero() -> None:
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


def test_actions_have_the_names_of_ale_py() -> None:
    ale_py = pytest.importorskip("ale_py")
    gymnasium.register_envs(ale_py)
    task = task_for("ale_py:ALE/Pong-v5")
    adapter = GymAdapter(task)
    assert adapter.brief.action == Discrete(
        6, ("NOOP", "FIRE", "RIGHT", "LEFT", "RIGHTFIRE", "LEFTFIRE")
    )
    assert adapter.reset(Case(task, 0)).observation["image"]().shape == (210, 160, 3)
