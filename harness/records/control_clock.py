"""Whether simulated time waits for the agent, and how long its answers take if it does not.

Without a clock an episode stands still while the agent thinks. With one, an answer that took
longer than the period of control acts as many steps later as whole periods have passed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.core import stream
from harness.records.typed import Check, fields_of, list_of, number, optional

__all__ = ["MOST_LATENCIES", "ControlClock"]

MOST_LATENCIES = 10_000
LONGEST_S = 3600.0
_ALMOST = 1e-9
"""Of a period: 50 ms at 20 Hz are one period, whatever the rounding of 1 / 20."""


@dataclass(frozen=True)
class ControlClock:
    """A clock that goes on while the agent thinks.

    Raises ValueError where a rate or a latency is out of range.
    """

    rate: float | None = None
    """Control steps per second of simulated time. None: the rate of each task's body; a task
    without one is played turn by turn, whatever its answers take."""
    latencies: tuple[float, ...] = ()
    """Seconds. None: what each call of the agent took on this machine, so that a result depends on
    it. One: of every answer. Several: one is drawn for each answer, by case and step."""

    def __post_init__(self) -> None:
        if self.rate is not None and not 0.0 < self.rate <= 1e6:
            raise ValueError(f"the control rate is {self.rate:g} Hz, not above 0 and up to 1e6")
        if len(self.latencies) > MOST_LATENCIES:
            raise ValueError(f"there are {len(self.latencies)} latencies; {MOST_LATENCIES} at most")
        for latency in self.latencies:
            if not 0.0 <= latency <= LONGEST_S:
                raise ValueError(f"a latency is {latency:g} s, not from 0 to {LONGEST_S:g}")

    @property
    def measured(self) -> bool:
        """Whether latencies are measured: then results are outside the rule of invariance."""
        return not self.latencies

    def latency(self, task: str, seed: int, step: int, took: float) -> float:
        """Seconds until the answer of this step is there. `took`: what its call took here."""
        if not self.latencies:
            return took
        if len(self.latencies) == 1:
            return self.latencies[0]
        drawn = stream(task, seed, "latency", step).integers(len(self.latencies))
        return self.latencies[int(drawn)]

    def late(self, latency: float, body_hz: float | None) -> int:
        """How many whole periods pass before an answer with this latency acts.

        `body_hz`: the control rate of the body, None where time does not pass between turns.
        """
        hz = self.rate if self.rate is not None else body_hz
        return 0 if hz is None else math.floor(latency * hz + _ALMOST)

    def __str__(self) -> str:
        rate = "the body's own rate" if self.rate is None else f"{self.rate:g} Hz"
        if not self.latencies:
            return f"{rate}, latency as measured"
        if len(self.latencies) == 1:
            return f"{rate}, latency {1000 * self.latencies[0]:g} ms"
        low, high = min(self.latencies), max(self.latencies)
        return (
            f"{rate}, {len(self.latencies)} recorded latencies from {1000 * low:g} to "
            f"{1000 * high:g} ms"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"rate": self.rate, "latencies": list(self.latencies)}

    @classmethod
    def from_json(cls, fields: Any, place: str) -> ControlClock | None:
        """The inverse of to_json, of None too. Raises ValueError that names the wrong field."""
        if fields is None:
            return None
        found = fields_of(fields, place, _FIELDS, frozenset())
        return cls(found["rate"], tuple(map(float, found["latencies"])))


_FIELDS: Mapping[str, Check] = {
    "rate": optional(number),
    "latencies": list_of(number, MOST_LATENCIES),
}
