"""Whether the files beside a run, which were found after it, say what a replay finds."""

from __future__ import annotations

from collections.abc import Mapping

from harness.core import Result
from harness.records.plan import CaseIndex
from harness.records.stored_run import StoredRun
from harness.verify.factor_check import check_factors
from harness.verify.goal_check import check_goals
from harness.verify.report import VerificationReport
from harness.verify.stage_check import check_stages

__all__ = ["check_side_files"]


def check_side_files(
    run: StoredRun, results: Mapping[CaseIndex, Result], found: VerificationReport
) -> None:
    """Check the stages, goals and factors of these episodes; add what differs to `found`.

    Raises UserError where a file holds a line that is none.
    """
    for check in (check_stages, check_goals, check_factors):
        check(run, results, found)
