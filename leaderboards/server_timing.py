"""What the report says of a policy server's own times, beside what its answers took here.

The lines of a run say them under `timing.agent`, as sums in milliseconds; they may be a stranger's:
what is malformed there is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.core import Result
from harness.core.reference import LATER
from leaderboards.tables import Column, Table

__all__ = ["ServerTiming", "ServerTimingTally", "server_timing_table"]

INFERENCE = ("server_timing.infer_ms", "policy_timing.infer_ms")
"""What openpi's server takes for an answer, and its policy inside of that."""
_MOST = 1e15


@dataclass(frozen=True, kw_only=True)
class ServerTiming:
    """Of the episodes whose answers told it; means in milliseconds of an answer."""

    answers: int
    answer_ms: float
    """From the question to the answer, as the run measured it."""
    server_ms: float
    """What the server told of it: `server_timing.infer_ms`."""
    policy_ms: float | None = field(default=None, metadata=LATER)
    """`policy_timing.infer_ms`; None where no answer told it."""

    @property
    def wire_ms(self) -> float | None:
        """What is left for the wire; None if the server worked at several answers at once."""
        left = self.answer_ms - self.server_ms
        return left if left >= 0 else None


class ServerTimingTally:
    """Takes the lines of a run."""

    def __init__(self) -> None:
        self._answers = 0
        self._answer_s = 0.0
        self._told = dict.fromkeys(INFERENCE, 0.0)
        self._by_policy = False

    def add(self, result: Result) -> None:
        """Take what one line says."""
        told, asked = result.timing.get("agent"), result.timing.get("asked")
        took = _number(result.timing, "agent_s")
        if not isinstance(told, Mapping) or type(asked) is not int or took is None:
            return
        server, policy = (_number(told, name) for name in INFERENCE)
        if server is None or not 0 < asked < _MOST:
            return
        self._answers += asked
        self._answer_s += took
        self._told[INFERENCE[0]] += server
        if policy is not None:
            self._by_policy = True
            self._told[INFERENCE[1]] += policy

    def found(self) -> ServerTiming | None:
        """What was told; None if nothing was."""
        if not self._answers:
            return None
        server, policy = (self._told[name] / self._answers for name in INFERENCE)
        return ServerTiming(
            answers=self._answers,
            answer_ms=1000 * self._answer_s / self._answers,
            server_ms=server,
            policy_ms=policy if self._by_policy else None,
        )


def _number(told: Mapping[str, object], name: str) -> float | None:
    value = told.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) if math.isfinite(value) and 0 <= value <= _MOST else None
    return None


def server_timing_table(timing: ServerTiming | None) -> Sequence[Table]:
    """The table, if anything was told."""
    if timing is None:
        return []
    figures = {"answer ms": timing.answer_ms, "server ms": timing.server_ms}
    if timing.policy_ms is not None:
        figures["policy ms"] = timing.policy_ms
    if timing.wire_ms is not None:
        figures["wire ms"] = timing.wire_ms
    columns = (
        Column("", ("overall",), "name"),
        Column("answers", (str(timing.answers),)),
        *(Column(name, (f"{value:.3g}",)) for name, value in figures.items()),
    )
    lead = (
        "means of an answer. answer: what it took here; server and policy: what they told of it; "
        "wire: what is left"
    )
    return [Table("server timing", columns, lead, total=True)]
