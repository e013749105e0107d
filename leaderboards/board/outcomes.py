"""What every case of a task came to, as arrays: what two agents are compared by, case by case."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.compare.case_values import value_of_case
from harness.core import Result
from harness.core.agent import ALL_VIEWS
from harness.perturb.registry import REGISTRY
from harness.play.start_digest import is_drawn
from harness.records.plan import CaseIndex, Plan, PlanItem
from harness.records.renderer import renderer_of

__all__ = ["Outcomes", "TaskOutcomes", "condition_keys"]

UNKNOWN = "?"
"""In place of a renderer: the line does not say it, and the agent may have read a drawn view."""


@dataclass(frozen=True, kw_only=True)
class TaskOutcomes:
    """All cases of one task in one run. The arrays have the shape (conditions, episodes)."""

    item: PlanItem
    conditions: tuple[tuple[str, ...], ...]
    """What every row was perturbed by; the first row is unperturbed."""
    values: np.ndarray
    """See harness.compare.case_values.value_of_case; nan where a case has no score."""
    starts: np.ndarray
    """uint32, a hash of how the case started, or its control where the simulator was perturbed; 0
    where that is not known."""
    renderers: np.ndarray
    """int16, which of `drawn_by` drew what the agent read."""
    drawn_by: tuple[str, ...]
    """Empty: nothing that has a name. UNKNOWN: not recorded."""


def condition_keys(plan: Plan) -> list[tuple[str, ...]]:
    """The perturbations of every condition as the keys of a comparison have them."""
    return [tuple(map(str, condition)) for condition in plan.conditions]


class Outcomes:
    """Collects the outcomes of a run."""

    def __init__(self, plan: Plan, reads: Sequence[str]) -> None:
        self._plan = plan
        shapes = [(len(plan.conditions), item.episodes) for item in plan.items]
        self._values = [np.full(shape, np.nan) for shape in shapes]
        self._starts = [np.zeros(shape, np.uint32) for shape in shapes]
        self._renderers = [np.zeros(shape, np.int16) for shape in shapes]
        may_read_drawn = any(view == ALL_VIEWS or is_drawn(view) for view in reads)
        self._silent = UNKNOWN if may_read_drawn else ""
        self._drawn_by: dict[str, int] = {"": 0}

    def add(self, index: CaseIndex, result: Result) -> None:
        """Take the result that counts of one case."""
        item, at = index.item, (index.condition, index.episode)
        value = value_of_case(self._plan.items[item].task, result)
        if value is None:
            return
        self._values[item][at] = value
        self._starts[item][at] = _hash(result.start)
        name = renderer_of(result)
        name = self._silent if name is None else name
        self._renderers[item][at] = self._drawn_by.setdefault(name, len(self._drawn_by))

    def of_tasks(self) -> list[TaskOutcomes]:
        """For each item of the plan."""
        keys = condition_keys(self._plan)
        simulated = [
            any(each.partition(":")[0] not in REGISTRY for each in condition) for condition in keys
        ]
        found = []
        for number, item in enumerate(self._plan.items):
            played = self._plan.conditions_of(number)
            starts = self._starts[number]
            # What the simulator itself changes starts otherwise: there the controls decide.
            starts[simulated] = starts[0]
            found.append(
                TaskOutcomes(
                    item=item,
                    conditions=tuple(keys[k] for k in played),
                    values=self._values[number][played],
                    starts=starts[played],
                    renderers=self._renderers[number][played],
                    drawn_by=tuple(self._drawn_by),
                )
            )
        return found


def _hash(start: str) -> int:
    """32 bits that are not 0 unless nothing is known."""
    if not start:
        return 0
    return int.from_bytes(hashlib.blake2b(start.encode(), digest_size=4).digest(), "big") or 1
