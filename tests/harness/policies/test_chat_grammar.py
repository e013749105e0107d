"""How actions are asked for and read in each action space, and images as PNG."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from harness.core import UI, BadAction, Box, Discrete, MultiDiscrete, Text, UIAction
from harness.policies.chat import forms, grammar
from harness.policies.chat.png import data_url, encode_png, shrunk
from harness.policies.chat.reply import BadReply, Reply, ToolCall

MOVES = Discrete(3, ("left", "go right", "stay"))
SCREEN = UI(100, 50, ("click", "type", "key", "scroll", "drag", "wait"), keys=("Enter",))
SPECS: dict[str, Any] = {
    "names": MOVES,
    "numbers": Discrete(4),
    "several": MultiDiscrete((2, 3)),
    "vector": Box((3,), "float32", -1, 1),
    "matrix": Box((2, 2), "float64", (0, 0, -5, -5), (1, 2, 3, 4)),
    "whole": Box((2,), "int64", 0, 9),
    "text": Text(20, ("look",)),
    "screen": SCREEN,
}


@pytest.mark.parametrize("form", forms.FORMS)
@pytest.mark.parametrize("name", SPECS)
def test_what_is_written_is_read_back(name: str, form: str) -> None:
    spec, rng = SPECS[name], np.random.default_rng(0)
    for _ in range(30):
        action = spec.coerce(spec.sample(rng))[0]
        messages = forms.spoken(form, spec, action, 1)
        said = messages[0]
        calls = tuple(
            ToolCall(each["function"]["name"], each["function"]["arguments"])
            for each in said.get("tool_calls", ())
        )
        again = forms.read(form, spec, Reply(content=said["content"], calls=calls))
        if isinstance(action, np.ndarray):
            np.testing.assert_allclose(again, action, atol=1e-4)
            assert again.dtype == action.dtype
        else:
            assert again == action


@pytest.mark.parametrize("name", SPECS)
def test_every_space_has_words_and_a_schema(name: str) -> None:
    spec = SPECS[name]
    assert grammar.described(spec).startswith("An action is ")
    schema = grammar.schema(spec)
    assert json.loads(json.dumps(schema)) == schema
    assert schema.keys() & {"type", "anyOf"}


def test_each_kind_of_action_on_a_screen_has_exactly_its_fields() -> None:
    forms_of = {
        (each["properties"]["kind"]["enum"][0], *each["required"][1:])
        for each in grammar.schema(SCREEN)["anyOf"]
    }
    assert ("click", "ref") in forms_of
    assert ("click", "x", "y") in forms_of
    assert ("click", "ref", "text") not in forms_of
    assert ("drag", "ref", "to_ref") in forms_of
    assert ("wait",) in forms_of
    values = {"ref": 3, "to_ref": 4, "x": 1, "y": 2, "to_x": 3, "to_y": 4, "direction": "up"}
    for kind, *names in forms_of:
        text = "Enter" if kind == "key" else "hello"
        fields = {name: values.get(name, text) for name in names}
        assert grammar.action_of(SCREEN, {"kind": kind, **fields}).kind == kind


def test_a_schema_allows_what_is_possible_now() -> None:
    assert grammar.schema(Text(), ("open door", "look"))["enum"] == ["open door", "look"]
    assert "enum" not in grammar.schema(Text(), tuple(map(str, range(10_000))))
    first = grammar.schema(SCREEN, (3, 7))["anyOf"][0]
    assert first["properties"]["ref"]["enum"] == [3, 7]


@pytest.mark.parametrize(
    ("name", "text", "action"),
    [
        ("names", "I go there.\nAction: Go right.", 1),
        ("names", "**Action:** `left`", 0),
        ("names", "2", 2),
        ("names", '{"action": "stay"}', 2),
        ("names", "<think>Action: left</think>\nAction: stay", 2),
        ("text", "Action: open the door", "open the door"),
        ("text", "look", "look"),
        ("screen", 'Action: {"kind": "click", "ref": 3}', UIAction("click", ref=3)),
        (
            "screen",
            'Action: ```json\n{"kind": "wait"}```\nAction: {"kind": "key", "text": "ENTER"}',
            UIAction("key", text="Enter"),
        ),
    ],
)
def test_plain_text_is_read_with_some_lenience(name: str, text: str, action: Any) -> None:
    assert forms.read("text", SPECS[name], Reply(content=text)) == action


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("names", ""),
        ("names", "left or right"),
        ("names", "7"),
        ("names", "line\nline"),
        ("vector", "Action: [1, 2]"),
        ("vector", "Action: [1, 2, NaN]"),
        ("vector", "Action: [1, 2, 1e999]"),
        ("vector", "Action: __import__('os')"),
        ("vector", "Action: [" + "[" * 5000),
        ("whole", "Action: [1.5, 2]"),
        ("whole", "Action: [" + "9" * 5000 + ", 1]"),
        ("several", "Action: [true, 1]"),
        ("several", "Action: [1, 3]"),
        ("text", "Action: " + "x" * 21),
        ("screen", 'Action: {"kind": "fly"}'),
        ("screen", 'Action: {"kind": "click"}'),
        ("screen", "Action: click"),
    ],
)
def test_what_is_no_action_is_refused_with_the_reason(name: str, text: str) -> None:
    with pytest.raises(BadAction):
        forms.read("text", SPECS[name], Reply(content=text))


@pytest.mark.parametrize(
    "calls",
    [
        (ToolCall("other", "{}"),),
        (ToolCall("act", "{}"), ToolCall("act", "{}")),
        (ToolCall("act", "[]"),),
        (ToolCall("act", '{"action": "fly"}'),),
        (ToolCall("act", '{"action": "left", "action": "stay"}'),),
    ],
)
def test_a_wrong_call_is_refused(calls: tuple[ToolCall, ...]) -> None:
    with pytest.raises(BadAction):
        forms.read("tools", MOVES, Reply(calls=calls))


@given(st.text(max_size=200), st.sampled_from(sorted(SPECS)), st.sampled_from(forms.FORMS))
def test_any_text_is_an_action_or_is_refused(text: str, name: str, form: str) -> None:
    spec = SPECS[name]
    try:
        action = forms.read(form, spec, Reply(content=text))
    except BadAction:
        return
    spec.coerce(action)


@given(st.binary(max_size=300))
def test_any_body_is_a_reply_or_is_refused(body: bytes) -> None:
    try:
        reply = Reply.from_json(body)
    except BadReply:
        return
    assert Reply.from_file(json.loads(json.dumps(reply.to_json()))) == reply


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (5, 7, 4), (1, 1, 3)])
def test_an_image_is_a_png_with_the_same_pixels(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    with Image.open(io.BytesIO(encode_png(image))) as opened:
        np.testing.assert_array_equal(np.asarray(opened), image)


def test_a_large_image_shrinks_to_its_means() -> None:
    image = np.zeros((9, 5, 3), np.uint8)
    image[::2] = 200
    small = shrunk(image, 4)
    assert small.shape == (3, 1, 3)
    assert 60 < small.mean() < 140
    head, _, body = data_url(image, 4).partition(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(body))) as opened:
        assert opened.size == (1, 3)
    with pytest.raises(ValueError, match="has no PNG"):
        encode_png(image.astype(np.float32))
