"""What an agent takes: parameters, memory, memory of a GPU. Python 3.9, standard library."""

from __future__ import annotations

import inspect
import itertools
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["Gauge", "checked_footprint", "footprint"]

NAMES = ("parameters", "memory", "gpu_memory")
ELSEWHERE = "elsewhere"
"""True where it was told by another process, in which the agent acts."""
FRESH_S = 1.0
_MOST = 1 << 60
_DEPTH = 3
_MOST_LOOKED_AT = 10_000
"""Objects of each depth in which models are looked for; an agent may hold a buffer of millions."""


def footprint(agent: Any) -> dict[str, int]:
    """`parameters` of the torch models that the agent holds, if any, and of this process the peaks
    of `memory` and, where torch uses one, of `gpu_memory`, in bytes.

    The process may play the simulator too. Of an agent that acts in another process, what that one
    told (`Agent.footprint`), and `elsewhere`. What cannot be told is left out.
    """
    # Looked up without running a property: it may be of a user's class, and mean something else.
    told = inspect.getattr_static(agent, "footprint", None)
    if type(told) is dict:
        return {ELSEWHERE: True, **checked_footprint(told)}
    found: dict[str, int] = {}
    torch = sys.modules.get("torch")
    if torch is not None:
        models = [each for each in _held(agent) if isinstance(each, torch.nn.Module)]
        sizes = {id(each): each.numel() for model in models for each in model.parameters()}
        if sizes:
            found["parameters"] = sum(sizes.values())
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            found["gpu_memory"] = int(torch.cuda.max_memory_allocated())
    peak = _peak()
    return found if peak is None else {**found, "memory": peak}


def checked_footprint(told: Any) -> dict[str, int]:
    """What another process told, which may be a stranger: whole numbers of known names."""
    if not isinstance(told, Mapping):
        return {}
    given = {name: told.get(name) for name in NAMES}
    return {
        name: value for name, value in given.items() if type(value) is int and 0 < value < _MOST
    }


class Gauge:
    """The footprint of an agent, to be asked in the thread that calls it.

    It is read again after a second at the earliest: reading takes a part of a millisecond.
    """

    def __init__(self, agent: Any) -> None:
        self._agent = agent
        self._read_at = 0.0
        self.last: dict[str, int] = {}
        """What was read last; empty before."""

    def read(self) -> dict[str, int]:
        """What the agent takes, as `footprint` says it."""
        now = time.monotonic()
        if not self.last or now - self._read_at > FRESH_S:
            self.last, self._read_at = footprint(self._agent), now
        return self.last


def _held(thing: Any) -> Iterator[Any]:
    """What an object holds in its attributes, and in lists and tables there, to some depth.

    The nearest first: a large buffer hides no model that is an attribute itself.
    """
    level = [thing]
    for _ in range(_DEPTH):
        inner = (each for outer in level for each in _inside(outer))
        level = list(itertools.islice(inner, _MOST_LOOKED_AT))
        yield from level


def _inside(thing: Any) -> Iterable[Any]:
    if isinstance(thing, Mapping):
        return thing.values()
    if isinstance(thing, (list, tuple)):
        return thing
    attributes = getattr(thing, "__dict__", None)
    return attributes.values() if isinstance(attributes, dict) else ()


def _peak() -> int | None:
    """The most resident memory of this process so far, in bytes; None where it cannot be told.

    getrusage is not asked: what it says is inherited from the program that started this one.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None
