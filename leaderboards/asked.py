"""What an agent that lets the expert act is worth, at a cost for each step in which it asked.

What a step of the expert costs depends on who is asked, so nothing is printed unless somebody
states it: `bench report RUN --ask-cost C`. An episode's worth is 1 for a success, else 0, minus C
times the steps in which the expert acted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.core import Result, UserError
from harness.records.stored_run import StoredRun
from harness.stats import Estimate, design_effects
from harness.stats.scores import mean_of_scores
from leaderboards.no_interval import STOPPED
from leaderboards.tables import Column, Table, one_decimal, percent, range_of

__all__ = ["AskedRow", "asked_of", "asked_table"]

STEPS = "expert_steps"


@dataclass(frozen=True, kw_only=True)
class AskedRow:
    """One task, or the mean over several (`task` None)."""

    task: str | None
    episodes: int
    """Different ones, not perturbed, that have a success or a failure."""
    cost: float
    """Of a step in which the expert acted, as a share of a success."""
    success: float
    asked: float
    """Steps of an episode in which the expert acted, on the mean."""
    net: Estimate
    """The mean worth of an episode, with the 95 % interval of mean_of_scores, where there are
    enough episodes for it and the run could not stop early."""
    no_interval: str = ""


def asked_of(run: StoredRun, cost: float) -> tuple[AskedRow, ...]:
    """The tasks in the order of the plan, then the mean of several, each weighing the same.

    Raises UserError where the cost is no number from 0 on, and where no episode tells how often
    its agent asked.
    """
    if not (math.isfinite(cost) and cost >= 0):
        raise UserError(f"--ask-cost is a number from 0 on, a share of a success; got {cost:g}")
    tasks: dict[int, dict[object, Result]] = {}
    for index, result in run.cases():
        if not index.condition and result.success is not None and STEPS in result.metrics:
            key = (result.start, result.digest) if result.start else index
            tasks.setdefault(index.item, {}).setdefault(key, result)
    if not tasks:
        raise UserError(
            f"{run.path}: its agent asked for no step of the expert: --ask-cost goes with agents "
            "that read `ask`"
        )
    description = run.description
    anytime = bool(description.get("stopped"))
    anytime = anytime or str(description.get("stopping", "")).startswith("until")
    items = sorted(tasks)
    told = [list(tasks[item].values()) for item in items]
    rows = [
        _row(run.plan.items[item].task.id, [results], ["one"], cost, anytime=anytime)
        for item, results in zip(items, told)
    ]
    families = [run.plan.items[item].family for item in items]
    if len(rows) == 1:
        return tuple(rows)
    return (*rows, _row(None, told, families, cost, anytime=anytime))


def _row(
    task: str | None,
    tasks: Sequence[Sequence[Result]],
    families: Sequence[str],
    cost: float,
    *,
    anytime: bool,
) -> AskedRow:
    won = [np.array([float(bool(each.success)) for each in some]) for some in tasks]
    steps = [np.array([each.metrics[STEPS] for each in some]) for some in tasks]
    worth = [one - cost * other for one, other in zip(won, steps)]
    seeds = [np.array([each.seed for each in some]) for some in tasks]
    design = design_effects(worth, seeds, families) if len(tasks) > 1 else 1.0
    net = mean_of_scores(worth, design=design)
    return AskedRow(
        task=task,
        episodes=sum(map(len, tasks)),
        cost=cost,
        success=float(np.mean([each.mean() for each in won])),
        asked=float(np.mean([each.mean() for each in steps])),
        net=Estimate(net.value, None, None) if anytime else net,
        no_interval=STOPPED if anytime else "",
    )


def asked_table(rows: Sequence[AskedRow]) -> list[Table]:
    """The table, if a cost was stated."""
    if not rows:
        return []
    lead = (
        f"Net: success minus {rows[0].cost:g} of a success for each step in which the expert acted."
    )
    if rows[0].no_interval:
        lead += f" {rows[0].no_interval}."
    elif any(row.net.low is None for row in rows):
        lead += " No interval: too few episodes for the tail of such a sum."
    columns = (
        Column("task", tuple(row.task or "mean" for row in rows), "name"),
        Column("n", tuple(str(row.episodes) for row in rows)),
        Column("success %", tuple(percent(row.success) for row in rows)),
        Column("asked", tuple(one_decimal(row.asked) for row in rows)),
        Column("net %", tuple(percent(row.net.value) for row in rows)),
        Column("95 %", tuple(range_of(row.net, percent) for row in rows)),
    )
    return [Table("at a cost of asking", columns, lead, total=len(rows) > 1)]
