"""From tasks and perturbations that a user chose to a plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from harness.core import Agent, Missing, Perturbation, Suite, Task, UserError
from harness.core.errors import describe
from harness.host.hosted import end_probes
from harness.host.loading import load_adapter
from harness.perturb.parse import Condition, fit
from harness.play.environments import environment_key
from harness.records.identity import AgentSpec
from harness.records.plan import NotRun, Plan, PlanItem, label, protocol_hash

__all__ = ["make_plan", "perturbed"]


def make_plan(
    chosen: Sequence[tuple[Suite, Task]],
    spec: AgentSpec,
    *,
    episodes: int | None,
    seed: int,
    perturb: Sequence[Condition] = (),
) -> Plan:
    """The plan of these tasks for this agent; what cannot run here is a row with its reason. Each case of `perturb` has its unperturbed twin.

    Raises UserError when a number is out of range, or an adapter does not load.
    """
    if episodes is not None and not 1 <= episodes <= 1_000_000:
        raise UserError(f"--episodes must lie between 1 and 1000000, got {episodes}")
    if not 0 <= seed <= 1000:
        raise UserError(
            f"--seed must lie between 0 and 1000, got {seed}: it chooses one of a thousand disjoint sets of episodes"
        )
    needs_expert = "expert" in spec.kind().reads
    items: list[PlanItem] = []
    not_run: list[NotRun] = []
    for suite, task in chosen:
        try:
            kind = load_adapter(task.adapter)
        except UserError as wrong:
            raise UserError(f"task {task.id}: {wrong}") from None
        try:
            missing = kind.missing(task)
            if missing is None and needs_expert and not kind.has_expert(task):
                missing = Missing(
                    "this task has no expert",
                    "play it with another agent, for example --agent uniform",
                )
            env_key = environment_key(task)
        except (KeyError, TypeError, ValueError, AttributeError) as fault:
            raise UserError(
                f"task {task.id}: its params do not fit {task.adapter}: {describe(fault)}"
            ) from None
        if missing is not None:
            not_run.append(NotRun.of(suite.name, task, missing))
        else:
            packages = kind.versions()
            items.append(
                PlanItem(
                    suite.name,
                    task,
                    episodes or suite.episodes_of(task),
                    protocol_hash(task, packages),
                    packages,
                    env_key,
                )
            )
    plan = perturbed(items, spec.kind(), perturb)
    end_probes()
    return dataclasses.replace(plan, seed=seed, not_run=(*not_run, *plan.not_run))


def perturbed(
    items: Sequence[PlanItem], agent: type[Agent], conditions: Sequence[Condition]
) -> Plan:
    """A plan of these items with these arms: each item plays those that have something to change in it, and a row says why it does not play
    another. The unperturbed arm is part of every plan, once."""
    places: dict[str, int] = {}
    played: list[tuple[Perturbation, ...]] = []
    numbers: list[list[int]] = [[] for _ in items]
    rows: list[NotRun] = []
    for condition in conditions:
        for item, mine in zip(items, numbers):
            fitted = fit(condition, item.task, load_adapter(item.task.adapter), agent)
            if isinstance(fitted, Missing):
                rows.append(NotRun.of(item.suite, item.task, fitted, label(condition.parts)))
                continue
            key = "+".join(map(str, fitted))
            if key not in places:
                places[key] = len(played)
                played.append(fitted)
            mine.append(places[key])
    every = list(range(len(played)))
    fitted_items = (
        dataclasses.replace(item, conditions=None if mine == every else tuple(mine))
        for item, mine in zip(items, numbers)
    )
    return Plan(tuple(fitted_items), perturbations=tuple(played), not_run=tuple(rows))
