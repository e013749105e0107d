"""A run directory, read: what was planned, how much of it counts, and the results."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core import Result, UserError
from harness.records.plan import CaseIndex, Plan
from harness.records.plan_fields import MOST_EPISODES
from harness.records.results import case_results
from harness.records.run_file import read_run

__all__ = ["StoredRun", "load_run"]


@dataclass(frozen=True)
class StoredRun:
    """One run directory."""

    path: Path
    description: Mapping[str, Any]
    """run.json."""
    whole: Plan
    """Everything that was planned."""
    plan: Plan
    """The part that counts: where a stopping rule ended the run, fewer episodes of each task."""

    def cases(self) -> Iterator[tuple[CaseIndex, Result]]:
        """(index in `plan`, result) of every case that has a result; see harness.records.results.

        Raises UserError on a line that is no result of this run.
        """
        return case_results(self.path, self.plan, self.whole)

    def results(self) -> Iterator[Result]:
        """The result of every case that has one. Raises UserError as `cases` does."""
        return (result for _, result in self.cases())

    @property
    def reads(self) -> tuple[str, ...]:
        """The views that the agent read, as it declared them."""
        return tuple(self.description["agent"]["reads"])


def load_run(path: str | os.PathLike[str]) -> StoredRun:
    """The run in a directory. Raises UserError if it is none, or run.json holds no valid plan."""
    description = read_run(path)
    try:
        whole = Plan.from_json(description["plan"])
    except (ValueError, UserError) as wrong:
        raise UserError(
            f"{path}/run.json holds no valid plan: {wrong}. It was changed by hand"
        ) from None
    return StoredRun(Path(path), description, whole, _counted(description, whole))


def _counted(description: Mapping[str, Any], whole: Plan) -> Plan:
    """The part of the plan that counts."""
    ends = description.get("stopped")
    if ends is None:
        return whole
    if not isinstance(ends, dict) or not all(
        type(end) is int and 0 <= end <= MOST_EPISODES for end in ends.values()
    ):
        raise UserError("run.json was changed by hand: `stopped` holds numbers of episodes by task")
    return whole.until(ends)
