"""What the harness relies on in an adapter's factors, tried on a real one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.core import Case
from harness.core.factors import TOLD
from harness.testing.checked_lane import CheckedLane, ScriptedPlayer
from harness.testing.checks import call, demand
from harness.testing.trajectory import StepRecord, demand_equal

__all__ = ["check_factors"]


def check_factors(
    lane: CheckedLane, player: ScriptedPlayer, case: Case, once: Sequence[StepRecord]
) -> None:
    """Play the case once more, asked for its factors; `once` is its course without that."""
    call("reset", lane.reset, case)
    told = call("factors", lane.factors, case)
    known = hasattr(told, "items") and all(
        name in TOLD and isinstance(value, str) and value for name, value in told.items()
    )
    names = ", ".join(TOLD)
    demand(known, f"factors gave {told!r:.200}: names are among {names}, values are texts")
    if not told:
        return
    again: Mapping[str, str] = {}
    records = list[StepRecord]()
    for record in player.records(lane, case):
        if not records:
            again = call("factors", lane.factors, case)
        records.append(record)
    demand(dict(again) == dict(told), f"factors gave {told!r:.200}, and {again!r:.200} again")
    demand_equal(
        records,
        once,
        "an episode goes another way when it is asked for its factors: asking must change nothing",
    )
