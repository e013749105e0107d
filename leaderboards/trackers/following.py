"""The figures of a run that goes on, from the lines that were written since the last look."""

from __future__ import annotations

from pathlib import Path

from harness.core import DOMAINS, UserError
from harness.records.case_states import CaseStates
from harness.records.plan import CaseIndex
from harness.records.results import MOST_LINE, decode_line, open_lines, result_from_json
from harness.records.stored_run import load_run
from leaderboards.groups import Grouping
from leaderboards.tally import TaskTally
from leaderboards.trackers.figures import Figures, group_figures, task_figures

__all__ = ["Following"]

MOST_LINES = 20_000
"""Lines of a look, so that a tracker hears of a long run before all of it was read."""


class Following:
    """Reads a run directory while it is written; nothing in it is changed.

    The figures are those of `bench report` for the episodes so far, without perturbed ones.
    """

    def __init__(self, path: Path) -> None:
        """Raises UserError if the directory is no run."""
        self.run = load_run(path)
        plan = self.run.whole
        told = self.run.description
        anytime = str(told.get("stopping") or "").startswith("until")
        self._tallies = [TaskTally(item, anytime=anytime) for item in plan.items]
        self._scored = CaseStates(plan)
        self._errors: set[CaseIndex] = set()
        self._position = 0
        self._changed: set[int] = set()
        self.episodes = 0
        """The number of cases that have a score."""

    def look(self) -> bool:
        """Read the new lines, at most MOST_LINES; returns whether there may be more.

        Raises UserError on a line that is no result of this run.
        """
        with open_lines(self.run.path) as lines:
            lines.seek(self._position)
            for _ in range(MOST_LINES):
                line = lines.readline(MOST_LINE + 1)
                if not line.endswith(b"\n"):
                    return False
                self._position += len(line)
                self._add(line)
        return True

    def _add(self, line: bytes) -> None:
        try:
            result = result_from_json(decode_line(line))
        except ValueError as wrong:
            raise UserError(f"a line of {self.run.path} is no result: {wrong}") from None
        index = self.run.whole.locate(result.task, result.seed, result.perturbations)
        if index is None or self._scored[index]:
            return
        if result.status == "error":
            self._errors.add(index)
            return
        self._scored[index] = 1
        self._errors.discard(index)
        self.episodes += 1
        if index.condition == 0:
            self._tallies[index.item].add(index.episode, result)
            self._changed.add(index.item)

    def figures(self) -> Figures:
        """The figures of the whole run and its domains, and of the tasks that have changed."""
        rows = [(tally, tally.row()) for tally in self._tallies if tally.n]
        grouping = Grouping(rows)
        found = group_figures(
            grouping.group(), [grouping.group(domain=domain) for domain in DOMAINS]
        )
        changed = {self._tallies[item].item.task.id for item in self._changed}
        for _, row in rows:
            if row.task in changed:
                found |= task_figures(row)
        self._changed.clear()
        return found | {
            "episodes": float(self.episodes),
            "errors": float(len(self._errors)),
        }
