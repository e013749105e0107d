"""Whether `goals.jsonl` says of episodes what their replay says."""

from __future__ import annotations

from collections.abc import Mapping

from harness.core import Result
from harness.records.goal_file import EpisodeGoals, read_goal_file
from harness.records.plan import CaseIndex
from harness.records.stored_run import StoredRun
from harness.verify.goals import replay_goals
from harness.verify.report import VerificationReport
from harness.verify.side_lines import differences, spoken_of

__all__ = ["check_goals"]


def check_goals(
    run: StoredRun, results: Mapping[CaseIndex, Result], found: VerificationReport
) -> None:
    """Replay those of these episodes that have a line there; add what differs to `found`.

    Raises UserError where the file holds a line that is none.
    """
    lines = read_goal_file(run.path)
    told = spoken_of(results, lines, lambda line, result: line.digest == result.digest)
    if not told:
        return
    for each in replay_goals(run, told):
        if each.found is None:
            found.unchecked.append(f"goals of {each.result.task}: {each.unknown}; -")
            continue
        recorded, replayed = _told(lines[each.result.case]), _told(each.found)
        found.differences += differences(
            each.result, "goals.jsonl", recorded, replayed, "no such goal"
        )


def _told(found: EpisodeGoals) -> dict[str, str]:
    """What is compared, in words: which goal was asked for, and when each was met."""
    told = {"asked": found.asked, "drawn": found.drawn}
    for each in found.goals:
        met = "never met" if each.first is None else f"met after {each.first} steps"
        words = f"{each.instruction} {', '.join(each.differs)}".strip()
        told[f"goal {each.id}"] = f"{met}{', at the end' if each.end else ''}: {words}"
    return told
