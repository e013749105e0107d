"""The search: batch by batch, where to play next, and what came of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np

from harness.core import UserError
from harness.perturb import Condition
from harness.probes.region.axes import Axis, conditions_at
from harness.probes.region.finding import RegionProbe
from harness.probes.region.surface import BATCH, next_places
from harness.records.plan import Plan
from harness.records.stored_run import StoredRun

__all__ = ["RegionSearch", "check_plan"]


@dataclass
class RegionSearch:
    """What was played so far. The same outcomes lead to the same next batch."""

    axes: tuple[Axis, ...]
    rate: float
    seed: int
    missing: int = 0
    """Planned cases without a score."""
    _batch: int = 0
    _places: np.ndarray = field(default_factory=lambda: np.empty(0))
    _successes: np.ndarray = field(default_factory=lambda: np.empty(0, bool))

    def __post_init__(self) -> None:
        self._places = np.empty((0, len(self.axes)))

    @property
    def name(self) -> str:
        """Of the run directory of the next batch."""
        return f"batch-{self._batch:03d}"

    def conditions(self) -> tuple[Condition, ...]:
        """What the next batch plays."""
        return conditions_at(self.axes, self._next())

    def planned(self, plan: Plan, number: int) -> Plan:
        """The plan of the next batch: each place is played from a start of its own.

        So all episodes are independent. `number` is that of a stage, of which there is one.
        """
        first = self._batch * (BATCH + 1)
        return dataclasses.replace(plan, offsets=tuple(range(first, first + BATCH + 1)))

    def take(self, run: StoredRun) -> None:
        """Take the outcomes of the batch, the unperturbed episode among them.

        Raises UserError where none has a score.
        """
        every = np.concatenate([[[axis.nominal for axis in self.axes]], self._next()])
        won = {
            index.condition: result.success is True
            for index, result in run.cases()
            if result.status != "error"
        }
        if not any(won):
            raise UserError(
                f"no perturbed episode counted: `bench report {run.path}` says why they have no "
                "score"
            )
        self.missing += len(every) - len(won)
        numbers = sorted(won)
        self._places = np.concatenate([self._places, every[numbers]])
        outcomes = np.array([won[each] for each in numbers], bool)
        self._successes = np.concatenate([self._successes, outcomes])
        self._batch += 1

    def found(self) -> RegionProbe:
        """What all batches show."""
        return RegionProbe(
            axes=self.axes,
            rate=self.rate,
            places=self._places,
            successes=self._successes,
            missing=self.missing,
        )

    def _next(self) -> np.ndarray:
        """Where the next batch lies: at values of three digits, as they are played."""
        exact = next_places(self._places, self._successes, self.rate, self.seed, self._batch)
        return np.array(
            [
                [axis.place(axis.value(at)) for axis, at in zip(self.axes, place)]
                for place in exact.tolist()
            ]
        )


def check_plan(plan: Plan) -> None:
    """Raises UserError where a value has nothing to change in the task."""
    for row in plan.not_run:
        if row.perturbation is not None:
            raise UserError(f"{row.perturbation} in {row.task}: {row.reason}; {row.remedy}")
