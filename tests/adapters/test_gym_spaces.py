"""The generic Gymnasium adapter: which views and actions it makes of every kind of space."""

from __future__ import annotations

import json
from typing import Any

import levers
import numpy as np
import pytest
from levers import gymnasium, lever, spaces

from adapters.gym import GymAdapter
from adapters.gym_task import task_for
from harness.core import Box, Case, Discrete, MultiDiscrete, Spec, Task, Text
from harness.core.values import BadValue

registered = levers.registered

BOX_OF_4 = spaces.Box(-1, 1, (2, 2))


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
        (
            spaces.Tuple([spaces.Discrete(3, start=1), spaces.MultiBinary(2)]),
            MultiDiscrete((3, 2, 2), "0 (choices, 1 in all), then 1 (choices, 2 in all)"),
            np.array([2, 0, 1]),
            (3, np.array([0, 1], np.int8)),
        ),
        (
            spaces.Dict(
                {
                    "arm": spaces.Dict({"grip": spaces.Discrete(2), "pose": BOX_OF_4}),
                    "many": spaces.Box(0, 9, (), np.int32),
                }
            ),
            Box(
                (6,),
                "float64",
                (-0.5, *(-1.0,) * 4, -0.5),
                (1.5, *(1.0,) * 4, 9.5),
                meaning="arm/grip (choices, 1 in all), then arm/pose (numbers, 4 in all), "
                "then many (numbers, 1 in all)",
            ),
            np.array([0.7, 0.1, 0.2, 0.3, 0.4, 2.6]),
            {
                "arm": {"grip": 1, "pose": np.array([[0.1, 0.2], [0.3, 0.4]], np.float32)},
                "many": np.array(3, np.int32),
            },
        ),
    ],
    ids=["box", "discrete", "choices", "bits", "text", "tuple", "dict"],
)
def test_action_spaces(space: Any, spec: Spec, action: Any, passed: Any) -> None:
    adapter = lever(action=space)
    assert adapter.brief.action == spec
    adapter.reset(Case(Task("gym/lever@1", "games", "a:B"), 0))
    adapter.step(action)
    pulled = adapter._env.unwrapped.pulled
    np.testing.assert_equal(pulled, passed)
    assert pulled in space


@pytest.mark.parametrize(
    "space",
    [
        spaces.Tuple([spaces.Discrete(3, start=1), spaces.Box(0, 4, (2,), np.int32), BOX_OF_4]),
        spaces.Dict({"a": spaces.MultiDiscrete([3, 5], start=[1, 2]), "b": spaces.MultiBinary(3)}),
    ],
    ids=["numbers", "choices"],
)
def test_every_draw_of_a_combined_action_is_one_of_the_space(space: Any) -> None:
    adapter = lever(action=space)
    adapter.reset(Case(Task("gym/lever@1", "games", "a:B"), 0))
    rng = np.random.default_rng(0)
    pulled = []
    for _ in range(600):
        adapter.step(adapter.brief.action.sample(rng))
        pulled.append(adapter._env.unwrapped.pulled)
        assert pulled[-1] in space
    if isinstance(space, spaces.Tuple):
        # Each choice and each integer is drawn equally often: 200 and 120 times, give or take.
        for values, least in (([p[0] for p in pulled], 160), ([p[1][0] for p in pulled], 85)):
            assert min(np.unique(values, return_counts=True)[1]) > least


def test_a_sequence_is_read_as_texts() -> None:
    """Its length changes from step to step."""
    inner = spaces.Dict({"x": spaces.Box(-1, 1, (2,)), "n": spaces.Discrete(3)})
    space = spaces.Dict({"items": spaces.Sequence(inner), "names": spaces.Sequence(spaces.Text(4))})
    adapter = lever(observation=space)
    assert set(adapter.brief.observation) == {"texts_items", "texts_names"}
    lengths = set()
    for seed in range(20):
        step = adapter.reset(Case(Task("gym/lever@1", "games", "a:B"), seed))
        items, names = (step.observation[f"texts_{key}"]() for key in ("items", "names"))
        seen = adapter._observed
        assert [json.loads(item) for item in items] == [
            {"n": int(each["n"]), "x": each["x"].tolist()} for each in seen["items"]
        ]
        assert names == seen["names"]
        assert all(
            spec.problem(step.observation[view]()) is None
            for view, spec in adapter.brief.observation.items()
        )
        lengths.add(len(items))
        assert adapter.state()
    assert len(lengths) > 2


@pytest.mark.parametrize("value", ["text", 3, None, {"a": 1}, (object(),), (float,)])
def test_what_is_no_sequence_is_the_simulators_error(value: Any) -> None:
    adapter = lever(observation=spaces.Sequence(spaces.Discrete(2)))
    step = adapter.reset(Case(Task("gym/lever@1", "games", "a:B"), 0))
    adapter._observed = value
    with pytest.raises(BadValue, match="a Sequence of the observation"):
        step.observation["texts"]()


def test_actions_have_the_names_of_ale_py() -> None:
    ale_py = pytest.importorskip("ale_py")
    gymnasium.register_envs(ale_py)
    task = task_for("ale_py:ALE/Pong-v5")
    adapter = GymAdapter(task)
    assert adapter.brief.action == Discrete(
        6, ("NOOP", "FIRE", "RIGHT", "LEFT", "RIGHTFIRE", "LEFTFIRE")
    )
    assert adapter.reset(Case(task, 0)).observation["image"]().shape == (210, 160, 3)
