"""Messages of policy servers: openpi's packing exactly, and nothing a stranger sends does harm."""

from __future__ import annotations

import contextlib
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from openpi_client import msgpack_numpy

from harness.policies.wire.nouns import answer_of, brief_of, revive, turn_of
from harness.policies.wire.packing import Malformed, pack, pack_with_texts, unpack

DTYPES = st.sampled_from(["?", "i1", "<i2", "<i8", "u1", "<u4", "<f2", "<f4", "<f8", "<U3", "S2"])
ARRAYS = DTYPES.flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))
)
PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.text(), st.binary(), ARRAYS
)
MESSAGES = st.recursive(
    PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return bool(
            isinstance(other, np.ndarray)
            and one.dtype == other.dtype
            and one.shape == other.shape
            and one.tobytes() == other.tobytes()
        )
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@given(MESSAGES)
@settings(max_examples=300, deadline=None)
def test_what_is_packed_is_what_openpi_packs_and_comes_back(message: Any) -> None:
    packed = pack(message)
    assert packed == msgpack_numpy.packb(message)
    assert same(unpack(packed), message)


@given(hnp.arrays("<f4", (2, 3)))
@settings(max_examples=20, deadline=None)
def test_an_array_that_does_not_lie_in_order_is_packed_as_it_reads(array: np.ndarray) -> None:
    for view in (array.T, array[:, ::-1], array[::-1, 1:]):
        assert same(unpack(pack(view)), np.ascontiguousarray(view))
        assert same(unpack(pack_with_texts(view)), np.ascontiguousarray(view))


@given(
    st.binary(max_size=200)
    | MESSAGES.map(pack).flatmap(lambda data: st.integers(0, len(data)).map(lambda end: data[:end]))
)
@settings(max_examples=500, deadline=None)
def test_garbage_and_torn_messages_are_malformed_and_nothing_else(data: bytes) -> None:
    for hook in (None, revive):
        with contextlib.suppress(Malformed):
            unpack(data, hook)


KEYS = st.sampled_from(
    [b"__ndarray__", b"__npgeneric__", b"data", b"dtype", b"shape", b"__noun__", b"fields",
     b"__tuple__", "__ndarray__", "data", "dtype", "shape", "bench", "turns", "fault", "chunk",
     "observation", "action"]
)  # fmt: skip
LEAVES = st.one_of(
    PLAIN,
    st.sampled_from(["<f4", "|O", "V8", "<c8", "<f4,<i2", "<M8[s]", "Box", "UI", "Brief", "Field"]),
    st.lists(st.integers(-(2**40), 2**62), max_size=4),
)
WILD = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=20
)


@given(WILD)
@settings(max_examples=500, deadline=None)
def test_maps_that_look_like_arrays_and_nouns_are_checked(message: Any) -> None:
    from toys import ToyAdapter, toy_task

    brief = ToyAdapter(toy_task()).brief
    try:
        found = unpack(msgpack_numpy.packb(message), revive)
    except Malformed:
        return
    for read in (
        lambda: brief_of(found),
        lambda: turn_of(found, {"b": brief}, 1),
        lambda: answer_of(found, brief.action),
    ):
        with contextlib.suppress(Malformed):
            read()


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({b"dtype": "<f4", b"shape": [2**31], b"data": b""}, "instead of 8589934592"),
        ({b"dtype": "<f4", b"shape": [-1], b"data": b""}, "shape"),
        ({b"dtype": "<f4", b"shape": [1] * 40, b"data": b"0000"}, "shape"),
        ({b"dtype": "<f4", b"shape": ["2"], b"data": b"00000000"}, "shape"),
        ({b"dtype": "<f4", b"shape": [2], b"data": b"0000000"}, "7 bytes instead of 8"),
        ({b"dtype": "|O", b"shape": [0], b"data": b""}, "not taken"),
        ({b"dtype": "|V8", b"shape": [0], b"data": b""}, "not taken"),
        ({b"dtype": "<c8", b"shape": [0], b"data": b""}, "not taken"),
        ({b"dtype": "<f4,<O8", b"shape": [0], b"data": b""}, "not taken"),
        ({b"dtype": "<U0", b"shape": [10**9], b"data": b""}, "not taken"),
        ({b"dtype": "<U9999999", b"shape": [0], b"data": b""}, "not taken"),
        ({b"dtype": 3, b"shape": [0], b"data": b""}, "not taken"),
        ({b"dtype": "<f3", b"shape": [0], b"data": b""}, "unknown dtype"),
        ({b"dtype": "<f4", b"shape": [0]}, "without data"),
    ],
)
def test_an_array_is_checked_before_it_is_made(found: dict[Any, Any], words: str) -> None:
    with pytest.raises(Malformed, match=words):
        unpack(msgpack.packb({b"__ndarray__": True, **found}))


def test_a_message_of_very_many_small_values_is_refused() -> None:
    with pytest.raises(Malformed, match="more than 1000000 values"):
        unpack(msgpack.packb([[]] * 600_000))
    with pytest.raises(Malformed):
        unpack(b"\x91" * 10_000_000)


@pytest.mark.parametrize("value", [np.array([None]), np.zeros(1, "c8"), np.zeros(1, "V3"), {1, 2}])
def test_what_has_no_form_is_not_sent(value: Any) -> None:
    with pytest.raises(TypeError, match="cannot be sent"):
        pack({"x": value})
    with pytest.raises(TypeError, match="cannot be sent"):
        pack_with_texts({"x": value})
