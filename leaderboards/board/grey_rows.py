"""What stands beside the agents of a suite: floors, and figures of papers. They have no rank."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from harness.core import Reference, Suite, Task
from leaderboards.floors import SHIPPED_AGENTS, Floor, shipped_floors
from leaderboards.references import said_of

__all__ = ["GreyRow", "floor_rows", "floors_of_task", "published_rows_of"]


@dataclass(frozen=True, kw_only=True)
class GreyRow:
    """A figure that is no entry."""

    label: str
    value: float
    metric: str
    """`success_rate`, or what the source measures."""
    rule: str
    """By which rule it was measured; of floors, of how many episodes."""
    source: str
    command: str = ""
    """What plays it again."""


def floors_of_task(task: Task) -> list[Floor]:
    """What agents that look at nothing reach in a task, by any versions of its packages."""
    return list(shipped_floors(task.id, ""))


def floor_rows(suite: Suite) -> Iterator[GreyRow]:
    """The floors that were measured in all tasks of the suite: means over tasks."""
    by_task = [{each.agent: each for each in floors_of_task(task)} for task in suite.tasks]
    for agent in SHIPPED_AGENTS:
        several = [each[agent] for each in by_task if agent in each]
        rates = [each.success_rate for each in several if each.success_rate is not None]
        if len(rates) == len(suite.tasks):
            n = sum(each.n for each in several)
            yield GreyRow(
                label=f"floor: {agent}",
                value=sum(rates) / len(rates),
                metric="success_rate",
                rule=f"looks at nothing; {n:,} episodes of this suite's tasks",
                source="comes with bench",
                command=f"bench run --agent {agent} --suite {suite.name}",
            )


def published_rows_of(suite: Suite) -> Iterator[GreyRow]:
    """The figures that all tasks of the suite carry: printed means, else means of the tasks' own.

    A mean over another number of tasks than the suite has says so in its rule.
    """
    found: dict[Reference, list[float]] = {}
    for task in suite.tasks:
        for reference in task.references:
            if not reference.part:
                like = dataclasses.replace(reference, value=0.0)
                found.setdefault(like, []).append(reference.value)
    printed = {like.label for like, _ in found.items() if like.tasks not in (1, None)}
    for like, values in found.items():
        if len(values) < len(suite.tasks) or (like.tasks == 1 and like.label in printed):
            continue
        alike = len(set(values)) == 1
        rule = "the same rule" if like.same_rule else like.rule or "another rule, not stated"
        if like.tasks is not None and like.tasks > 1 and like.tasks != len(suite.tasks):
            rule += f"; over {like.tasks} tasks"
        if not alike:
            rule += "; the mean of the tasks' own figures"
        who = said_of(like)
        yield GreyRow(
            label=f"{like.row}: {like.label}" if like.row else like.label,
            value=values[0] if alike else sum(values) / len(values),
            metric=like.metric,
            rule=f"{rule}; {who}" if who else rule,
            source=like.source,
        )
