"""The point in a square of toys.py, with perturbations that have ranges and a border in each."""

from __future__ import annotations

import dataclasses
from typing import Any

from toys import SUITE_TASKS, ToyAdapter, toy_task

from harness.core import Case, Range, SimulatorPerturbation, Suite, Task, TimeStep

BORDER = 0.4
"""Below this grip the point stands still."""
HEAVIEST = 5.0
"""Above this load, kg, it does."""


class SlippyAdapter(ToyAdapter):
    """The point stands still on too slippery a floor, and under too heavy a load."""

    @classmethod
    def simulator_perturbations(cls, task: Task | None = None) -> tuple[SimulatorPerturbation, ...]:
        return (
            SimulatorPerturbation(
                "grip",
                "the grip of the floor, multiplied",
                ({"factor": 0.5}, {"factor": 0.1}),
                Range("factor", 0.1, 2.0, nominal=1.0, logarithmic=True),
            ),
            SimulatorPerturbation(
                "load",
                "a load",
                ({"kg": 1.0}, {"kg": 9.0}),
                Range("kg", 0.0, 10.0, nominal=0.0, unit="kg"),
            ),
            SimulatorPerturbation("paint", "the colour of the floor", ({"place": 1},)),
        )

    def reset(self, case: Case) -> TimeStep:
        grip, load = map(case.simulator_perturbation, ("grip", "load"))
        self._stuck = (grip is not None and grip["factor"] < BORDER) or (
            load is not None and load["kg"] > HEAVIEST
        )
        return super().reset(case)

    def step(self, action: Any) -> TimeStep:
        return super().step(0 if self._stuck else action)


SLIPPY = dataclasses.replace(toy_task("slippy", max_steps=16), adapter="slippytoys:SlippyAdapter")
SUITE = Suite("slippy", "a point on a slippery floor", (SLIPPY,), 3)
TWO = Suite("two", "two tasks", SUITE_TASKS[:2], 3)
