"""How far the episodes of a run came, for `bench gate --outcome progress`."""

from __future__ import annotations

from collections.abc import Callable

from harness.compare.pairs import ScoredRun
from harness.compare.progress import RunProgress
from harness.core import UserError
from harness.host.loading import load_adapter
from harness.records.plan import Plan
from harness.verify.stages import stages_of_run, unknown_reasons

__all__ = ["progress_of", "refuse_without_progress"]


def refuse_without_progress(plan: Plan) -> None:
    """Raises UserError where no task of the plan has stages, or a case is perturbed.

    It imports the adapters of the plan's tasks: ask first whether they may be.
    """
    if any(plan.conditions):
        raise UserError(
            "--outcome progress: stages are told of unperturbed episodes only; name a base that "
            "was played without --perturb"
        )
    if not any(_has_stages(plan, number) for number in range(len(plan.items))):
        raise UserError(
            "--outcome progress: no task of the base has stages (docs/stages.md lists those that "
            "do); leave it out, or choose tasks that have some with --tasks"
        )


def progress_of(
    run: ScoredRun, begin: Callable[[int], None] = lambda count: None, *, replay: bool = True
) -> RunProgress:
    """The progress of the episodes of a run that counts.

    What its `stages.jsonl` lacks is replayed and written there, `begin` is told how many episodes
    that are. Without `replay`, they stay unknown. Raises UserError.
    """
    staged = stages_of_run(run.stored, begin, replay=replay)
    return RunProgress(
        values={
            (each.result.task, each.result.seed, ()): each.found.progress
            for each in staged
            if each.found is not None and each.found.progress is not None
        },
        tasks=frozenset(
            item.task.id
            for number, item in enumerate(run.plan.items)
            if _has_stages(run.plan, number)
        ),
        unknown=unknown_reasons(staged),
    )


def _has_stages(plan: Plan, number: int) -> bool:
    task = plan.items[number].task
    return task.success is not None and bool(load_adapter(task.adapter).stages(task))
