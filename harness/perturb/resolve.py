"""Which conditions of `--perturb` change anything in a task, and with which parameters."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core import (
    AT,
    Adapter,
    Agent,
    BatchedAdapter,
    Missing,
    Perturbation,
    SimulatorPerturbation,
    Task,
    UserError,
)
from harness.core.agent import ALL_VIEWS, NO_VIEWS
from harness.core.reads import view_of
from harness.perturb.parse import Condition
from harness.perturb.registry import REGISTRY

__all__ = ["not_observed", "resolve"]

SIGHTS = ("image", "depth", "grid", "dom", "text", "pddl")
"""First words of the names of the views that partial observability reaches."""


def resolve(
    condition: Condition, task: Task, adapter: type[Adapter | BatchedAdapter], agent: type[Agent]
) -> tuple[Perturbation, ...] | Missing:
    """The perturbations of a condition with all parameters, or why they change nothing in a task.

    What only the simulator can tell is found out when the first case is played. Raises UserError
    if the adapter declares a perturbation with the name of a built-in one.
    """
    declared = {each.name: each for each in adapter.simulator_perturbations(task)}
    for name in declared.keys() & REGISTRY.keys():
        raise UserError(
            f"{task.adapter} declares a perturbation {name!r}, but a built-in one has this name: "
            "rename it"
        )
    resolved = []
    for part in condition.parts:
        kind = REGISTRY.get(part.name) or declared.get(part.name)
        if kind is None:
            return Missing(
                "the simulator has no such thing here", "`bench list perturbations` shows which do"
            )
        if AT in part.params:
            found = _at_value(part, declared[part.name])
            if isinstance(found, Missing):
                return found
            resolved.append(found)
            continue
        levels = kind.levels
        if part.severity > len(levels) and not part.params:
            return Missing(
                f"{part.name} has severities up to {len(levels)} here",
                f"use {part.name}:{len(levels)}",
            )
        reason = not_observed(part.name, agent.reads, agent.history) if condition.by_set else ""
        if reason:
            return Missing(reason, "name it to play it all the same: --perturb NAME:SEVERITY")
        params = part.params or (levels[part.severity - 1] if part.severity else {})
        resolved.append(Perturbation(part.name, part.severity, dict(params)))
    return tuple(resolved)


def _at_value(part: Perturbation, declared: SimulatorPerturbation) -> Perturbation | Missing:
    """`friction=0.4` with its parameter. Raises UserError where the value is out of its range."""
    allowed, value = declared.range, part.params[AT]
    if allowed is None:
        return Missing(
            f"{part.name} has severities only here", f"use {part.name}:1, ... in place of a value"
        )
    if not allowed.low <= value <= allowed.high:
        raise UserError(
            f"--perturb {part.name}={value:g}: {allowed.parameter} lies in its range, {allowed}"
        )
    return Perturbation(part.name, part.severity, {allowed.parameter: value, AT: value})


def not_observed(name: str, reads: Sequence[str], history: int) -> str:
    """Why an agent that `reads` these views cannot notice the perturbation; empty if it may."""
    kind = REGISTRY.get(name)
    if ALL_VIEWS in reads:
        return ""
    views = [view for view in map(view_of, reads) if view not in NO_VIEWS]
    pictures = [view for view in views if view.partition("_")[0] in ("image", "depth")]
    if kind is None:
        return ""
    if kind.group == "image" and not pictures:
        return "this agent reads no picture"
    if kind.group == "partial" and not any(view.partition("_")[0] in SIGHTS for view in views):
        return "this agent reads no picture, grid, page or text"
    if kind.group == "state" and len(pictures) == len(views):
        return "this agent reads no numbers"
    if kind.group == "delay" and not views:
        return "this agent reads no view"
    if kind.group == "history" and history < 2:
        return "this agent is shown one observation at a time"
    if kind.group == "language" and reads and set(reads) <= set(NO_VIEWS):
        return "this agent asks the expert alone"
    return ""
