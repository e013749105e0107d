"""A run's plan for a replay: the recorded actions are those after the perturbations of actions."""

from __future__ import annotations

import dataclasses

from harness.core import Case
from harness.perturb.registry import REGISTRY
from harness.records.plan import CaseIndex, Plan

__all__ = ["WithoutPerturbations"]


class WithoutPerturbations(Plan):
    """A plan whose cases lack the perturbations between adapter and agent.

    A trace holds the executed actions, which are those after the perturbations: they must not act
    on them a second time. Perturbations that the simulator carries out stay.
    """

    @classmethod
    def of(cls, plan: Plan) -> WithoutPerturbations:
        """The same items and conditions, by the same indexes."""
        fields = {field.name: getattr(plan, field.name) for field in dataclasses.fields(plan)}
        # What was executed is played, at once: nobody is waited for.
        return cls(**{**fields, "clock": None})

    def case(self, index: CaseIndex) -> Case:
        case = super().case(index)
        simulated = tuple(part for part in case.perturbations if part.name not in REGISTRY)
        return Case(case.task, case.seed, simulated)
