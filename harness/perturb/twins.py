"""From the arms that a user chose to a plan in which each perturbed case has its unperturbed twin."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from harness.core import Agent, Missing, Perturbation
from harness.load import load_adapter
from harness.perturb.chosen import Arm, fit
from harness.plan import NotRun, Plan, PlanItem, label

__all__ = ["perturbed"]


def perturbed(items: Sequence[PlanItem], agent: type[Agent], arms: Sequence[Arm]) -> Plan:
    """A plan of these items with these arms: each item plays those that have something to change in it, and a row says why it does not play
    another. The unperturbed arm is part of every plan, once."""
    places: dict[str, int] = {}
    played: list[tuple[Perturbation, ...]] = []
    numbers: list[list[int]] = [[] for _ in items]
    rows: list[NotRun] = []
    for arm in arms:
        for item, mine in zip(items, numbers):
            fitted = fit(arm, item.task, load_adapter(item.task.adapter), agent)
            if isinstance(fitted, Missing):
                rows.append(NotRun.of(item.suite, item.task, fitted, label(arm.parts)))
                continue
            key = "+".join(map(str, fitted))
            if key not in places:
                places[key] = len(played)
                played.append(fitted)
            mine.append(places[key])
    every = list(range(len(played)))
    fitted_items = (
        dataclasses.replace(item, arms=None if mine == every else tuple(mine))
        for item, mine in zip(items, numbers)
    )
    return Plan(tuple(fitted_items), perturbations=tuple(played), not_run=tuple(rows))
