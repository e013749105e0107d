"""Whether `factors.jsonl` says of episodes what another reset of their cases says."""

from __future__ import annotations

from collections.abc import Mapping

from harness.core import Result
from harness.play.factors import told_again
from harness.records.factor_file import read_factor_file
from harness.records.plan import CaseIndex
from harness.records.stored_run import StoredRun
from harness.verify.report import VerificationReport
from harness.verify.side_lines import differences, spoken_of

__all__ = ["check_factors"]


def check_factors(
    run: StoredRun, results: Mapping[CaseIndex, Result], found: VerificationReport
) -> None:
    """Reset those of these episodes that have a line there; add what differs to `found`.

    Raises UserError where the file holds a line that is none.
    """
    lines = read_factor_file(run.path)
    told = spoken_of(results, lines, lambda line, result: line.start == result.start)
    told = {index: result for index, result in told.items() if not index.condition}
    if not told:
        return
    for index, again in told_again(run, told):
        result = told[index]
        if isinstance(again, str):
            found.unchecked.append(f"factors of {result.task}: {again}; -")
            continue
        recorded = lines[result.case].factors
        found.differences += differences(
            result, "factors.jsonl", recorded, again.factors, "not told"
        )
