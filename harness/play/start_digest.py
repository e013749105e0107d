"""A digest of how an episode starts: two cases are a pair only if they started alike."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.core import Adapter, BatchedAdapter, Spec, TimeStep
from harness.core.values import ON_GPU
from harness.play.values import ViewReader

__all__ = ["compared", "digest_of_images", "is_drawn", "start_digest"]

NOT_READ = "BadValue"
"""What stands for a view on a GPU, which only repeats another one: it could not be read once."""
DRAWN = ("image", "depth")
"""How the names of views begin that a renderer draws; it may differ between two machines."""


def is_drawn(view: str) -> bool:
    """Whether a renderer draws the view of this name."""
    return view.removeprefix(ON_GPU).startswith(DRAWN)


def compared(adapter: Adapter | BatchedAdapter) -> Mapping[str, Spec]:
    """The views of an adapter that a start is compared by: all that follow from no other one."""
    specs = adapter.brief.observation
    if not adapter.derived_views:
        return specs
    return {name: spec for name, spec in specs.items() if name not in adapter.derived_views}


def start_digest(
    specs: Mapping[str, Spec], first: TimeStep, state: bytes, read: Mapping[str, Any] | None = None
) -> str:
    """16 hexadecimal digits over the state, the instruction and all views that nobody has to draw.

    `specs`: as `compared` gives them; `first`: the reset's timestep, before any perturbation
    between adapter and agent; `state`: the adapter's; `read`: views of it that have been read
    already. What the agent reads makes no difference. A view that cannot be read counts as that:
    whoever reads it is told so.
    """
    known = read or {}
    digest = hashlib.blake2b(digest_size=8)
    reader = ViewReader(specs)
    for name in ("", *sorted(specs)):
        if is_drawn(name):
            continue
        value: Any
        try:
            if name.startswith(ON_GPU):
                value = NOT_READ
            elif name:
                value = known[name] if name in known else reader.read(first.observation, name)
            else:
                value = state, first.instruction
        except Exception as fault:
            value = type(fault).__name__
        _feed(digest, name, value)
    return digest.hexdigest()


def _feed(digest: Any, name: str, value: Any) -> None:
    if isinstance(value, np.ndarray):
        head, body = f"{value.dtype.str}{value.shape}", value.tobytes()
    else:
        head, body = type(value).__name__, repr(value).encode("utf-8", "backslashreplace")
    digest.update(_head(name, head, len(body)) + body)


@functools.lru_cache(maxsize=256)
def _head(name: str, kind: str, size: int) -> bytes:
    """What stands before a part; its length keeps it from passing for the beginning of the next."""
    return json.dumps([name, kind, size]).encode()


def digest_of_images(observation: Mapping[str, Any]) -> str:
    """16 hexadecimal digits over the images of an observation; empty if it has none."""
    images = [
        view
        for view in observation.values()
        if isinstance(view, np.ndarray) and view.dtype == np.uint8 and view.ndim == 3
    ]
    return (
        hashlib.blake2b(b"".join(image.tobytes() for image in images), digest_size=8).hexdigest()
        if images
        else ""
    )
