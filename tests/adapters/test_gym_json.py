"""Gymnasium's spaces of every kind and nesting, and actions that are JSON."""

from __future__ import annotations

import copy
import json
from typing import Any

import levers
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from levers import lever, spaces

from adapters._gym_json import json_action
from adapters._gym_spaces import action_of, parts_of, pick, view_of
from harness.core import BadAction, Box, Case, Discrete, MultiDiscrete, Task, Text, UserError
from harness.core.values import BadValue

registered = levers.registered
START = Case(Task("gym/lever@1", "games", "a:B"), 0)

shapes = st.lists(st.integers(1, 3), max_size=2).map(tuple)
plain_spaces = st.one_of(
    shapes.map(lambda shape: spaces.Box(-2, 3, shape, np.float32)),
    shapes.map(lambda shape: spaces.Box(-4, 9, shape, np.int16)),
    st.tuples(st.integers(1, 5), st.integers(-3, 3)).map(
        lambda n: spaces.Discrete(*n[:1], start=n[1])
    ),
    st.lists(st.integers(1, 4), min_size=1, max_size=3).map(spaces.MultiDiscrete),
    shapes.map(lambda shape: spaces.MultiBinary(shape or 2)),
)
keys = st.text("ab_ /é", min_size=1, max_size=3)


def nested(leaves: st.SearchStrategy[Any], *, wild: bool) -> st.SearchStrategy[Any]:
    def grow(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        some = st.lists(inner, min_size=1, max_size=3)
        forms = [
            st.dictionaries(keys, inner, min_size=1, max_size=3).map(spaces.Dict),
            some.map(spaces.Tuple),
        ]
        if wild:
            forms += [inner.map(spaces.Sequence), some.map(spaces.OneOf)]
        return st.one_of(forms)

    return st.recursive(leaves, grow, max_leaves=5)


texts = st.integers(0, 2).map(lambda least: spaces.Text(4, min_length=least))
arrays = nested(plain_spaces, wild=False)
anything = nested(st.one_of(plain_spaces, texts), wild=True)
QUICK = settings(max_examples=40, deadline=None)


@QUICK
@given(anything, st.integers(0, 99))
def test_every_observation_is_one_of_its_views(space: Any, seed: int) -> None:
    space.seed(seed)
    value = space.sample()
    for path, part in parts_of(space, ()):
        _, spec, read = view_of(part, path)
        assert spec.problem(read(pick(value, path))) is None


@QUICK
@given(arrays, st.integers(0, 99))
def test_every_draw_of_an_array_is_an_action_of_the_space(space: Any, seed: int) -> None:
    spec, convert = action_of(space, None)
    assert isinstance(spec, (Box, Discrete, MultiDiscrete))
    for action in (spec.noop(), spec.sample(np.random.default_rng(seed))):
        assert space.contains(convert(spec.validate(action)))
    if isinstance(spec, Box) and spec.layout:
        assert sum(field.size for field in spec.layout) == spec.shape[0]


@QUICK
@given(anything, st.integers(0, 99))
def test_every_choice_of_json_is_an_action_of_the_space(space: Any, seed: int) -> None:
    space.seed(seed)
    before = copy.deepcopy(space).sample()
    spec, convert = json_action(space)  # type: ignore[misc]
    assert all(space.contains(convert(text)) for text in spec.choices)
    assert space.contains(convert(spec.noop()))
    np.testing.assert_equal(space.sample(), before, "the environment's own stream is untouched")


wild_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=2),
    max_leaves=6,
).map(json.dumps)


@QUICK
@given(anything, st.one_of(wild_json, st.text(max_size=20)))
def test_a_text_is_an_action_of_the_space_or_refused(space: Any, text: str) -> None:
    _, convert = json_action(space)  # type: ignore[misc]
    refusal = ""
    try:
        assert space.contains(convert(text))
    except BadAction as refused:
        refusal = str(refused)
    assert len(refusal) < 700


PLAN = spaces.Dict(
    {
        "moves": spaces.Sequence(spaces.Discrete(4, start=1)),
        "say": spaces.Text(5),
        "with": spaces.OneOf([spaces.Box(-1, 1, (2,)), spaces.MultiBinary(2)]),
    }
)


