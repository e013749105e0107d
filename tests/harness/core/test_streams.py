"""Random streams: what a key and a step give, and that nothing else is drawn."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.streams import generator, stream, stream_key

KEYS = st.integers(0, 2**128 - 1)
STEPS = st.integers(0, 2**64 - 1)


@given(KEYS, STEPS)
def test_a_generator_is_philox_of_this_key_at_this_counter(key: int, step: int) -> None:
    drawn = generator(key, step).integers(0, 2**63, size=8).tolist()
    plain = np.random.Generator(np.random.Philox(key=key, counter=step << 128))
    assert drawn == plain.integers(0, 2**63, size=8).tolist()


def test_the_numbers_of_a_stream_stay_what_they_are() -> None:
    assert stream("a", 3, step=5).integers(1000, size=5).tolist() == [645, 296, 346, 243, 604]
    assert generator(stream_key("a", 3), 5).integers(1000) == 645


def test_a_generator_travels_with_its_place() -> None:
    here = stream("a", 3, step=5)
    here.integers(1000, size=3)
    there = pickle.loads(pickle.dumps(here))
    assert here.integers(1000, size=5).tolist() == there.integers(1000, size=5).tolist()


def test_what_would_not_be_repeatable_is_refused() -> None:
    with pytest.raises(TypeError, match="spawning"):
        stream("a").spawn(2)
