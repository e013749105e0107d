"""Where a line of results contradicts itself, or its plan."""

from __future__ import annotations

from collections.abc import Iterator

from harness.core import Result, Task
from harness.play.starts import SOLVED_AT_START
from harness.records.plan import CaseIndex, Plan

__all__ = ["MOST_STEPS", "contradictions"]

ENDED = ("success", "terminated", "truncated", "horizon", SOLVED_AT_START)
MOST_STEPS = 10_000_000
"""Of an episode whose task has no horizon. A stranger's trace must not be played for days."""


def contradictions(
    plan: Plan, index: CaseIndex, result: Result
) -> Iterator[tuple[str, object, object]]:
    """Where a result contradicts itself or the plan: (what, recorded, expected)."""
    item, case = plan.items[index.item], plan.case(index)
    task = case.task
    if result.case != case.id:
        yield "the case's id", result.case, f"{case.id}, of this task, seed and perturbations"
    if result.protocol != item.protocol:
        yield "the protocol", result.protocol, item.protocol
    most = task.max_steps or MOST_STEPS
    if result.steps > most:
        yield "steps", result.steps, f"a whole number up to {most}"
    if result.status == "finished":
        assert result.score is not None
        normalised = task.normaliser(result.score) if task.normaliser else None
        if result.normalised != normalised:
            yield "normalised", result.normalised, normalised
        if (result.success is not None) != (task.success is not None):
            yield "success", result.success, "true or false" if task.success else None
        elif result.ended == SOLVED_AT_START and (result.steps or result.success is False):
            yield "ended", result.ended, "no step, and a success"
        elif result.steps == 0 and result.ended != SOLVED_AT_START:
            yield "steps", 0, "one or more"
        elif task.score == "success" and result.score != float(bool(result.success)):
            yield "score", result.score, float(bool(result.success))
        if result.ended not in ENDED:
            yield "ended", result.ended, f"one of {', '.join(ENDED)}"
        if result.error is not None:
            yield "error", result.error, None
        yield from _successes(task, result)
        return
    failed = False if result.status == "agent_error" and task.success is not None else None
    wanted = {"success": failed, "score": None, "normalised": None, "ended": result.status}
    for name, value in wanted.items():
        if getattr(result, name) != value:
            yield name, getattr(result, name), value
    if result.error is None:
        yield "error", None, "a reason"


def _successes(task: Task, result: Result) -> Iterator[tuple[str, object, object]]:
    """What success_ever, success_end and first_success say against success, and one another."""
    if result.success_ever is None and result.success_end is None and result.first_success is None:
        return  # a line of schema 1, or a task without a success rule
    by_rule = result.success_end if task.success == "end" else result.success_ever
    if by_rule != result.success:
        yield "success", result.success, by_rule
    if (result.first_success is not None) != bool(result.success_ever):
        yield "first_success", result.first_success, f"success_ever is {result.success_ever}"
    if (result.first_success or 0) > result.steps:
        yield "first_success", result.first_success, f"one of {result.steps} steps"
    if result.success_end and not result.success_ever:
        yield "success_ever", result.success_ever, "true: the last step was a success"
