"""What the report says of a run in which simulated time did not wait for the agent.

The lines of a run say it under `timing.clock`; they may be a stranger's: what is malformed there
is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.core import Result
from harness.records.control_clock import ControlClock
from leaderboards.footprint import Footprint, footprint_lines
from leaderboards.tables import Column, Table

__all__ = ["ClockRow", "ClockTally", "clock_lines", "clock_table"]

_FINEST_S = 1e-6
_BINS_A_DECADE = 200
_BINS = _BINS_A_DECADE * 10
"""From a microsecond to 10,000 s; a bin is 1.2 % wide."""
_MOST = 2**31


@dataclass(frozen=True, kw_only=True)
class ClockRow:
    """One domain, or the whole run (`domain` None). Latencies in seconds."""

    domain: str | None
    episodes: int
    answers: int
    late: int
    """Answers that came after the period of control: missed deadlines."""
    steps: int
    waited_steps: int
    """Steps in which an older action acted, because the answer was not there yet."""
    p50: float | None
    p95: float | None
    p99: float | None
    """Of all answers, within 2 %."""
    answers_a_step: float
    """The effective rate, as a share of the control rate."""


class _Sums:
    def __init__(self) -> None:
        self.episodes = self.answers = self.late = self.steps = self.waited = 0
        self.bins = np.zeros(_BINS, np.int64)

    def quantile(self, share: float) -> float | None:
        total = int(self.bins.sum())
        if not total:
            return None
        place = int(np.searchsorted(self.bins.cumsum(), max(1, math.ceil(share * total))))
        return float(_FINEST_S * 10 ** ((place + 0.5) / _BINS_A_DECADE))


class ClockTally:
    """Sums over the episodes of a run with a clock."""

    def __init__(self, clock: ControlClock | None) -> None:
        self._clock = clock
        self._sums: dict[str | None, _Sums] = {}

    def add(self, domain: str, result: Result) -> None:
        """Take what the line of an episode says."""
        told = result.timing.get("clock")
        if self._clock is None or result.status == "error" or not isinstance(told, Mapping):
            return
        answers, late, waited = (_count(told, name) for name in ("answers", "late", "waited_steps"))
        if answers is None or late is None or waited is None:
            return
        places = _bins(told.get("latencies"))
        for key in (domain, None):
            sums = self._sums.setdefault(key, _Sums())
            sums.episodes += 1
            sums.steps += result.steps
            sums.answers += answers
            sums.late += late
            sums.waited += waited
            np.add.at(sums.bins, places, 1)

    def rows(self) -> tuple[ClockRow, ...]:
        """The domains by name, then the whole run."""
        fixed = self._clock.latencies if self._clock is not None else ()
        given = [float(np.quantile(fixed, share)) for share in _SHARES] if fixed else []
        found = []
        for key in sorted(self._sums, key=lambda each: (each is None, each or "")):
            sums = self._sums[key]
            p50, p95, p99 = given or map(sums.quantile, _SHARES)
            found.append(
                ClockRow(
                    domain=key,
                    episodes=sums.episodes,
                    answers=sums.answers,
                    late=sums.late,
                    steps=sums.steps,
                    waited_steps=sums.waited,
                    answers_a_step=sums.answers / sums.steps if sums.steps else 0.0,
                    p50=p50,
                    p95=p95,
                    p99=p99,
                )
            )
        return tuple(found)


_SHARES = (0.5, 0.95, 0.99)


def _count(told: Mapping[Any, Any], name: str) -> int | None:
    value = told.get(name)
    return value if type(value) is int and 0 <= value <= _MOST else None


def _bins(latencies: Any) -> np.ndarray:
    if not isinstance(latencies, list) or not latencies:
        return np.zeros(0, np.int64)
    values = [
        float(each)
        for each in latencies
        if type(each) in (int, float) and math.isfinite(each) and 0 <= each <= _MOST
    ]
    places = np.floor(_BINS_A_DECADE * np.log10(np.maximum(values, _FINEST_S) / _FINEST_S))
    return np.asarray(np.clip(places, 0, _BINS - 1), np.int64)


def clock_lines(clock: ControlClock | None, footprint: Footprint | None) -> list[str]:
    """The lines of a report's header."""
    if clock is None:
        return []
    lines = [
        f"simulated time does not wait for the agent: {clock}. An answer that takes longer than "
        "the control period acts as many steps later. Time waited where floors and published "
        "figures were measured"
    ]
    if clock.measured:
        lines.append(
            "latency was measured on this machine and under its load: these results hold for it "
            "alone, and another run may give others"
        )
    return [*lines, *footprint_lines(footprint)]


def clock_table(rows: Sequence[ClockRow]) -> list[Table]:
    """The table of latencies, if there is anything to tell."""
    if not rows:
        return []
    columns = (
        Column("", tuple(row.domain or "overall" for row in rows), "name"),
        Column("episodes", tuple(str(row.episodes) for row in rows)),
        Column("answers", tuple(str(row.answers) for row in rows)),
        Column("a step", tuple(f"{row.answers_a_step:.3f}" for row in rows)),
        Column("late %", tuple(_share(row.late, row.answers) for row in rows)),
        Column("stale %", tuple(_share(row.waited_steps, row.steps) for row in rows)),
        *(
            Column(f"{name} ms", tuple(_milliseconds(getattr(row, name)) for row in rows))
            for name in ("p50", "p95", "p99")
        ),
    )
    lead = (
        "a step: answers for each control step; late: answers that came after the control period; "
        "stale: steps in which an older action acted meanwhile"
    )
    return [Table("latency", columns, lead, total=True)]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else ""


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{1000 * seconds:.3g}"
