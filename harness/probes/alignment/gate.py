"""The agent's own success: only what it can do is read."""

from __future__ import annotations

from dataclasses import dataclass

from harness.compare.pairs import ScoredRun
from harness.core import Task, UserError
from harness.stats import Interval, wilson

__all__ = ["Success", "successes_of"]


@dataclass(frozen=True, kw_only=True)
class Success:
    """How often the agent succeeds in a task."""

    task: str
    successes: int
    n: int
    rate: Interval


def successes_of(run: ScoredRun, tasks: list[Task], fingerprint: str) -> list[Success]:
    """The success of the agent with this fingerprint in each of these tasks, unperturbed.

    Raises UserError where another agent played the run, and where a task is not in it or has no
    success rule.
    """
    agent = run.run["agent"]
    if agent["fingerprint"] != fingerprint:
        raise UserError(
            f"--run {run.name} was played by another agent, {agent['name']} "
            f"({agent['fingerprint']}, not {fingerprint}): name that one with --agent and "
            "--agent-arg, or leave --run out"
        )
    items = {item.task.id: number for number, item in enumerate(run.plan.items)}
    found = []
    for task in tasks:
        if task.success is None:
            raise UserError(f"{task.id} has no success rule: leave it out with --tasks")
        if task.id not in items:
            raise UserError(
                f"--run {run.name} did not play {task.id}: choose tasks of it with --tasks"
            )
        values = [run.values[key] for key in run.scored_cases(items[task.id]) if not key[2]]
        if not values:
            raise UserError(f"--run {run.name} has no result of {task.id}: play it to its end")
        won = int(sum(values))
        found.append(
            Success(task=task.id, successes=won, n=len(values), rate=wilson(won, len(values)))
        )
    return found
