"""Cases with and without a simulator's perturbation, and digests of what is seen in them."""

from __future__ import annotations

import functools
import hashlib
from typing import Any

import numpy as np

import suites
from harness.core import Case, Perturbation, Task
from harness.records.catalogue import find_suites
from harness.records.registry import load


@functools.lru_cache(maxsize=1)
def tasks() -> dict[str, Task]:
    """All tasks of all suites, by name."""
    return {
        task.name: task
        for name in suites.SUITES
        for task in find_suites(name, suites.SUITES)[0].tasks
    }


def make_case(task: Task, name: str = "", severity: int = 3) -> Case:
    """The task's first case, with the named perturbation if there is a name."""
    if not name:
        return Case(task, task.first_seed)
    perturbation = next(
        perturbation
        for perturbation in load(task.adapter).simulator_perturbations(task)
        if perturbation.name == name
    )
    return Case(
        task,
        task.first_seed,
        (Perturbation(name, severity, perturbation.levels[severity - 1]),),
    )


def step_digests(adapter: Any, played: Case, view: str, steps: int = 6) -> list[str]:
    """Digest of the state and of a view at each step, under actions drawn with a fixed seed."""
    rng, seen = np.random.default_rng(0), adapter.reset(played)
    found = []
    for _ in range(steps):
        value = seen.observation[view]
        value = value() if callable(value) else value
        found.append(
            hashlib.md5(
                adapter.state()
                + (value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
            ).hexdigest()
        )
        seen = adapter.step(adapter.brief.action.sample(rng))
        if seen.terminated or seen.truncated:
            break
    return found
