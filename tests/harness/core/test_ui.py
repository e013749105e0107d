"""Properties of UI actions, their spec, the elements of a screen, and their way through a trace."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core import UI, BadAction, Element, Elements, UIAction
from harness.core.ui import DIRECTIONS, UI_KINDS
from harness.records.traces import Trace, encode_actions

KEYS = ("Enter", "Control+A")
SPEC = UI(
    160,
    210,
    UI_KINDS,
    keys=KEYS,
    modifiers=("Control",),
    apps=("Clock",),
    texts=("a", "b c"),
    max_length=20,
)

points = {
    "x": st.integers(0, 159) | st.floats(0, 159),
    "y": st.integers(0, 209) | st.floats(0, 209),
}
places = st.fixed_dictionaries(points) | st.fixed_dictionaries({"ref": st.integers(0, 9999)})
texts = st.text(min_size=1, max_size=20)


@st.composite
def actions(draw: st.DrawFn) -> UIAction:
    """Actions of any kind that SPEC takes."""
    kind = draw(st.sampled_from(UI_KINDS))
    fields: dict[str, Any] = {}
    pointing = kind in (
        "click",
        "double_click",
        "long_press",
        "hover",
        "mouse_down",
        "mouse_up",
        "drag",
    )
    if pointing or (kind in ("type", "key", "scroll") and draw(st.booleans())):
        fields |= draw(places)
    if kind == "drag":
        fields |= {f"to_{name}": value for name, value in draw(places).items()}
    if kind == "click" and draw(st.booleans()):
        fields["modifier"] = "Control"
    if kind == "scroll":
        fields["direction"] = draw(st.sampled_from(DIRECTIONS))
        fields |= draw(st.just({}) | st.fixed_dictionaries({"amount": st.floats(1, 1000)}))
    wanted = {"type": texts, "key": st.sampled_from(KEYS), "open_app": st.just("Clock")}
    if kind in wanted:
        fields["text"] = draw(wanted[kind])
    return UIAction(kind, **fields)


@given(actions())
def test_what_conforms_is_taken_as_it_is(action: UIAction) -> None:
    assert SPEC.coerce(action) == (action, False)
    assert SPEC.coerce(action.fields()) == (action, False)
    assert SPEC.coerce({**dict.fromkeys(vars(action)), **action.fields()}) == (action, False), (
        "None is as good as absent"
    )
    assert SPEC.validate(action) == action
    assert SPEC.problem(action) is None
    assert hash(SPEC.validate(action)) == hash(SPEC.validate(action.fields()))


@given(st.integers(0, 2**32))
def test_samples_conform(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(20):
        action = SPEC.sample(rng)
        assert SPEC.coerce(action) == (action, False)
    assert SPEC.coerce(SPEC.noop()) == (UIAction("wait"), False)


def test_samples_are_of_every_kind() -> None:
    rng = np.random.default_rng(0)
    assert {SPEC.sample(rng).kind for _ in range(500)} == set(UI_KINDS)
    without = UI(9, 9, ("type", "open_app", "wait"), texts=())
    assert {without.sample(rng).kind for _ in range(50)} == {"wait"}, (
        "nothing to type and no app to name"
    )


@given(st.lists(actions(), max_size=8))
def test_a_trace_gives_back_what_was_done(done: list[UIAction]) -> None:
    trace = Trace(
        case="case",
        task="ui/toy@1",
        seed=0,
        instruction="",
        actions=encode_actions(done),
        digest="",
    )
    assert trace.decoded() == done
    assert [UIAction.decode(action.encode()) for action in done] == done


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"kind":"click","z":1}', "null"])
def test_what_is_no_encoded_action_is_refused(text: str) -> None:
    with pytest.raises(BadAction, match="no encoded UI action"):
        UIAction.decode(text)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_points_beside_the_screen_are_moved_onto_it(x: float, y: float) -> None:
    taken, clipped = SPEC.coerce(UIAction("click", x=x, y=y))
    assert taken.x is not None
    assert taken.y is not None
    assert 0 <= taken.x < 160
    assert 0 <= taken.y < 210
    assert clipped == ((taken.x, taken.y) != (x, y)) == (not (0 <= x < 160 and 0 <= y < 210))
    if clipped:
        with pytest.raises(BadAction, match="outside of the screen of 160 x 210 px"):
            SPEC.validate(UIAction("click", x=x, y=y))


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (None, "expected a UIAction or a mapping"),
        ("click", "expected a UIAction or a mapping"),
        ({"kind": "swipe"}, "'swipe' does not exist here; expected one of click"),
        ({"x": 1, "y": 2}, "None does not exist here"),
        ({"kind": ["click"]}, "does not exist here"),
        ({"kind": "click", "z": 1}, "has no field 'z'"),
        ({"kind": "click"}, "needs x and y, or ref"),
        ({"kind": "click", "x": 1}, "as y, got None"),
        ({"kind": "click", "x": 1, "y": 2, "ref": 3}, "not both"),
        ({"kind": "click", "x": math.nan, "y": 2}, "finite number as x, got nan"),
        ({"kind": "click", "x": "1", "y": 2}, "finite number as x, got '1'"),
        ({"kind": "click", "x": True, "y": 2}, "finite number as x, got True"),
        ({"kind": "click", "ref": 1.5}, "an integer, got 1.5"),
        ({"kind": "click", "ref": -1}, "an integer, got -1"),
        ({"kind": "click", "ref": True}, "an integer, got True"),
        ({"kind": "click", "ref": 1, "text": "a"}, "a click has no text; it takes a place"),
        (
            {"kind": "click", "ref": 1, "modifier": "Shift"},
            "'Shift' of a click does not exist here; expected one of Control",
        ),
        ({"kind": "wait", "x": 1, "y": 1}, "a wait has no x or y; it takes nothing"),
        ({"kind": "drag", "x": 1, "y": 1}, "needs to_x and to_y, or to_ref"),
        ({"kind": "type", "text": ""}, "a text that is not empty, got ''"),
        ({"kind": "type", "text": 5}, "a text that is not empty, got 5"),
        ({"kind": "type", "text": "x" * 21}, "at most 20 characters, got 21"),
        (
            {"kind": "key", "text": "Alt+F4"},
            "'Alt\\+F4' does not exist here; expected one of Enter, Control\\+A",
        ),
        ({"kind": "open_app", "text": "Mail"}, "'Mail' does not exist here; expected one of Clock"),
        ({"kind": "scroll"}, "one of up, down, left, right, got None"),
        ({"kind": "scroll", "direction": "north"}, "got 'north'"),
        ({"kind": "scroll", "direction": "up", "amount": 0}, "above 0 px, got 0"),
    ],
)
def test_what_does_not_conform_is_refused_in_words(action: Any, words: str) -> None:
    for refuse in (SPEC.coerce, SPEC.validate):
        with pytest.raises(BadAction, match=words):
            refuse(action)
    assert SPEC.problem(action) is not None


def test_numpy_numbers_become_pythons() -> None:
    taken = SPEC.validate(
        {"kind": "drag", "x": np.float32(1.5), "y": np.int64(2), "to_ref": np.uint8(7)}
    )
    assert taken == UIAction("drag", x=1.5, y=2.0, to_ref=7)
    assert [type(value) for value in taken.fields().values()] == [str, float, float, int]


def test_only_what_the_spec_names_is_possible() -> None:
    few = UI(10, 10, ("click", "wait"), refs=False)
    with pytest.raises(BadAction, match="does not exist here"):
        few.coerce(UIAction("type", text="a"))
    with pytest.raises(BadAction, match="no refs here"):
        few.coerce(UIAction("click", ref=1))
    assert (
        UI(10, 10, ("open_app", "wait")).validate({"kind": "open_app", "text": "any"}).text == "any"
    )


@pytest.mark.parametrize(
    "wrong",
    [{"width": 0}, {"kinds": ("click",)}, {"kinds": ("wait", "fly")}, {"kinds": ("wait", "key")}],
)
def test_a_spec_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^UI: "):
        UI(**{"width": 5, "height": 5, "kinds": ("wait",), **wrong})


def element(ref: int, parent: int = 0, **fields: Any) -> Element:
    known: dict[str, Any] = {"x": 0.0, "y": 1.0, "width": 10.0, "height": 4.0}
    return Element(ref, parent, "div", "", "", "", (), **{**known, **fields})


def test_elements_are_a_tree_in_order() -> None:
    spec = Elements()
    assert spec.problem(()) is None
    assert spec.problem((element(1), element(4, 1), element(2, 4))) is None
    assert element(1).center == (5.0, 3.0)
    for wrong, words in (
        ([element(1)], "expected a tuple"),
        ((1,), "holds a int"),
        ((element(1), element(1)), "two elements have the ref 1"),
        ((element(0),), "or it is 0"),
        ((element(2, 1), element(1)), "comes before its parent 1"),
        ((element(1, x=math.nan),), "finite floats"),
        ((element(1, width=-1.0),), "a width and height of 0 or more"),
        ((element(1, x=3),), "finite floats"),
    ):
        assert words in str(spec.problem(wrong))
