"""What the harness relies on in an adapter's stages and failure modes, tried on a real one."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core import Case
from harness.core.failure_modes import FAILURE_MODES
from harness.testing.checked_lane import CheckedLane, ScriptedPlayer
from harness.testing.checks import call, demand
from harness.testing.trajectory import StepRecord, demand_equal

__all__ = ["check_stages"]


def check_stages(
    lane: CheckedLane, player: ScriptedPlayer, case: Case, once: Sequence[StepRecord]
) -> None:
    """Play the case once more and ask after every step; `once` is its course without that."""
    kind = type(lane.adapter)
    stages = call("stages", kind.stages, case.task)
    named = isinstance(stages, tuple) and all(isinstance(each, str) and each for each in stages)
    demand(named, f"stages must return a tuple of names, got {stages!r:.200}")
    demand(len(set(stages)) == len(stages), f"two stages have one name: {', '.join(stages)}")
    declared = call("failure_modes", kind.failure_modes, case.task)
    known = isinstance(declared, tuple) and set(declared) <= FAILURE_MODES.keys()
    demand(known, f"failure_modes gave {declared!r:.200}; there are {', '.join(FAILURE_MODES)}")
    if not stages and not declared:
        return
    reached, records = 0, []
    for record in player.records(lane, case):
        records.append(record)
        found = call("stage", lane.stage)
        demand(
            type(found) is int and reached <= found <= len(stages),
            f"stage() gave {found!r} after {reached}: it never falls, and there are {len(stages)}",
        )
        reached = found
    modes = call("failure_mode", lane.failure_mode)
    told = isinstance(modes, tuple) and set(modes) <= set(declared)
    demand(told, f"failure_mode() gave {modes!r:.200}, and failure_modes declares {declared}")
    demand_equal(
        records,
        once,
        "an episode goes another way when it is asked for its stages: asking must change nothing",
    )
