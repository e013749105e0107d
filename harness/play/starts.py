"""How an episode starts: with a reset, and again with another draw where it is solved already."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from harness.core import Case, Missing, Task, TimeStep, UserError
from harness.host.loading import load_adapter
from harness.perturb.effects import NotApplicable
from harness.play.environments import EnvSlot, Unfit
from harness.play.outcome import Outcome
from harness.play.values import SimulatorFault, checked_timestep

__all__ = ["MOST_DRAWS", "SOLVED_AT_START", "cannot_run", "missing_here", "start"]

MOST_DRAWS = 10
"""How often a start that is solved already is drawn again."""
SOLVED_AT_START = "solved_at_start"
"""How an episode ended of which nothing was left to play."""


def start(
    slot: EnvSlot, case: Case, before: Callable[[], None] = lambda: None
) -> tuple[TimeStep, int]:
    """Reset the slot; returns the first timestep, and how often the start was drawn again.

    A start that is solved already is drawn again, at most MOST_DRAWS times, unless the adapter says
    that its benchmark prescribes the start. So the timestep may still say `success`: then nothing
    is left to play. Everything follows from the case, so a replay finds the same draw.

    `before` is called before each reset. Raises SimulatorFault if the episode is over without a
    success, and what the simulator raises.
    """
    for draw in range(MOST_DRAWS + 1):
        before()
        drawn = dataclasses.replace(case, draw=draw) if draw else case
        first = checked_timestep(slot.reset(drawn))
        solved = first.success and case.task.success is not None
        if not solved or not slot.adapter.redraws:
            break
    if (first.terminated or first.truncated) and not solved:
        raise SimulatorFault("the episode is over at reset: nothing is left to play")
    return first, draw


def cannot_run(ticket: Any, case: Case, refusal: Unfit | UserError | NotApplicable) -> Outcome:
    """The outcome of a case that was refused before it started.

    By the agent (Unfit), by a perturbation that has nothing to change here, or by the adapter
    (UserError): the task itself, or its combination with the perturbations.
    """
    if isinstance(refusal, UserError):
        perturbed = bool(case.perturbations)
        remedy = "leave it out for this task" if perturbed else "correct the task's params"
        found = Missing(str(refusal), remedy)
        return Outcome(ticket=ticket, missing=found, perturbations_only=perturbed)
    idle = isinstance(refusal, NotApplicable)
    return Outcome(ticket=ticket, missing=refusal.missing, perturbations_only=idle)


def missing_here(task: Task) -> Missing | None:
    """What this machine lacks for a task whose simulator cannot be imported; None if not that.

    The plan was made where the run was started, which may be another machine.
    """
    try:
        found = load_adapter(task.adapter).missing(task)
    except Exception:  # then it says no more than the failure that was there before
        return None
    return found if isinstance(found, Missing) else None
