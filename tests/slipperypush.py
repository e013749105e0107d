"""Meta-World in which nothing is done where the friction is below 0.4: a border that is known."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from adapters.metaworld import MetaWorldAdapter
from harness.core import Case, Suite, Task, TimeStep
from suites.metaworld import SUITES as METAWORLD


class SlipperyAdapter(MetaWorldAdapter):
    """Below a friction factor of 0.4 the arm does not move."""

    def reset(self, case: Case) -> TimeStep:
        friction = case.simulator_perturbation("friction")
        self._slips = friction is not None and friction["factor"] < 0.4
        return super().reset(case)

    def step(self, action: Any) -> TimeStep:
        return super().step(np.zeros(4, np.float32) if self._slips else action)


def slippery(name: str, max_steps: int) -> Task:
    """The task of Meta-World with the planted fault."""
    (task,) = (each for each in METAWORLD[0].tasks if each.name == f"metaworld/{name}")
    return dataclasses.replace(
        task,
        id=f"slippery/{name.removesuffix('-v3')}@1",
        adapter="slipperypush:SlipperyAdapter",
        max_steps=max_steps,
    )


SUITES = (Suite("slippery", "push, with a planted fault", (slippery("push-v3", 120),), 10),)
