"""How a run ended, counted from its directory alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.grammar import counted
from harness.core.text import printable
from harness.records.error_kinds import ALWAYS
from harness.records.plan import NotRun, not_run_of
from harness.records.plan_fields import MOST_CASES, MOST_EPISODES, MOST_ITEMS, MOST_ROWS
from harness.records.results import case_results
from harness.records.stored_run import load_run
from harness.records.typed import Check, fields_of, list_of, optional, table_of, text, whole

__all__ = ["RunSummary", "count_run"]


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """How a run ended."""

    path: Path
    planned: int
    missing: int
    """Cases without a score."""
    agent_errors: int
    not_run: tuple[NotRun, ...]
    """Tasks that could not run. The report also lists perturbations that changed nothing."""
    stopped: str | None = None
    """Why it stopped before its end, if it did."""
    always: int = 0
    """Those of the cases without a score that failed twice, with the same words at one step."""
    failures: int = 0
    """Episodes that did not succeed, or ended in an error."""
    ends: Mapping[str, int] | None = None
    """With a stopping rule: task id -> how many of its episodes were opened or count."""

    def as_text(self) -> str:
        """What came of the run, and what to do next; a few lines."""
        lines = [printable(self.stopped)] if self.stopped else []
        if self.missing:
            lines.append(self._without_score())
        if not self.planned:
            lines.append(self.nothing())
        show = f"bench show {self.path} --failures, " if self.failures else ""
        return "\n".join(
            [
                *lines,
                f"run directory: {self.path}",
                f"next: {show}bench report {self.path} --format markdown",
            ]
        )

    def nothing(self) -> str:
        """Why no case was planned, a line."""
        if not self.not_run:
            return "nothing could run: see the reasons above"
        row, *others = self.not_run
        more = f" (and {counted(len(others), 'more task')}, see above)" if others else ""
        why = f"{row.task} cannot run here: {row.reason}; {row.remedy}"
        return f"nothing could run: {printable(why)}{more}"

    def _without_score(self) -> str:
        """What became of the cases without a score, and only advice that can help."""
        one = self.missing == 1
        some = f"{self.missing} of {counted(self.planned, 'case')}"
        said = f"{some} {'has' if one else 'have'} no score; "
        if not self.always:
            return f"{said}the same command plays {'it' if one else 'them'} again"
        if self.always >= self.missing:
            return f"{said}{'it fails' if one else 'they fail'} the same way each time"
        return (
            f"{said}{self.always} of them {'fails' if self.always == 1 else 'fail'} the same way "
            "each time; the same command plays the others again"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self) | {"path": str(self.path)}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> RunSummary:
        """The inverse of to_json. Raises ValueError that names the wrong field."""
        return cls(**fields_of(fields, "summary", _SUMMARY))


_COUNT = whole(0, MOST_CASES)
_SUMMARY: Mapping[str, Check] = {
    "path": lambda value, place: Path(text(value, place)),
    "planned": _COUNT,
    "missing": _COUNT,
    "agent_errors": _COUNT,
    "not_run": list_of(not_run_of, MOST_ROWS),
    "stopped": optional(text),
    "always": _COUNT,
    "failures": _COUNT,
    "ends": optional(table_of(whole(0, MOST_EPISODES), MOST_ITEMS)),
}


def count_run(path: Path, ends: Mapping[str, int] | None = None) -> RunSummary:
    """What a run directory holds. Raises UserError where it is none.

    `ends`: as RunSummary.ends, where run.json does not say yet where a stopping rule ended the run.
    """
    stored = load_run(path)
    plan = stored.plan if ends is None else stored.whole.until(ends)
    scored = [0] * len(plan.items)
    agent_errors = always = failures = 0
    for index, result in case_results(path, plan, stored.whole):
        if not plan.plays(index.item, index.condition):
            continue
        failures += result.status != "finished" or result.success is False
        if result.status != "error":
            scored[index.item] += 1
            agent_errors += result.status == "agent_error"
        else:
            always += result.timing.get(ALWAYS) is True
    rows = tuple(row for row in stored.whole.not_run if row.perturbation is None)
    absent = {row.task for row in rows}
    # A task that could not run in an earlier call, and has results now, runs here.
    here = [k for k, item in enumerate(plan.items) if scored[k] or item.task.id not in absent]
    ran = {plan.items[k].task.id for k in here if scored[k]}
    planned = sum(map(plan.count, here))
    return RunSummary(
        path=path,
        planned=planned,
        missing=planned - sum(scored),
        agent_errors=agent_errors,
        not_run=tuple(row for row in rows if row.task not in ran),
        ends=ends,
        always=always,
        failures=failures,
    )
