"""Random streams: every random number follows from a key and a step, never from a global state."""

from __future__ import annotations

import hashlib
import json

import numpy as np

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
    return np.random.Generator(np.random.Philox(key=key, counter=step << 128))
