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
_FIGURES = ("parameters", "memory", "gpu_memory")


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """The largest that any process of the run told. Memory in bytes."""

    elsewhere: bool = field(default=False, metadata=LATER)
    """Whether the agent acts in another process than the run, such as a policy server: the figures
    are what that one told, and none if it told nothing."""

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
        self._elsewhere = False

    def add(self, result: Result) -> None:
        """Take what one line says."""
        told = result.timing.get("footprint")
        if not isinstance(told, Mapping):
            return
        self._elsewhere |= told.get("elsewhere") is True
        for name in _FIGURES:
            value = told.get(name)
            if type(value) is int and 0 < value < _MOST:
                self._most[name] = max(self._most.get(name, 0), value)

    def found(self) -> Footprint | None:
        """What was told; None if nothing was."""
        if not self._most and not self._elsewhere:
            return None
        return Footprint(**self._most, elsewhere=self._elsewhere)


def footprint_lines(footprint: Footprint | None) -> list[str]:
    """The line beside a report's latencies."""
    if footprint is None:
        return []
    parts = []
    if footprint.parameters is not None:
        parts.append(f"{_short(footprint.parameters)} parameters")
    if footprint.memory is not None:
        where = "its own process" if footprint.elsewhere else "a process"
        parts.append(f"at most {footprint.memory / 1e6:,.0f} MB of memory in {where}")
    if footprint.gpu_memory is not None:
        parts.append(f"{footprint.gpu_memory / 1e6:,.0f} MB on the GPU")
    if not parts:
        return ["the agent acts in another process, which does not tell what it takes"]
    return [f"the agent takes {', '.join(parts)}"]


def _short(count: int) -> str:
    for size, word in ((10**9, " billion"), (10**6, " million")):
        if count >= size:
            return f"{count / size:.3g}{word}"
    return f"{count:,}"
