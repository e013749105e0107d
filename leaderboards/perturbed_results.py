"""The results of a perturbed run as arrays: what robustness is computed from."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from harness.compare.pairs import ScoredRun
from harness.core import Result, UserError
from harness.records.plan import CaseIndex, Plan, label

__all__ = [
    "ERROR",
    "FAILED",
    "MISSING",
    "SUCCEEDED",
    "CaseArrays",
    "PlayedCondition",
    "read_case_arrays",
]

MISSING, ERROR, FAILED, SUCCEEDED = -2, -1, 0, 1
"""States of a case; those from FAILED on are results."""


class PlayedCondition(NamedTuple):
    """A perturbed condition in one item of the plan; condition 0 is the control."""

    item: int
    condition: int


class CaseArrays:
    """The results of a perturbed run, as far as they bear on robustness.

    `state`, `score`, `steps`, `agent_error` and `burst` hold, for each item of the plan, an array
    of shape (conditions, episodes). Row 0 holds the controls: the same task and seed, unperturbed.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        shapes = [(len(plan.conditions), item.episodes) for item in plan.items]
        self.state = [np.full(shape, MISSING, np.int8) for shape in shapes]
        self.score = [np.full(shape, np.nan) for shape in shapes]
        self.steps = [np.zeros(shape, np.int32) for shape in shapes]
        self.agent_error = [np.zeros(shape, bool) for shape in shapes]
        self.burst = [np.zeros(shape, bool) for shape in shapes]
        """Whether a burst took place."""
        self._conditions: dict[str, list[int]] = {}
        for number, condition in enumerate(plan.conditions[1:], 1):
            self._conditions.setdefault(label(condition), []).append(number)

    def add(self, index: CaseIndex, result: Result) -> None:
        """Take the result that counts of one case."""
        task = self.plan.items[index.item].task
        item, at = index.item, (index.condition, index.episode)
        if result.status == "error":
            self.state[item][at] = ERROR
            return
        self.state[item][at] = SUCCEEDED if result.success is True else FAILED
        self.agent_error[item][at] = result.status == "agent_error"
        self.steps[item][at] = result.steps
        self.burst[item][at] = result.metrics.get("burst_steps", 0) > 0
        score = result.score
        if score is None and task.normaliser is not None and task.success is None:
            score = task.normaliser.low
        self.score[item][at] = math.nan if score is None else score

    @property
    def labels(self) -> list[str]:
        """`name:severity` of every perturbed condition, in the plan's order."""
        return list(self._conditions)

    def condition(self, item: int, name: str) -> int | None:
        """The condition that plays `name:severity` in an item.

        None where the perturbation has nothing to change there. Several conditions may have one
        name, each for other tasks: the parameters of a severity may depend on the task.
        """
        return next(
            (
                condition
                for condition in self._conditions.get(name, ())
                if self.plan.plays(item, condition)
            ),
            None,
        )

    def played(self, name: str, domain: str | None = None) -> list[PlayedCondition]:
        """Where it is played: the tasks of a domain, or all of them."""
        found = []
        for number, item in enumerate(self.plan.items):
            condition = self.condition(number, name)
            if condition is not None and domain in (None, item.task.domain):
                found.append(PlayedCondition(number, condition))
        return found

    def has_success(self, item: int) -> bool:
        """Whether the item's task has a success."""
        return self.plan.items[item].task.success is not None

    def pairs(self, item: int, condition: int) -> np.ndarray:
        """Which episodes have a result in this condition and as a control, shape (episodes,)."""
        state = self.state[item]
        good: np.ndarray = (state[condition] >= FAILED) & (state[0] >= FAILED)
        return good


def read_case_arrays(side: ScoredRun) -> CaseArrays:
    """The results of a run.

    Raises UserError when it was played without perturbations or has no controls, or a line does not
    fit its plan.
    """
    if not side.plan.perturbations:
        raise UserError(
            f"{side.name} was played without perturbations: "
            "`bench run ... --perturb standard` makes a run with them"
        )
    if side.plan.offsets:
        raise UserError(
            f"{side.name} is a batch of bench probe region: each of its conditions has a start of "
            "its own, so none has a control. Choose a run of `bench run --perturb`"
        )
    arrays = CaseArrays(side.plan)
    for index, result in side.stored.cases():
        arrays.add(index, result)
    return arrays
