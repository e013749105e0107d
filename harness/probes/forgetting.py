"""`bench probe forgetting`: what did a training lose again of what it had learnt before?

The checkpoints of one training play the same cases. Backward transfer (Lopez-Paz & Ranzato 2017,
Gradient Episodic Memory, arXiv 1706.08840, equation 3) is the mean over tasks of

    R(last checkpoint, task) - R(checkpoint that had just learnt the task, task)

below 0 where the training forgot. R is the success rate, or the normalised score of a task without
success, as in `bench compare`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.compare.pairs import ScoredRun, TaskPairs, pair_notes, pair_up
from harness.compare.shared_seeds import designs_of_pairs
from harness.core import Task, UserError
from harness.core.errors import suggest
from harness.probes.figures import estimate_json, percent, points
from harness.probes.result import Finding, Plot, Section, Series, point_of
from harness.records.plan import Plan
from harness.stats import Interval, design_effects, mean_of_rates, paired_difference, paired_p

__all__ = ["GROUPINGS", "Forgetting", "GroupRow", "groups_of", "measure_forgetting"]

GROUPINGS = ("domain", "suite", "task")


@dataclass(frozen=True, kw_only=True)
class GroupRow:
    """A domain, a suite or a task."""

    name: str
    learnt: int
    """The number, from 1 on, of the checkpoint that had just learnt it."""
    tasks: int
    success: tuple[Interval | None, ...]
    """The success rate of each checkpoint, each task weighing the same; None where a task has a
    score only, or a checkpoint has none."""
    n: int
    """Pairs of cases of the checkpoint that had just learnt it and of the last one; 0 where these
    are the same."""
    transfer: Interval | None
    """Last minus just learnt, paired by case; None where these are the same checkpoint."""
    p: float | None
    """Two-sided, of no difference."""


@dataclass(frozen=True, kw_only=True)
class Forgetting(Finding):
    """What came of the probe."""

    checkpoints: tuple[str, ...]
    grouping: str
    groups: tuple[GroupRow, ...]
    overall: Interval
    """Backward transfer: the mean over all tasks that were learnt before the last checkpoint."""
    p: float
    tasks: int
    """So many tasks."""
    n: int
    missing: int
    """Planned cases without a score, over all checkpoints."""
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "schema": 1,
            "checkpoints": list(self.checkpoints),
            "by": self.grouping,
            "groups": [
                {
                    "name": each.name,
                    "learnt": each.learnt,
                    "tasks": each.tasks,
                    "success": [estimate_json(found) for found in each.success],
                    "n": each.n,
                    "transfer": estimate_json(each.transfer),
                    "p": each.p,
                }
                for each in self.groups
            ],
            "backward_transfer": estimate_json(self.overall),
            "p": self.p,
            "tasks": self.tasks,
            "n": self.n,
            "missing": self.missing,
            "notes": list(self.notes),
        }

    def sections(self) -> list[Section]:
        """The matrix, the changes and what they come to."""
        numbers = [f"{k + 1}" for k in range(len(self.checkpoints))]
        matrix = [[each.name, each.tasks, *map(percent, each.success)] for each in self.groups]
        changes = [
            [each.name, each.learnt, each.n or "", points(each.transfer)] for each in self.groups
        ]
        lines = [
            f"Backward transfer (tasks: {self.tasks}, pairs: {self.n}): {points(self.overall)} "
            f"points (p = {self.p:.2g}): {self._verdict()}."
        ]
        if self.missing:
            lines.append(f"{self.missing} planned cases have no score, and are left out.")
        return [
            Section(
                before=tuple(f"{k}: {name}" for k, name in zip(numbers, self.checkpoints)),
            ),
            Section.table(
                "success in %, by checkpoint", [self.grouping, "tasks", *numbers], matrix
            ),
            Section.table(
                "what the last checkpoint can do more, in points",
                [self.grouping, "learnt at", "pairs", "last - learnt"],
                changes,
            ),
            Section(before=(*lines, *self.notes)),
        ]

    def plots(self) -> list[Plot]:
        """Success over the training, and backward transfer."""
        rated = [each for each in self.groups if any(each.success)]
        lines = Plot(
            title=f"success by {self.grouping}",
            kind="lines",
            at="checkpoint",
            value="success in %",
            labels=tuple(f"{k + 1}" for k in range(len(self.checkpoints))),
            series=tuple(
                Series(
                    name=each.name,
                    points=tuple(
                        point_of(at, rate) for at, rate in enumerate(each.success) if rate
                    ),
                )
                for each in rated
            ),
            least=0,
            most=100,
        )
        known = [(each.name, each.transfer) for each in self.groups if each.transfer]
        known.append(("all tasks", self.overall))
        changes = [point_of(place, change) for place, (_, change) in enumerate(known)]
        rows = Plot(
            title="backward transfer",
            kind="rows",
            value="last - learnt, in points",
            labels=tuple(name for name, _ in known),
            series=(Series(name="last - learnt", points=tuple(changes)),),
            marks=(0,),
        )
        return [lines, rows] if rated else [rows]

    def _verdict(self) -> str:
        if self.overall.high < 0:
            return "the training forgot"
        if self.overall.low > 0:
            return "what was learnt before got better"
        return "neither forgetting nor a gain is shown"


def measure_forgetting(
    runs: Sequence[ScoredRun], grouping: str, learnt: Mapping[str, int]
) -> Forgetting:
    """Compare the runs of the checkpoints of one training, in the order of the training.

    `grouping`: one of GROUPINGS. `learnt`: which checkpoint, from 1 on, had just learnt a group;
    the first one had learnt all that is not named. A group of the last checkpoint has nothing that
    could be forgotten yet, and is in no mean.

    Raises UserError for fewer than two runs, an unknown group or checkpoint, runs that share no
    case, and where all was learnt at the end.
    """
    if len(runs) < 2:
        raise UserError("forgetting takes two checkpoints at least, in the order of the training")
    if grouping not in GROUPINGS:
        raise UserError(f"there is no grouping {grouping!r}: choose {', '.join(GROUPINGS)}")
    last = len(runs)
    paired = [pair_up(run, runs[-1]) for run in runs[:-1]]
    members = groups_of(runs[-1].plan, grouping, learnt, last)
    groups, seen = [], list[TaskPairs]()
    for name, tasks in members.items():
        at = learnt.get(name, 1)
        pairs: list[TaskPairs] = []
        if at < last:
            pairs = [each for each in paired[at - 1] if each.task.id in tasks and each.pairs]
        seen += pairs
        found = _difference(pairs) if pairs else None
        groups.append(
            GroupRow(
                name=name,
                learnt=at,
                tasks=len(tasks),
                success=tuple(_success(run, tasks) for run in runs),
                n=sum(len(each.pairs) for each in pairs),
                transfer=None if found is None else found[0],
                p=None if found is None else found[1],
            )
        )
    if not seen:
        raise UserError(
            "no task was learnt before the last checkpoint, so none can be forgotten: correct "
            "--learnt, or name a later checkpoint"
        )
    overall, p = _difference(seen)
    notes = dict.fromkeys(note for each in paired for note in pair_notes(each))
    return Forgetting(
        checkpoints=tuple(run.name for run in runs),
        grouping=grouping,
        groups=tuple(groups),
        overall=overall,
        p=p,
        tasks=len(seen),
        n=sum(len(each.pairs) for each in seen),
        missing=sum(run.missing() for run in runs),
        notes=tuple(notes),
    )


def groups_of(
    plan: Plan, grouping: str, learnt: Mapping[str, int], checkpoints: int
) -> dict[str, dict[str, Task]]:
    """Group -> its tasks by id, in the order of the plan.

    Raises UserError for an unknown group or checkpoint in `learnt`.
    """
    found: dict[str, dict[str, Task]] = {}
    for item in plan.items:
        task = item.task
        name = {"domain": task.domain, "suite": item.suite, "task": task.name}[grouping]
        found.setdefault(name, {})[task.id] = task
    for name, at in learnt.items():
        if name not in found:
            hint = suggest(name, found) or f"there are {', '.join(found)}"
            raise UserError(f"--learnt: nothing that is played is called {name!r}; {hint}")
        if not 1 <= at <= checkpoints:
            raise UserError(
                f"--learnt {name}={at}: the checkpoints are numbered 1 to {checkpoints}"
            )
    return found


def _difference(pairs: Sequence[TaskPairs]) -> tuple[Interval, float]:
    """(the mean over tasks of new minus base, its p-value)."""
    changes = [each.differences() for each in pairs]
    designs = designs_of_pairs(pairs, changes)
    return paired_difference(changes, 0.95, designs), paired_p(changes, designs)


def _success(run: ScoredRun, tasks: Mapping[str, Task]) -> Interval | None:
    """The mean success rate of a run over these tasks, its unperturbed cases."""
    values, seeds, families = [], [], []
    for number, item in enumerate(run.plan.items):
        if item.task.id not in tasks:
            continue
        if item.task.success is None:
            return None
        keys = [key for key in run.scored_cases(number) if not key[2]]
        found = np.array([run.values[key] for key in keys])
        if len(found):
            values.append(found)
            seeds.append(np.array([key[1] for key in keys]))
            families.append(item.family)
    if not values:
        return None
    assert all(math.isfinite(each.sum()) for each in values)
    counts = [len(each) for each in values]
    designs = design_effects(values, seeds, families)
    return mean_of_rates([int(each.sum()) for each in values], counts, design=designs)
