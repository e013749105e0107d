"""What an agent takes: parameters, memory, memory of a GPU."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.core import Agent
from harness.play.outcome import Outcome

__all__ = ["FootprintNotes", "footprint"]

_DEPTH = 3
_MOST_LOOKED_AT = 10_000
"""Objects of each depth in which models are looked for; an agent may hold a buffer of millions."""


def footprint(agent: Agent) -> dict[str, int]:
    """`parameters` of the torch models that the agent holds, if any, and of this process the peaks
    of `memory` and, where torch uses one, of `gpu_memory`, in bytes.

    The process may play the simulator too. What cannot be told is left out.
    """
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


class FootprintNotes:
    """Adds the footprint to the timing of the 1st, 2nd, 4th, 8th ... result of a process.

    Reading it at the end of each episode would cost short ones one percent.
    """

    def __init__(self, agent: Agent | None) -> None:
        """`agent`: None where it is in another process."""
        self._agent = agent
        self._ended = 0

    def noted(self, outcome: Outcome) -> Outcome:
        """The outcome, with the footprint if it is its turn."""
        self._ended += 1
        if self._agent is None or outcome.result is None or self._ended & (self._ended - 1):
            return outcome
        timing = {**outcome.result.timing, "footprint": footprint(self._agent)}
        return dataclasses.replace(
            outcome, result=dataclasses.replace(outcome.result, timing=timing)
        )
