"""Random streams: every random number follows from a key and a step, never from a global state."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence

__all__ = ["generator", "stream", "stream_key"]


def stream(*key: object, step: int = 0) -> np.random.Generator:
    """An independent random generator for each key and step. `key`: JSON values.

    It is Philox, keyed by a hash of `key`, with its counter moved to `step`, so that the numbers
    of one step never overlap with those of another.
    """
    return generator(stream_key(*key), step)


def stream_key(*key: object) -> int:
    """The key of a stream, 0 <= key < 2**128: a hash of the key's JSON."""
    return int.from_bytes(
        hashlib.blake2b(json.dumps(key).encode(), digest_size=16).digest(), "little"
    )


def generator(key: int, step: int) -> np.random.Generator:
    """The generator of the stream with this `stream_key`, at a step.

    The 256-bit counter leaves 2**128 blocks of numbers to each step.
    """
    keyed: Any = _Key(key)  # numpy takes any ISeedSequence, and its types do not say so
    return np.random.Generator(np.random.Philox(keyed, counter=step << 128))


class _Key(ISeedSequence):
    """Hands Philox its key.

    `Philox(key=...)` would take 256 bits from the system first, that nobody uses: at each step of
    an agent that draws, half of what its generator costs.
    """

    def __init__(self, key: int) -> None:
        self._key = key

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
        """The key as two numbers of 64 bits: what Philox asks for."""
        if n_words != 2 or np.dtype(dtype) != np.uint64:
            raise ValueError(f"this is the key of a Philox: {n_words} words of {dtype} are not")
        return np.array([self._key & (1 << 64) - 1, self._key >> 64], np.uint64)
