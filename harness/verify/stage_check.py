"""Whether `stages.jsonl` says of episodes what their replay says."""

from __future__ import annotations

from collections.abc import Mapping

from harness.core import Result
from harness.records.plan import CaseIndex
from harness.records.stage_file import read_stage_file
from harness.records.stored_run import StoredRun
from harness.verify.difference import Difference
from harness.verify.report import VerificationReport
from harness.verify.side_lines import spoken_of
from harness.verify.stages import replay_stages

__all__ = ["check_stages"]

CHECKED = ("stages", "stage", "modes", "looked_for")


def check_stages(
    run: StoredRun, results: Mapping[CaseIndex, Result], found: VerificationReport
) -> None:
    """Replay those of these episodes that have a line there; add what differs to `found`.

    Raises UserError where the file holds a line that is none.
    """
    lines = read_stage_file(run.path)
    told = spoken_of(
        results,
        lines,
        lambda line, result: result.success is False and line.digest == result.digest,
    )
    if not told:
        return
    for each in replay_stages(run, told):
        if each.found is None:
            found.unchecked.append(f"stages of {each.result.task}: {each.unknown}; -")
            continue
        line = lines[each.result.case]
        for name in CHECKED:
            recorded, replayed = getattr(line, name), getattr(each.found, name)
            if recorded != replayed:
                found.differences.append(
                    Difference.of(each.result, f"stages.jsonl: {name}", recorded, replayed)
                )
