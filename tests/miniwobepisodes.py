"""MiniWoB++ tasks by name, and whole episodes of them, for the tests of its adapter.

`adapter` is a fixture, which a test module takes over by naming it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapters.miniwob import MiniWobAdapter
from harness.core import Case, Element, TimeStep, UIAction
from suites.miniwob import SUITES

TASKS = {task.params["name"]: task for task in SUITES[0].tasks}


@pytest.fixture(scope="module")
def adapter() -> Iterator[MiniWobAdapter]:
    """One browser for all tests of a module."""
    made = MiniWobAdapter(TASKS["click-test"])
    yield made
    made.close()


def dom(timestep: TimeStep) -> tuple[Element, ...]:
    """What is on the screen."""
    elements: tuple[Element, ...] = timestep.observation["dom"]()
    return elements


def start(adapter: MiniWobAdapter, name: str, seed: int = 0) -> TimeStep:
    """Reset the adapter to a case of the named task."""
    return adapter.reset(Case(TASKS[name], seed))


def play_expert(adapter: MiniWobAdapter, case: Case) -> tuple[TimeStep, list[UIAction]]:
    """Play the expert's episode: its last TimeStep and the actions executed."""
    timestep, executed = adapter.reset(case), []
    for _ in range(case.task.max_steps or 0):
        wanted = adapter.expert(executed[-1] if executed else None)
        if wanted is None:
            break
        timestep = adapter.step(wanted)
        executed.append(wanted)
        if timestep.terminated:
            break
    return timestep, executed
