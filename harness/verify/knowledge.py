"""What a verification must be told: our tasks and suites, whom to trust, and the stopping rules.

harness.cli knows all of these; this package knows none of them by name.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from harness.core import Result, Suite, Task
from harness.records.plan import CaseIndex, Plan

__all__ = ["Knowledge", "StopFinder", "Stops"]


@dataclass(frozen=True, kw_only=True)
class Stops:
    """Where a stopping rule can have ended a run, by the run's own results."""

    ends: tuple[Mapping[str, int], ...]
    """Task id -> episodes that count. Several where more than the results decided."""
    decided: bool = False
    """Whether the rule must have ended the run early."""
    unknown: str = ""
    """What besides the results decided, and is not in the run's files."""


StopFinder = Callable[[Plan, str, Iterable[tuple[CaseIndex, Result]]], "Stops | None"]
"""(the whole plan, the rule as run.json names it, the results) -> Stops; None: no such rule."""


def _nothing(_: object) -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Knowledge:
    """What is known here. The defaults know nothing, and trust every task."""

    tasks: Mapping[str, Task] = field(default_factory=dict)
    """The tasks of our suites, by id."""
    suite: Callable[[str], Suite | None] = _nothing
    """Our suite of this name, or that of `gym:ID`; None: it is a user's.

    It is asked for `gym:ID` only if the task with this ID as its parameter is trusted.
    """
    refuse: Callable[[Task], str | None] = _nothing
    """Why nothing that this task names may be imported, with the remedy; None: it may be."""
    stops: StopFinder = lambda *_: None
    """Where a stopping rule ends a run."""

    @functools.cached_property
    def by_name(self) -> Mapping[str, Task]:
        """Our tasks by their names without versions; of several versions the last one."""
        return {task.name: task for task in self.tasks.values()}
