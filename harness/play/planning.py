"""Makes the plan of a run from the tasks and perturbations that a user chose."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from harness.core import Agent, Missing, Perturbation, Suite, Task, UserError
from harness.core.errors import describe
from harness.host.hosted import end_probes
from harness.host.loading import backend_entry, backend_versions, code_of, load_adapter
from harness.perturb.parse import Condition
from harness.perturb.resolve import resolve
from harness.play.environments import environment_key
from harness.play.expert_run import ASKING
from harness.play.skill_run import SKILLS
from harness.records.control_clock import ControlClock
from harness.records.identity import AgentSpec
from harness.records.plan import NotRun, Plan, PlanItem, label, protocol_hash

__all__ = ["make_plan", "with_conditions"]


def make_plan(
    chosen: Sequence[tuple[Suite, Task]],
    spec: AgentSpec,
    *,
    episodes: int | None,
    seed: int,
    perturb: Sequence[Condition] = (),
    clock: ControlClock | None = None,
    backend: str = "",
) -> Plan:
    """The plan of these tasks for this agent.

    `episodes`: per task; None: as the suite says. `seed`: which of the disjoint sets of episodes.
    Each condition of `perturb` is paired with the unperturbed control. With a `clock` simulated
    time does not wait for the agent. `backend`: which of the adapters' backends plays the cases.
    Tasks that cannot run here are listed in `not_run` with the reason.

    Raises UserError if a number is out of range, an adapter does not load, or a task's params do
    not suit its adapter.
    """
    if episodes is not None and not 1 <= episodes <= 1_000_000:
        raise UserError(f"--episodes must lie between 1 and 1000000, got {episodes}")
    if not 0 <= seed <= 1000:
        raise UserError(
            f"--seed must lie between 0 and 1000, got {seed}: it chooses one of 1001 disjoint sets "
            "of episodes"
        )
    reads = {*spec.kind().reads, *spec.declared()[0]}
    items: list[PlanItem] = []
    not_run: list[NotRun] = []
    for suite, task in chosen:
        try:
            own = load_adapter(task.adapter)
        except UserError as wrong:
            raise UserError(f"task {task.id}: {wrong}") from None
        kind = load_adapter(backend_entry(task, backend)) if backend else own
        try:
            missing = own.missing(task)
            if missing is None and backend:
                missing = kind.missing(task)
            if missing is None and ASKING.intersection(reads) and not kind.has_expert(task):
                missing = Missing(
                    "this task has no expert",
                    "play it with another agent, for example --agent uniform; `bench demos` takes "
                    "one that plays well as --teacher",
                )
            if missing is None and SKILLS in reads and not kind.skills(task):
                missing = Missing(
                    "this task has no skills", "play it with an agent that answers actions"
                )
            env_key = environment_key(task, backend)
            packages = {} if missing is not None else own.versions()
            code = {} if missing is not None else code_of(own, task)
        except (UserError, KeyboardInterrupt):
            raise
        except BaseException as fault:
            if task.adapter.startswith("adapters."):
                raise UserError(
                    f"task {task.id}: its params do not fit {task.adapter}: {describe(fault)}"
                ) from None
            not_run.append(NotRun.of(suite.name, task, _fails(task, fault)))
            continue
        if not (missing is None or isinstance(missing, Missing)):
            raise UserError(
                f"task {task.id}: {task.adapter}.missing returns a Missing or None, got "
                f"{missing!r:.80}"
            )
        if not (
            isinstance(packages, Mapping)
            and all(isinstance(each, str) for pair in packages.items() for each in pair)
        ):
            raise UserError(
                f"task {task.id}: {task.adapter}.versions returns a mapping of texts to texts, got "
                f"{packages!r:.80}"
            )
        if missing is not None:
            not_run.append(NotRun.of(suite.name, task, missing))
        else:
            named = backend_versions(own, task, backend) if backend else packages
            packages = {**named, **code}
            items.append(
                PlanItem(
                    suite.name,
                    task,
                    episodes or suite.episodes_of(task),
                    protocol_hash(task, packages),
                    packages,
                    env_key,
                    own_streams=own.own_streams,
                )
            )
    plan = with_conditions(items, spec.kind(), perturb, backend)
    end_probes()
    rows = (*not_run, *plan.not_run)
    return dataclasses.replace(plan, seed=seed, not_run=rows, clock=clock, backend=backend)


def _fails(task: Task, fault: BaseException) -> Missing:
    """The row of a task whose adapter fails when it is asked about the task."""
    return Missing(
        f"{task.adapter} fails when it is asked about this task: {describe(fault)}",
        "correct the adapter there, or the task's params",
    )


def _resolved(
    condition: Condition, task: Task, agent: type[Agent], backend: str
) -> tuple[Perturbation, ...] | Missing:
    """As `resolve`; what the adapter raises is a row of its own."""
    adapter = load_adapter(backend_entry(task, backend))
    try:
        adapter.simulator_perturbations(task)
    except (UserError, KeyboardInterrupt):
        raise
    except BaseException as fault:
        return _fails(task, fault)
    return resolve(condition, task, adapter, agent)


def with_conditions(
    items: Sequence[PlanItem],
    agent: type[Agent],
    conditions: Sequence[Condition],
    backend: str = "",
) -> Plan:
    """A plan of these items under these conditions and, always, under the unperturbed one.

    An item is played under the conditions that have something to change in it; for each of the
    others, `not_run` has a row with the reason. Raises UserError as `resolve` does.
    """
    # Resolved parameters may differ between tasks, so one condition may become several in the plan.
    indexes: dict[str, int] = {}
    resolved: list[tuple[Perturbation, ...]] = []
    conditions_of: list[list[int]] = [[] for _ in items]
    rows: list[NotRun] = []
    for condition in conditions:
        for item, mine in zip(items, conditions_of):
            parts = _resolved(condition, item.task, agent, backend)
            if isinstance(parts, Missing):
                rows.append(NotRun.of(item.suite, item.task, parts, label(condition.parts)))
                continue
            key = "+".join(map(str, parts))
            if key not in indexes:
                indexes[key] = len(resolved)
                resolved.append(parts)
            mine.append(indexes[key])
    every = list(range(len(resolved)))
    planned = (
        dataclasses.replace(item, conditions=None if mine == every else tuple(mine))
        for item, mine in zip(items, conditions_of)
    )
    return Plan(tuple(planned), perturbations=tuple(resolved), not_run=tuple(rows))
