"""`bench compare` and the outcome of `bench gate`: two runs, case by case."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.compare.comparison import Comparison
from harness.compare.gate import Gated
from harness.compare.pairs import ScoredRun, TaskPairs, pair_notes, pair_up
from harness.compare.privilege import privilege_notes
from harness.compare.sequential_gate import compare_stopped
from harness.compare.verdict import compare_pairs
from harness.compare.violations import compare_violations
from harness.core import UserError
from harness.core.grammar import counted

__all__ = [
    "Compared", "agent_of", "clock_of", "compare_runs", "of_gate", "refuse_same_run",
    "stopped_for_what_it_saw",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A comparison with the names of its runs."""

    base: str
    new: str
    base_agent: str
    new_agent: str
    comparison: Comparison
    notes: tuple[str, ...]
    """What was left out, and what the intervals do not allow for."""
    stopped: str = ""
    """Of a gate: why it stopped, and how many episodes that saved."""
    gate: Mapping[str, Any] | None = None
    """Of a gate: rounds and episodes, as they stand in the JSON."""
    pairs: tuple[TaskPairs, ...] = ()
    """The pairs of each task, and what was left out; not of a gate."""


def compare_runs(
    base: ScoredRun, new: ScoredRun, margin: float, alpha: float, correction: str = "holm"
) -> Compared:
    """Compare two runs.

    Raises UserError when they are the same run, differ in protocol, or share no case.
    """
    refuse_same_run(base, new)
    tasks = pair_up(base, new)
    stopped = any(map(stopped_for_what_it_saw, (base, new)))
    comparison = (
        compare_stopped(tasks, margin, alpha)
        if stopped
        else compare_pairs(tasks, margin, alpha, correction)
    )
    violations = compare_violations(base, new, tasks, alpha, bounded=not stopped)
    return Compared(
        base=base.name,
        new=new.name,
        base_agent=agent_of(base),
        new_agent=agent_of(new),
        comparison=dataclasses.replace(comparison, violations=violations),
        notes=tuple(_notes(base, new, tasks)),
        pairs=tuple(tasks),
    )


def stopped_for_what_it_saw(side: ScoredRun) -> bool:
    """Whether the run could stop for what it saw, so that its figures need bounds for that."""
    return bool(side.run.get("stopped")) or str(side.run.get("stopping", "")).startswith("until")


def _notes(base: ScoredRun, new: ScoredRun, tasks: Sequence[TaskPairs]) -> Iterator[str]:
    for side, other in ((base, new), (new, base)):
        theirs = {item.task.id for item in other.plan.items}
        lone = [item.task.id for item in side.plan.items if item.task.id not in theirs]
        if lone:
            names = ", ".join(lone[:3]) + (", ..." if len(lone) > 3 else "")
            yield f"{counted(len(lone), 'task')} of {side.name} only, not compared: {names}"
    if base.plan.clock != new.plan.clock:
        yield f"the control clocks differ: {clock_of(base)} | {clock_of(new)}"
    yield from privilege_notes(base, new)
    for side in (base, new):
        if stopped_for_what_it_saw(side):
            how = "stopped early" if side.run.get("stopped") else "could stop"
            yield (
                f"{side.name} {how} for what it saw ({side.run.get('stopping')}): compared are as "
                "many episodes as every task has, with bounds that hold at every look"
            )
    yield from pair_notes(tasks)
    shared = sum(len(each.pairs) + each.missing + each.unlike + each.apart for each in tasks)
    both = {each.task.id for each in tasks}
    for side in (base, new):
        numbers = [k for k, item in enumerate(side.plan.items) if item.task.id in both]
        extra = sum(map(side.plan.count, numbers)) - shared
        if extra > 0:
            yield (
                f"{counted(extra, 'case')} of {side.name} "
                + ("has no partner" if extra == 1 else "have no partner")
                + " (other seeds or perturbations): not compared"
            )


def refuse_same_run(base: ScoredRun, new: ScoredRun) -> None:
    """Raises UserError when the two are one run."""
    if (
        base.run["created"] == new.run["created"]
        and base.run["agent"] == new.run["agent"]
        and base.run["plan"]["hash"] == new.run["plan"]["hash"]
        and base.values == new.values
    ):
        raise UserError(f"{base.name} and {new.name} are the same run: a comparison needs two")


def of_gate(gated: Gated, base: ScoredRun) -> Compared:
    """The outcome of a gate against this base."""
    numbers = ("rounds", "rounds_planned", "cases", "cases_planned", "played_beyond", "saved")
    return Compared(
        base=gated.base,
        new=str(gated.path),
        base_agent=agent_of(base),
        new_agent=gated.new,
        comparison=gated.comparison,
        notes=gated.notes,
        stopped=gated.stop_reason,
        gate={**{name: getattr(gated, name) for name in numbers}, "why": gated.stop_reason},
    )


def clock_of(side: ScoredRun) -> str:
    """Its control clock, in words."""
    return str(side.plan.clock or "time waits for the agent")


def agent_of(side: ScoredRun) -> str:
    """The name of its agent."""
    agent = side.run["agent"]
    return str(agent.get("name", agent["entry"]))
