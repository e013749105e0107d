"""PDDL tasks by name, and their first steps, for the tests of their adapter."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.pddl import PddlAdapter
from adapters.pddl.domains import DOMAINS
from harness.core import Case, Task, TimeStep
from suites.pddl import SUITES

TASKS = {task.name: task for suite in SUITES for task in suite.tasks}

each_domain = pytest.mark.parametrize("name", sorted(DOMAINS))


def task_of(name: str, mode: str = "steps") -> Task:
    """The task of a domain, played action by action (`steps`) or in one answer (`plan`)."""
    return TASKS[f"{'pddl' if mode == 'steps' else 'pddl-plan'}/{name}"]


def begin(name: str, mode: str = "steps", seed: int = 0) -> tuple[PddlAdapter, TimeStep]:
    """An adapter reset to a case of the domain, and its first TimeStep."""
    task = task_of(name, mode)
    adapter = PddlAdapter(task)
    return adapter, adapter.reset(Case(task, seed))


def look(timestep: TimeStep, view: str) -> Any:
    """The value of a view."""
    return timestep.observation[view]()
