"""Properties that every spec keeps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.core.specs import BadAction, Box, Discrete, MultiDiscrete, Spec, Text

SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, max_side=4)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    """Boxes of any dtype, bounded or not, with one bound for all elements or one for each.

    The bounds are numbers of the box's dtype.
    """
    shape = draw(SHAPES.filter(lambda shape: shape != ()))
    dtype = draw(st.sampled_from(["float32", "float64", "int64", "int16", "uint8"]))
    if dtype == "uint8":
        low, high = 0.0, 255.0
    elif dtype.startswith("int"):
        low, high = sorted(draw(st.tuples(*[st.integers(-1000, 1000)] * 2)))
    else:
        finite = st.floats(-1e6, 1e6, width=32)
        low = draw(st.one_of(st.just(-math.inf), finite))
        high = draw(st.one_of(st.just(math.inf), finite.filter(lambda value: value >= low)))
    if draw(st.booleans()):
        size = math.prod(shape)
        return Box(shape, dtype, (low,) * size, (high,) * size)
    return Box(shape, dtype, low, high)


names = st.text(min_size=1, max_size=5)
discretes = st.integers(1, 50).flatmap(
    lambda n: st.builds(Discrete, st.just(n), neutral=st.integers(0, n - 1))
)
multis = st.builds(MultiDiscrete, st.lists(st.integers(1, 20), min_size=1, max_size=5).map(tuple))
texts = st.builds(Text, st.integers(5, 100), st.lists(names, max_size=3).map(tuple))
specs: st.SearchStrategy[Spec] = st.one_of(boxes(), discretes, multis, texts)
junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-100, 100),
    st.floats(),
    st.text(max_size=120),
    st.lists(st.floats(-2, 2), max_size=4),
    hnp.arrays(st.sampled_from(["float32", "int64", "uint8", "bool", "U3"]), SHAPES),
)


@given(specs, st.integers(0, 2**32))
def test_samples_and_the_noop_conform(spec: Spec, seed: int) -> None:
    for value in (spec.sample(np.random.default_rng(seed)), spec.noop()):
        assert spec.problem(value) is None
        taken, clipped = spec.coerce(value)
        assert not clipped
        assert np.array_equal(taken, value)
        assert np.array_equal(spec.validate(value), value)


@given(specs, st.integers(0, 2**32))
def test_samples_follow_from_the_generator(spec: Spec, seed: int) -> None:
    one, other = (spec.sample(np.random.default_rng(seed)) for _ in range(2))
    assert np.array_equal(one, other)
    assert type(one) is type(other)


@given(specs, junk)
def test_coerce_gives_what_conforms_or_raises_bad_action(spec: Spec, action: Any) -> None:
    """Whatever comes: a conforming action or BadAction with words, never another exception."""
    try:
        taken, clipped = spec.coerce(action)
    except BadAction:
        with pytest.raises(BadAction, match=r"\S"):
            spec.validate(action)
        assert spec.problem(action)
        return
    assert spec.problem(taken) is None
    assert spec.coerce(taken)[1] is False
    if clipped:
        with pytest.raises(BadAction):
            spec.validate(action)
    else:
        assert np.array_equal(spec.validate(action), taken)


@pytest.mark.parametrize("shape", [(1,), (1, 1)])
@pytest.mark.parametrize(("low", "high"), [(0.0, -0.0), (-0.0, 0.0), (-0.0, -0.0)])
def test_a_zero_has_a_sign_that_means_nothing(
    shape: tuple[int, ...], low: float, high: float
) -> None:
    box = Box(shape, low=low, high=high)
    for value in (box.sample(np.random.default_rng(0)), box.noop()):
        assert box.problem(value) is None
        assert value.tolist() == np.zeros(shape).tolist()


@pytest.mark.parametrize("bound", [0.1, 0.05, math.pi])
def test_a_clipped_action_is_inside_its_bounds(bound: float) -> None:
    box = Box((1,), low=-bound, high=bound)
    assert box.problem(box.validate(box.coerce(np.array([9.0]))[0])) is None


def test_a_box_without_dimensions_holds_arrays() -> None:
    box = Box((), low=-1.0, high=1.0)
    assert [
        box.problem(value)
        for value in (box.noop(), box.coerce(0.5)[0], box.sample(np.random.default_rng(0)))
    ] == [None] * 3


@pytest.mark.parametrize(
    "box",
    [
        Box((3,), "float64"),
        Box((2, 2), "float32"),
        Box((3,), "float32", -1.0, 1.0),
        Box((3,), "uint8", 0, 255),
        Box((3,), "uint8", 0, 9),
    ],
    ids=str,
)
def test_a_checker_says_what_holds_says(box: Box) -> None:
    good, check = box.noop(), box.checker()
    values = [good, good[:1], good.astype("int64"), good.astype("float64"), good.tolist(), None]
    values += [good + np.asarray(number, box.dtype) for number in (1, 100)]
    if good.dtype.kind == "f":
        values += [good + number for number in (np.nan, np.inf, 1e300, np.float32(1e30))]
    with np.errstate(all="ignore"):
        assert list(map(check, values)) == list(map(box.holds, values))
    assert check(good)


@pytest.mark.parametrize("bounds", [(), (-1.0, 1.0), ((-1.0,) * 199 + (-2.0,), 1.0)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_element_of_many_is_wrong(bounds: tuple[Any, ...], dtype: str) -> None:
    box = Box((200,), dtype, *bounds)
    value = np.full(200, 0.5, dtype)
    assert box.holds(value)
    assert box.checker()(value)
    for wrong in (np.nan, np.inf, -np.inf, *([1.5, -1.5] if bounds else [])):
        value[77] = wrong
        assert not box.holds(value)
        assert not box.checker()(value)
        assert box.problem(value) is not None


@given(
    boxes().filter(lambda box: np.dtype(box.dtype).kind == "f" and math.prod(box.shape) > 0),
    st.integers(0, 2**32),
)
def test_a_box_clips_into_its_bounds_and_says_so(box: Box, seed: int) -> None:
    wild = np.random.default_rng(seed).normal(scale=1e7, size=box.shape)
    low, high = box.bounds()
    taken, clipped = box.coerce(wild)
    assert clipped == bool(((wild < low) | (wild > high)).any())
    assert np.array_equal(taken, np.clip(wild, low, high).astype(box.dtype))


@given(
    boxes().filter(lambda box: math.prod(box.shape) > 0),
    st.sampled_from([math.nan, math.inf, -math.inf]),
)
def test_a_box_takes_no_nan_and_no_infinity(box: Box, value: float) -> None:
    array = np.zeros(box.shape)
    array[(0,) * len(box.shape)] = value
    with pytest.raises(BadAction, match="NaN or infinity"):
        box.coerce(array)


@given(boxes(), SHAPES)
def test_a_box_takes_its_shape_only(box: Box, shape: tuple[int, ...]) -> None:
    if shape != box.shape:
        with pytest.raises(BadAction, match="shape"):
            box.coerce(np.zeros(shape))
        assert "shape" in str(box.problem(np.zeros(shape, box.dtype)))


@given(boxes())
def test_take_never_hands_out_the_callers_array(box: Box) -> None:
    mine = box.noop()
    taken, _ = box.coerce(mine)
    assert not np.shares_memory(mine, taken)


def test_a_box_holds_views_to_their_dtype() -> None:
    image = Box((2, 2, 3), "uint8", 0, 255)
    assert image.problem(np.zeros((2, 2, 3), np.uint8)) is None
    assert image.problem(np.zeros((2, 2, 3), np.float32)) == "expected dtype uint8, got float32"
    assert image.problem([0]) == "expected an array of shape (2, 2, 3), got list"
    assert "outside its bounds" in str(
        Box((2,), low=(0, -1), high=(1, 0)).problem(np.array([0.5, 0.5], np.float32))
    )


def test_bounds_are_in_c_order() -> None:
    low, high = Box((2, 2), low=(0, 1, 2, 3), high=9).bounds()
    assert low.tolist() == [[0, 1], [2, 3]]
    assert high.tolist() == [[9, 9], [9, 9]]


@given(st.floats(-10, 10), st.floats(-10, 10))
def test_a_box_upside_down_is_refused(low: float, high: float) -> None:
    if low > high:
        with pytest.raises(ValueError, match="low must not exceed high"):
            Box((1,), low=low, high=high)


def test_doing_nothing_is_what_was_said_or_next_to_zero() -> None:
    assert Box((2,), low=1, high=3).noop().tolist() == [1, 1]
    assert Box((2,), noop=(0.5, -1)).noop().tolist() == [0.5, -1]
    assert Discrete(3, noop=2).noop() == 2
    assert Text(choices=("wait", "go")).noop() == "wait"
    assert Text().noop() == ""


@given(discretes, st.integers(-100, 100))
def test_a_choice_exists_or_not(spec: Discrete, action: int) -> None:
    for given_as in (action, np.int64(action), np.int16(action), np.array(action)):
        if 0 <= action < spec.n:
            assert type(spec.validate(given_as)) is int
            assert spec.validate(given_as) == action
        else:
            with pytest.raises(
                BadAction, match=f"action {action} does not exist; expected 0 to {spec.n - 1}"
            ):
                spec.coerce(given_as)


@pytest.mark.parametrize("wrong", [1.0, np.float32(1), "1", None, np.array([1, 1])])
def test_a_choice_is_an_integer(wrong: Any) -> None:
    with pytest.raises(BadAction, match="expected an integer from 0 to 4"):
        Discrete(5).coerce(wrong)


@pytest.mark.parametrize(
    "wrong", [{"n": 0}, {"n": 2, "noop": 2}, {"n": 2, "noop": -1}, {"n": 2, "names": ("one",)}]
)
def test_a_discrete_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Discrete: needs"):
        Discrete(**wrong)


@given(multis, st.data())
def test_several_choices_exist_or_not(spec: MultiDiscrete, data: st.DataObject) -> None:
    action = np.array(data.draw(st.tuples(*[st.integers(-2, n + 1) for n in spec.nvec])))
    if all(0 <= value < n for value, n in zip(action, spec.nvec)):
        assert spec.validate(action).dtype == np.int64
    else:
        with pytest.raises(BadAction, match="does not exist"):
            spec.coerce(action)


@given(st.text(max_size=40), st.integers(0, 30))
def test_text_is_no_longer_than_allowed(text: str, length: int) -> None:
    if len(text) <= length:
        assert Text(length).validate(text) == text
    else:
        with pytest.raises(BadAction, match=f"at most {length} characters, got {len(text)}"):
            Text(length).coerce(text)


@given(specs)
def test_specs_are_values(spec: Spec) -> None:
    spec.sample(np.random.default_rng(0))
    again = type(spec)(**{name: getattr(spec, name) for name in spec.__dataclass_fields__})
    assert again == spec
    assert hash(again) == hash(spec)
    assert repr(again) == repr(spec)
