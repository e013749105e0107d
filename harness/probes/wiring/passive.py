"""What the recorded actions of a run give away, without playing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.core import Box, Discrete, Task, UserError
from harness.host.loading import load_adapter
from harness.play.environments import Environments
from harness.play.inference import Watch
from harness.probes.wiring.senses import Finding
from harness.records.plan import CaseIndex, Plan
from harness.records.stored_run import load_run
from harness.records.traces import read_traces

__all__ = ["findings_of_actions", "findings_of_run", "specs_of"]

FEWEST = 50
"""Actions from which on a finding is made."""
TINY = 1e-3
"""The share of a range within which actions hardly move."""
MOST = 20_000
"""Actions of each task that are looked at."""


def findings_of_actions(actions: Sequence[Any], spec: Any, clipped: int = 0) -> Iterator[Finding]:
    """What is wrong with these executed actions of one task.

    `spec`: of the actions; None: only what needs no bounds is told. `clipped`: how many of them
    were clipped into their bounds.
    """
    count = len(actions)
    if count < FEWEST:
        return
    if clipped >= count:
        yield Finding(code="clipped", what="every action was clipped", count=count)
    first = actions[0]
    if not isinstance(first, np.ndarray):
        if all(action == first for action in actions):
            named = isinstance(spec, Discrete) and spec.names
            name = spec.names[first] if named else repr(first)
            what = f"all actions are equal: {name[:60]}"
            yield Finding(code="equal", what=what, count=count)
        return
    table = np.stack([np.asarray(action, np.float64).ravel() for action in actions])
    still = np.ptp(table, axis=0) == 0
    if still.all():
        yield Finding(code="equal", what="all actions are equal", count=count)
        return
    for number in np.flatnonzero(still):
        what = f"element {number} of the actions{_field(spec, int(number))} is always "
        yield Finding(code="constant", what=f"{what}{table[0, number]:g}", count=count)
    if isinstance(spec, Box):
        low, high = (each.astype(np.float64).ravel() for each in spec.limits)
        bounded = np.isfinite(low) & np.isfinite(high) & (high > low)
        if bounded.all():
            spread = np.ptp(table, axis=0) / (high - low)
            if (spread < TINY).all():
                what = "actions never leave 0.1 % of their range: is an un-normalisation missing?"
                yield Finding(code="tiny", what=what, count=count)


def _field(spec: Any, number: int) -> str:
    """` (gripper)`, where the layout says what an element is."""
    start = 0
    for field in getattr(spec, "layout", ()):
        if number < start + field.size:
            return f" ({field.name})"
        start += field.size
    return ""


def findings_of_run(path: Path, specs: dict[str, Any] | None = None) -> dict[str, list[Finding]]:
    """Task id -> what its recorded actions give away; tasks with none are left out.

    `specs`: of the actions, by task. Raises UserError if it is no run, or has no traces.
    """
    run = load_run(path)
    actions: dict[str, list[Any]] = {}
    for trace in read_traces(path):
        taken = actions.setdefault(trace.task, [])
        if len(taken) < MOST:
            taken.extend(trace.decoded())
    if not actions:
        raise UserError(f"{path} has no recorded actions: name a run directory, not an archive")
    clipped: dict[str, int] = {}
    for result in run.results():
        times = int(result.metrics.get("clipped_actions", 0))
        clipped[result.task] = clipped.get(result.task, 0) + times
    found = {
        task: list(findings_of_actions(taken, (specs or {}).get(task), clipped.get(task, 0)))
        for task, taken in actions.items()
    }
    return {task: each for task, each in found.items() if each}


def specs_of(plan: Plan, trusted: Callable[[Task], bool]) -> dict[str, Any]:
    """The action spec of each task that is trusted and can run here: its environment is made."""
    environments = Environments(1, Watch())
    found = {}
    for number, item in enumerate(plan.items):
        if trusted(item.task) and load_adapter(item.task.adapter).missing(item.task) is None:
            slot = environments.slot(plan.case(CaseIndex(number, 0, 0)), None)
            found[item.task.id] = slot.adapter.brief.action
            environments.close([slot])
    return found
