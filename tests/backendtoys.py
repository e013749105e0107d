"""A toy with backends: one that is equal, one with lanes, and several that are not."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from toys import BatchedToy, ToyAdapter, toy_task

from harness.core import Brief, Case, Suite, Task, TimeStep


class Ordinary(ToyAdapter):
    """The toy, which names its backends."""

    backends: ClassVar[dict[str, str]] = {
        "same": "backendtoys:Same",
        "lanes": "backendtoys:Lanes",
        "late": "backendtoys:Late",
        "broken": "backendtoys:Broken",
        "plain": "backendtoys:Plain",
        "elsewhere": "backendtoys:Elsewhere",
    }


class Same(ToyAdapter):
    """Plays exactly as the toy does."""

    packages = ("numpy",)


class Lanes(BatchedToy):
    """The same, many lanes at once."""


class Late(ToyAdapter):
    """Its reward differs in the last bit from the third step on, under the same state."""

    def reset(self, case: Case) -> TimeStep:
        self.count = 0
        return super().reset(case)

    def step(self, action: Any) -> TimeStep:
        told = super().step(action)
        self.count += 1
        return dataclasses.replace(told, reward=told.reward + 2.0**-52 * (self.count == 3))


class Broken(ToyAdapter):
    """Fails at its second step."""

    def reset(self, case: Case) -> TimeStep:
        self.count = 0
        return super().reset(case)

    def step(self, action: Any) -> TimeStep:
        self.count += 1
        if self.count == 2:
            raise RuntimeError("the second step is one too many")
        return super().step(action)


class Plain(ToyAdapter):
    """Draws no image."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        views = {"state": self.brief.observation["state"]}
        self.brief: Brief = dataclasses.replace(self.brief, observation=views)


class Elsewhere(ToyAdapter):
    """Draws its starts from another stream."""

    def reset(self, case: Case) -> TimeStep:
        return super().reset(Case(case.task, case.seed + 1, case.perturbations))


def task(name: str = "goal", **params: Any) -> Task:
    """A task of the toy that names its backends."""
    made = toy_task(name, max_steps=15, **params)
    return dataclasses.replace(made, adapter="backendtoys:Ordinary")


SUITE = Suite(
    "backendtoys", "a point in a square, with backends", (task(), task("glide", action="box")), 3
)
WITHOUT = Suite("without", "no backend", (toy_task("goal", max_steps=15),), 2)
