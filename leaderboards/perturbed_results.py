"""What every case of a perturbed run came to: what robustness is computed from."""

from __future__ import annotations

import math

import numpy as np

from harness.compare.pairs import ScoredRun
from harness.core import Result, UserError
from harness.records.plan import CaseIndex, Plan, label

__all__ = ["ERROR", "FAILED", "MISSING", "SUCCEEDED", "CaseArrays", "Place", "read"]

MISSING, ERROR, FAILED, SUCCEEDED = -2, -1, 0, 1
Place = tuple[int, int]
"""The plan's item and the number of its arm."""


class CaseArrays:
    """What each case of a perturbed run came to, as far as it bears on robustness: arrays of shape (arms, episodes) for each item."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        shapes = [(len(plan.conditions), item.episodes) for item in plan.items]
        self.state = [np.full(shape, MISSING, np.int8) for shape in shapes]
        self.score = [np.full(shape, np.nan) for shape in shapes]
        self.steps = [np.zeros(shape, np.int32) for shape in shapes]
        self.agent_error = [np.zeros(shape, bool) for shape in shapes]
        self.burst = [np.zeros(shape, bool) for shape in shapes]
        self._conditions: dict[str, list[int]] = {}
        for number, condition in enumerate(plan.conditions[1:], 1):
            self._conditions.setdefault(label(condition), []).append(number)

    def add(self, index: CaseIndex, result: Result) -> None:
        """Take the result that counts of one case."""
        entry, at = self.plan.items[index.item], (index.condition, index.episode)
        item = index.item
        if result.status == "error":
            self.state[item][at] = ERROR
            return
        self.state[item][at] = SUCCEEDED if result.success is True else FAILED
        self.agent_error[item][at] = result.status == "agent_error"
        self.steps[item][at] = result.steps
        self.burst[item][at] = result.metrics.get("burst_steps", 0) > 0
        score = result.score
        if score is None and entry.task.normaliser is not None and entry.task.success is None:
            score = entry.task.normaliser.low
        self.score[item][at] = math.nan if score is None else score

    @property
    def labels(self) -> list[str]:
        """`name:severity` of every perturbed arm, in the plan's order."""
        return list(self._conditions)

    def condition(self, item: int, name: str) -> int | None:
        """The number of the arm that plays `name:severity` in an item; None where it has nothing to change there."""
        return next(
            (
                condition
                for condition in self._conditions.get(name, ())
                if self.plan.plays(item, condition)
            ),
            None,
        )

    def played(self, name: str, domain: str | None = None) -> list[tuple[int, int]]:
        """(item, arm) of all tasks of a domain that play it."""
        found = []
        for number, item in enumerate(self.plan.items):
            condition = self.condition(number, name)
            if condition is not None and domain in (None, item.task.domain):
                found.append((number, condition))
        return found

    def rated(self, item: int) -> bool:
        """Whether the task has a success."""
        return self.plan.items[item].task.success is not None

    def pairs(self, item: int, condition: int) -> np.ndarray:
        """Which episodes have a result in this arm and unperturbed, shape (episodes,)."""
        state = self.state[item]
        good: np.ndarray = (state[condition] >= FAILED) & (state[0] >= FAILED)
        return good


def read(side: ScoredRun) -> CaseArrays:
    """The outcomes of a run. Raises UserError when it was played without perturbations, or a line is none of ours."""
    if not side.plan.perturbations:
        raise UserError(
            f"{side.name} was played without perturbations: `bench run ... --perturb standard` makes a run with them"
        )
    outcomes = CaseArrays(side.plan)
    for index, result in side.stored.cases():
        outcomes.add(index, result)
    return outcomes
