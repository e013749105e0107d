"""What the report says of the memory and the parameters of an agent.

The lines of a run say it under `timing.footprint`; they may be a stranger's: what is malformed
there is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.core import Result
from harness.core.reference import LATER

__all__ = ["Footprint", "FootprintTally", "footprint_lines"]

_MOST = 1 << 60


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """The largest that any process of the run told. Memory in bytes."""

    parameters: int | None = field(default=None, metadata=LATER)
    """Of the torch models that the agent holds."""
    memory: int | None = field(default=None, metadata=LATER)
    """Resident, of a process that holds the agent; it may play the simulator too."""
    gpu_memory: int | None = field(default=None, metadata=LATER)
    """Allocated by torch."""


class FootprintTally:
    """Takes the lines of a run."""

    def __init__(self) -> None:
        self._most: dict[str, int] = {}

    def add(self, result: Result) -> None:
        """Take what one line says."""
        told = result.timing.get("footprint")
        if not isinstance(told, Mapping):
            return
        for name in Footprint.__dataclass_fields__:
            value = told.get(name)
            if type(value) is int and 0 < value < _MOST:
                self._most[name] = max(self._most.get(name, 0), value)

    def found(self) -> Footprint | None:
        """What was told; None if nothing was."""
        return Footprint(**self._most) if self._most else None


def footprint_lines(footprint: Footprint | None) -> list[str]:
    """The line beside a report's latencies."""
    if footprint is None:
        return []
    parts = []
    if footprint.parameters is not None:
        parts.append(f"{_short(footprint.parameters)} parameters")
    if footprint.memory is not None:
        parts.append(f"at most {footprint.memory / 1e6:,.0f} MB of memory in a process")
    if footprint.gpu_memory is not None:
        parts.append(f"{footprint.gpu_memory / 1e6:,.0f} MB on the GPU")
    return [f"the agent takes {', '.join(parts)}"] if parts else []


def _short(count: int) -> str:
    for size, word in ((10**9, " billion"), (10**6, " million")):
        if count >= size:
            return f"{count / size:.3g}{word}"
    return f"{count:,}"
