"""What the report says of an agent that plans: its plans, and its steps beside the expert's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.core import Result, UserError
from harness.records.plan import CaseIndex
from harness.records.stored_run import StoredRun
from harness.stats import Interval, mean_of_drawn
from leaderboards.answers import AnswersRow
from leaderboards.tables import Column, Table, one_decimal, percent, range_of

__all__ = ["OptimalityRow", "optimality_of", "optimality_table", "plans_table"]

EXPERT = "expert"
ERROR = 0.05
"""Of an interval."""


@dataclass(frozen=True, kw_only=True)
class OptimalityRow:
    """One task, or the mean of the tasks (`task` None), beside a run of its expert."""

    task: str | None
    pairs: int
    """Unperturbed episodes that both played from one start and that the expert solved."""
    unsolved: int
    """Further ones that the expert did not solve: it has no number of steps there."""
    successes: int
    steps: float | None
    """The mean over the successes of the steps to the first success."""
    expert_steps: float | None
    """The expert's, in the same episodes."""
    optimality: Interval
    """The mean over the pairs of S l / max(l, p): S is 1 for a success, p its steps and l the
    expert's (success weighted by path length: Anderson et al. 2018, arXiv 1807.06757)."""


def optimality_of(run: StoredRun, expert: StoredRun) -> tuple[OptimalityRow, ...]:
    """A row for each task of `run` that the expert played too, then the mean over them.

    Raises UserError where the other run is no expert's, or no episode pairs.
    """
    if EXPERT not in expert.reads:
        raise UserError(
            f"{expert.path} is no run of an expert: play one with --agent oracle on the same tasks"
        )
    protocols = {item.task.id: item.protocol for item in expert.plan.items}
    theirs = {
        (result.task, result.seed): result
        for index, result in expert.cases()
        if index.condition == 0
    }
    found: dict[str, list[tuple[Result, Result]]] = {}
    for index, result in run.cases():
        other = theirs.get((result.task, result.seed))
        if other is not None and _is_pair(run, index, result, other, protocols):
            found.setdefault(result.task, []).append((result, other))
    rows = [row for task, pairs in found.items() if (row := _row(task, pairs)) is not None]
    if not rows:
        raise UserError(
            f"no episode of {run.path} pairs with a solved one of {expert.path}: play the expert "
            "on the same tasks and seeds"
        )
    return (*(row for row, _ in rows), _overall(rows))


def _is_pair(
    run: StoredRun, index: CaseIndex, mine: Result, other: Result, protocols: Mapping[str, str]
) -> bool:
    """Whether both are unperturbed, have a score, one protocol and one start."""
    item = run.plan.items[index.item]
    scored = mine.success is not None and other.success is not None
    same = protocols.get(item.task.id) == item.protocol and mine.start == other.start
    return index.condition == 0 and scored and same and bool(mine.start)


def _row(
    task: str, pairs: Sequence[tuple[Result, Result]]
) -> tuple[OptimalityRow, np.ndarray] | None:
    solved = [(mine, other) for mine, other in pairs if _steps(other) is not None]
    if not solved:
        return None
    both = [(_steps(mine), _steps(other) or 0) for mine, other in solved]
    shares = np.array([0.0 if own is None else _share(best, own) for own, best in both])
    won = [(own, best) for own, best in both if own is not None]
    row = OptimalityRow(
        task=task,
        pairs=len(solved),
        unsolved=len(pairs) - len(solved),
        successes=len(won),
        steps=_mean([own for own, _ in won]),
        expert_steps=_mean([best for _, best in won]),
        optimality=_estimate([shares]),
    )
    return row, shares


def _share(expert: int, own: int) -> float:
    return 1.0 if expert == own else expert / max(expert, own)


def _steps(result: Result) -> int | None:
    """The steps to the first success; None without one. Older lines tell the last step only."""
    if not result.success:
        return None
    return result.steps if result.first_success is None else result.first_success


def _mean(values: Sequence[int]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _estimate(tasks: Sequence[np.ndarray]) -> Interval:
    """The mean over tasks of the mean of values in [0, 1], with bounds that hold for any number.

    Those of each task, at a level at which all hold together, are averaged.
    """
    bounds = [mean_of_drawn(each, 1 - ERROR / len(tasks)) for each in tasks]
    low, high = (math.fsum(each) / len(tasks) for each in zip(*bounds))
    return Interval(float(np.mean([each.mean() for each in tasks])), low, high)


def _overall(rows: Sequence[tuple[OptimalityRow, np.ndarray]]) -> OptimalityRow:
    return OptimalityRow(
        task=None,
        pairs=sum(row.pairs for row, _ in rows),
        unsolved=sum(row.unsolved for row, _ in rows),
        successes=sum(row.successes for row, _ in rows),
        steps=None,
        expert_steps=None,
        optimality=_estimate([shares for _, shares in rows]),
    )


def optimality_table(rows: Sequence[OptimalityRow]) -> list[Table]:
    """The table, if an expert's run was named."""
    if not rows:
        return []
    lead = (
        "Optimality: success times the expert's steps over the larger of both steps, to the first "
        "success, in the pairs: episodes of one start that the expert solved. 95 %: by bets. "
        "Steps: means over the pairs that the agent solved."
    )
    columns = (
        Column("", tuple(row.task or "mean" for row in rows), "name"),
        Column("optimality %", tuple(percent(row.optimality.value) for row in rows)),
        Column("95 %", tuple(range_of(row.optimality, percent) for row in rows)),
        Column("pairs", tuple(str(row.pairs) for row in rows)),
        Column("solved", tuple(str(row.successes) for row in rows)),
        Column("steps", tuple(one_decimal(row.steps) for row in rows)),
        Column("expert's", tuple(one_decimal(row.expert_steps) for row in rows)),
        Column("unsolved by it", tuple(str(row.unsolved or "") for row in rows), spare=1),
    )
    return [Table("beside the expert", columns, lead, total=True)]


def plans_table(rows: Sequence[AnswersRow]) -> list[Table]:
    """The plans of a run, if an agent told of any."""
    planned = [row for row in rows if "plans" in row.figures]
    if not planned:
        return []
    lead = (
        "Plans: how often one was asked for; replans: those after the first of an episode; failed: "
        "calls that did not do what they were to do, after which a new plan is made."
    )
    columns = [
        Column("", tuple(row.task or "overall" for row in planned), "name"),
        Column("episodes", tuple(str(row.episodes) for row in planned)),
    ]
    for head, name in (
        ("plans", "plans"),
        ("replans", "replans"),
        ("calls", "calls"),
        ("failed", "failed_calls"),
    ):
        cells = tuple(f"{row.figures.get(name, 0.0):,.0f}" for row in planned)
        columns.append(Column(head, cells))
    return [Table("plans", tuple(columns), lead, total=True)]