def test_a_plan_as_json() -> None:
    adapter = lever(action=PLAN)
    spec = adapter.brief.action
    assert isinstance(spec, Text)
    assert spec.meaning == (
        'JSON: {"moves": a list, each of it 0 to 3, "say": a text of 1 to 5 characters, "with": '
        "one of [0, numbers of shape (2,) from -1 to 1]; [1, 0 or 1 of shape (2,)]}"
    )
    assert json.loads(spec.noop()) == {"moves": [], "say": "0", "with": [0, [0.0, 0.0]]}
    assert len(spec.choices) == 16
    adapter.reset(START)
    adapter.step('{"moves": [0, 3], "say": "go", "with": [0, [0.5, -1]]}')
    pulled = adapter._env.unwrapped.pulled
    assert pulled["moves"] == (1, 4)
    assert (pulled["say"], pulled["with"][0]) == ("go", 0)
    np.testing.assert_array_equal(pulled["with"][1], np.array([0.5, -1], np.float32))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("go left", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("1" + "0" * 5000, "is no JSON"),
        ('{"moves": []}', "an object with the keys moves, say, with"),
        ('{"moves": 1, "say": "a", "with": [1, [0, 1]]}', "the action/moves is 1: expected a list"),
        ('{"moves": [4], "say": "a", "with": [1, [0, 1]]}', "is no action of the space"),
        ('{"moves": [true], "say": "a", "with": [1, [0, 1]]}', "expected whole numbers of shape"),
        ('{"moves": [], "say": 5, "with": [1, [0, 1]]}', "the action/say is 5: expected a text"),
        ('{"moves": [], "say": "toolong", "with": [1, [0, 1]]}', "is no action of the space"),
        ('{"moves": [], "say": "a", "with": [2, [0, 1]]}', "[which of 2 spaces, and its value]"),
        ('{"moves": [], "say": "a", "with": [0, [0, 2]]}', "expected numbers from -1 to 1"),
        ('{"moves": [], "say": "a", "with": [0, [NaN, 0]]}', "NaN is no number"),
        ('{"moves": [], "say": "a", "with": [0, [1e999, 0]]}', "expected finite numbers"),
        ('{"moves": [], "say": "a", "with": [0, [0, "1"]]}', "expected numbers of shape (2,)"),
        ('{"moves": [], "say": "a", "with": [0, [0, [1]]]}', "expected numbers of shape (2,)"),
    ],
)
def test_json_that_is_no_action_is_refused_and_changes_nothing(text: str, words: str) -> None:
    adapter = lever(action=PLAN)
    adapter.reset(START)
    with pytest.raises(BadAction) as refused:
        adapter.step(text)
    assert words in str(refused.value)
    assert adapter._env.unwrapped.pulled is None


GRAPH = spaces.Graph(spaces.Box(-1, 1, (2,)), spaces.Discrete(3))


def test_graphs_and_values_of_several_spaces_are_read_as_json() -> None:
    space = spaces.Dict(
        {"map": GRAPH, "found": spaces.OneOf([spaces.Discrete(3), spaces.Box(0, 1, (2,))])}
    )
    adapter = lever(observation=space)
    assert set(adapter.brief.observation) == {"text_map", "text_found"}
    for seed in range(6):
        step = adapter.reset(Case(START.task, seed))
        seen = adapter._observed
        told = json.loads(step.observation["text_map"]())
        assert told["nodes"] == seen["map"].nodes.tolist()
        assert (told["edges"] is None) == (seen["map"].edges is None)
        which, value = json.loads(step.observation["text_found"]())
        assert which == seen["found"][0]
        assert value == np.asarray(seen["found"][1]).tolist()
        assert adapter.state()
    for part, words in (("map", "a Graph of"), ("found", "a OneOf of")):
        adapter._observed = {**seen, part: 5}
        with pytest.raises(BadValue, match=words):
            step.observation[f"text_{part}"]()


def test_a_stacked_sequence_is_read_item_by_item() -> None:
    inner = spaces.Dict({"x": spaces.Box(-1, 1, (2,)), "n": spaces.Discrete(3)})
    adapter = lever(observation=spaces.Sequence(inner, stack=True))
    lengths = set()
    for seed in range(8):
        items = adapter.reset(Case(START.task, seed)).observation["texts"]()
        seen = adapter._observed
        assert [json.loads(item)["x"] for item in items] == seen["x"].tolist()
        lengths.add(len(items))
    assert len(lengths) > 1
    adapter._observed = 5
    with pytest.raises(BadValue, match="a stacked Sequence"):
        adapter._views["texts"]()


@pytest.mark.parametrize(
    "space",
    [
        GRAPH,
        spaces.Tuple([GRAPH]),
        spaces.Sequence(spaces.Discrete(2), stack=True),
        spaces.Dict({}),
    ],
    ids=["graph", "inside", "stacked", "empty"],
)
def test_actions_that_cannot_be_written_are_refused(space: Any) -> None:
    with pytest.raises(UserError, match="register the environment with an action wrapper"):
        lever(action=space)


def test_a_space_of_the_old_package_is_named() -> None:
    old = type("Box", (), {"__module__": "gym.spaces.box"})()
    for make in (lambda: action_of(old, None), lambda: view_of(old, ("a",))):
        with pytest.raises(UserError, match=r"is a Box of the old package gym.*shimmy's GymV21"):
            make()
