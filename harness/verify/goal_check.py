"""Whether `goals.jsonl` says of episodes what their replay says."""

from __future__ import annotations

from collections.abc import Mapping

from harness.core import Result
from harness.records.goal_file import read_goal_file
from harness.records.plan import CaseIndex
from harness.records.stored_run import StoredRun
from harness.verify.difference import Difference
from harness.verify.goals import replay_goals
from harness.verify.report import VerificationReport

__all__ = ["check_goals"]

CHECKED = ("asked", "drawn", "goals")


def check_goals(
    run: StoredRun, results: Mapping[CaseIndex, Result], found: VerificationReport
) -> None:
    """Replay those of these episodes that have a line there; add what differs to `found`.

    A line that tells of another episode, or of none, counts nowhere and is no difference. Raises
    UserError where the file holds a line that is none.
    """
    lines = read_goal_file(run.path)
    told = {
        index: result
        for index, result in results.items()
        if result.case in lines and lines[result.case].digest == result.digest
    }
    if not told:
        return
    for each in replay_goals(run, told):
        if each.found is None:
            found.unchecked.append(f"goals of {each.result.task}: {each.unknown}; -")
            continue
        line = lines[each.result.case]
        for name in CHECKED:
            recorded, replayed = getattr(line, name), getattr(each.found, name)
            if recorded != replayed:
                found.differences.append(
                    Difference.of(each.result, f"goals.jsonl: {name}", recorded, replayed)
                )
