"""What becomes of any value at all at the doors for actions and for a simulator's values."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from oddvalues import HALF, Sly, Tensor, Unprintable

from harness.core import (
    UI,
    ActionSpec,
    BadAction,
    Box,
    Discrete,
    Element,
    Elements,
    MultiDiscrete,
    Spec,
    Text,
    Texts,
    UIAction,
)
from harness.core.values import BadValue, as_flag, as_number, as_text, as_view

SPECS: list[ActionSpec] = [
    Box((2,), "float32", -1.0, 1.0),
    Box((), "float64"),
    Box((2, 2), "float32", -math.inf, (0.0, 1.0, 2.0, 3.0)),
    Box((3,), "int8", -5, 5),
    Box((1,), "uint8", 0, 255),
    Box((1,), "float16"),
    Discrete(3),
    MultiDiscrete((2, 3)),
    Text(5, ("look",)),
    UI(100, 50, ("click", "type", "key", "scroll", "drag", "wait"), keys=("Enter",)),
]


class Raises:
    """Raises from every method that a conversion may call."""

    def __init__(self, fault: type[Exception]) -> None:
        self._fault = fault

    def _raise(self, *_: Any, **__: Any) -> Any:
        raise self._fault("from foreign code")

    __array__ = __index__ = __len__ = __iter__ = __float__ = __int__ = __bool__ = __repr__ = _raise
    __eq__ = __lt__ = __le__ = __getitem__ = __str__ = _raise
    __hash__ = None  # type: ignore[assignment]


FAULTS = st.sampled_from([TypeError, ValueError, MemoryError, RecursionError, BadAction, OSError])
TEXTS = st.text(st.characters(exclude_categories=()))
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(0, 3),
    st.floats(),
    st.floats(width=32),
    st.complex_numbers(),
    st.fractions(),
    st.decimals(),
    st.binary(),
    TEXTS,
    TEXTS.map(Sly),
    st.dates(),
    FAULTS.map(Raises),
    hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, max_dims=3, max_side=3)),
    hnp.arrays(np.object_, hnp.array_shapes(max_side=3), elements=st.none() | st.integers()),
    st.builds(Tensor),
    st.builds(Unprintable),
    st.sampled_from([5000, 300_000]).map(lambda digits: 10**digits),
    st.sampled_from([object, math.sin, range(2)]),
)
FIELDS = st.dictionaries(
    st.sampled_from(sorted(UIAction.__dataclass_fields__)) | TEXTS, PLAIN, max_size=4
)
ANYTHING = st.recursive(
    PLAIN | FIELDS,
    lambda part: (
        st.lists(part, max_size=4)
        | st.tuples(part, part)
        | st.dictionaries(TEXTS, part, max_size=3)
    ),
    max_leaves=6,
)
KINDS = st.fixed_dictionaries(
    {"kind": st.sampled_from(["click", "type", "key", "scroll", "drag", "wait"])},
    optional=dict.fromkeys(
        [name for name in UIAction.__dataclass_fields__ if name != "kind"], PLAIN
    ),
)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{type(spec).__name__}")
@settings(max_examples=150, deadline=None)
@given(value=ANYTHING | KINDS)
def test_an_action_becomes_a_plain_value_or_is_refused(spec: ActionSpec, value: Any) -> None:
    reason = ""
    try:
        taken, _ = spec.coerce(value)
    except BadAction as bad:
        reason = str(bad)
    if reason:
        assert len(reason.encode()) < 2000
        return
    assert type(taken) in (np.ndarray, int, str, UIAction)
    again, clipped = spec.coerce(taken)
    assert not clipped
    assert np.array_equal(again, taken) if isinstance(taken, np.ndarray) else again == taken
    if isinstance(taken, UIAction):
        assert UIAction.decode(taken.encode()) == taken
        taken.encode().encode()
    if isinstance(spec, Box):
        assert spec.problem(taken) is None


VIEWS: list[Spec] = [*SPECS[:-1], Texts(), Elements()]


@pytest.mark.parametrize("spec", VIEWS, ids=lambda spec: f"{type(spec).__name__}")
@settings(max_examples=100, deadline=None)
@given(value=ANYTHING)
def test_a_view_is_a_value_of_its_spec_or_is_refused(spec: Spec, value: Any) -> None:
    reason = ""
    try:
        view = as_view(spec, value, "the view x")
    except BadValue as bad:
        reason = str(bad)
    if reason:
        assert b"the view x" in reason.encode()
        return
    if not view.outside:
        assert not isinstance(spec, UI)
        assert spec.problem(view.value) is None


@settings(deadline=None)
@given(value=ANYTHING)
def test_flags_numbers_and_texts_are_plain_or_refused(value: Any) -> None:
    for door, kind in ((as_flag, bool), (as_number, float), (as_text, str)):
        try:
            taken = door(value, "the reward")
        except BadValue as bad:
            str(bad).encode()
            continue
        assert type(taken) is kind
        assert kind is not float or math.isfinite(float(taken))


@pytest.mark.parametrize("value", [True, 1, 1.0, np.True_, np.array([True]), np.array(1.0)])
def test_what_is_true(value: Any) -> None:
    assert as_flag(value, "success") is True


@pytest.mark.parametrize(
    "value", [0.3, math.nan, None, "False", "True", 2, np.array([True, False]), np.zeros(0), b"1"]
)
def test_what_is_no_flag(value: Any) -> None:
    with pytest.raises(BadValue, match="success is"):
        as_flag(value, "success")


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.array([2]), Fraction(2)])
def test_what_is_a_number(value: Any) -> None:
    assert as_number(value, "the reward") == 2.0


@pytest.mark.parametrize("value", [None, math.nan, -math.inf, "2", np.ones(2), 10**400, [2.0]])
def test_what_is_no_number(value: Any) -> None:
    with pytest.raises(BadValue, match="the reward is"):
        as_number(value, "the reward")


BOX = Box((3,), "float32", -1.0, 1.0)
LARGE = Box((8, 8), "float32", 0.0, 1.0)


@pytest.mark.parametrize("box", [BOX, LARGE], ids=["small", "large"])
def test_bounds_are_kept_and_told_and_dtypes_cast(box: Box) -> None:
    inside = np.full(box.shape, 0.5, np.float32)
    view = as_view(box, inside, "v")
    assert view.value is inside
    assert (view.outside, view.cast) == (False, "")
    view = as_view(box, inside * 9, "v")
    assert (view.value.flat[0], view.outside) == (4.5, True)
    view = as_view(box, inside.astype(np.float64), "v")
    assert (view.value.dtype, view.outside, view.cast) == (np.float32, False, "float64")
    for bad in (np.nan, np.inf, -np.inf):
        odd = inside.copy()
        odd.flat[-1] = bad
        with pytest.raises(BadValue, match="v holds NaN or infinity"):
            as_view(box, odd, "v")
    with pytest.raises(BadValue, match="dtype float32, got int64"):
        as_view(box, inside.astype(int), "v")


def test_bounds_of_each_element() -> None:
    box = Box((2,), "float32", (0.0, -1.0), (1.0, math.inf))
    assert not as_view(box, np.array([0.5, 99], np.float32), "v").outside
    assert as_view(box, np.array([2.0, 0], np.float32), "v").outside
    wide = Box((40,), "float32", (0.0,) * 40, tuple(map(float, range(40))))
    assert not as_view(wide, np.zeros(40, np.float32), "v").outside
    assert as_view(wide, np.ones(40, np.float32), "v").outside


def test_integers_that_fit_are_cast() -> None:
    image = Box((20, 20, 3), "uint8", 0, 255)
    view = as_view(image, np.full((20, 20, 3), 200), "v")
    assert (view.value.dtype, view.cast, view.outside) == (np.uint8, "int64", False)
    for odd in (np.full((20, 20, 3), 300), np.full((20, 20, 3), -1), np.zeros((20, 20, 3))):
        with pytest.raises(BadValue, match="dtype uint8"):
            as_view(image, odd, "v")
    few = Box((40,), "int16", 0, 9)
    assert as_view(few, np.full(40, 10, np.int16), "v").outside


def test_choices_and_texts() -> None:
    assert as_view(Discrete(3), np.int64(2), "v").value == 2
    with pytest.raises(BadValue, match="no value of its spec"):
        as_view(Discrete(3), 3, "v")
    assert as_view(Text(3), "longer", "v").outside
    with pytest.raises(BadValue, match="half of a surrogate pair"):
        as_view(Text(30), HALF, "v")
    with pytest.raises(BadValue, match="half of a surrogate pair"):
        as_view(Texts(), ("look", HALF), "v")


@pytest.mark.parametrize("field", ["text", "value", "name", "classes"])
def test_elements_hold_text_that_can_be_encoded(field: str) -> None:
    fields: dict[str, Any] = {"text": "", "value": "", "name": "", "classes": ()}
    fields[field] = (HALF,) if field == "classes" else HALF
    element = Element(1, 0, "div", x=0.0, y=0.0, width=1.0, height=1.0, **fields)
    assert "half of a surrogate pair" in str(Elements().problem((element,)))
