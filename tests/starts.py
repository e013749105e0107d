"""Toys whose episodes fail at their start, or are solved there."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import toys

from harness.core import Case, Task, TimeStep


class FailsAtStart(toys.ToyAdapter):
    """Raises where the param `where` says: `construction`, `reset`, `step` or `later`.

    Only for the seeds in `bad_seeds`, if it is given; `counts`: with another text each time.
    """

    made: ClassVar[int] = 0

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._fail("construction", task.params)

    def _fail(self, where: str, params: Any) -> None:
        if params["where"] != where:
            return
        FailsAtStart.made += 1
        text = f"no window {FailsAtStart.made}" if params.get("counts") else "no window"
        raise {"exit": SystemExit(3), "ask": EOFError(text)}.get(
            params.get("how", ""), RuntimeError(text)
        )

    @classmethod
    def env_key(cls, task: Task) -> str:
        return json.dumps(["fails", task.id])

    def reset(self, case: Case) -> TimeStep:
        params = case.task.params
        self.bad = case.seed in params.get("bad_seeds", [case.seed])
        if self.bad:
            self._fail("reset", params)
        return super().reset(case)

    def step(self, action: Any) -> TimeStep:
        if self.bad:
            self._fail("step", self.task.params)
            if self.steps:
                self._fail("later", self.task.params)
        return super().step(action)


class ManyFailAtStart(toys.BatchedToy):
    """FailsAtStart with many lanes."""

    form = FailsAtStart


class SolvedAtStart(toys.ToyAdapter):
    """Begins on the goal for the first `solved` draws of the seeds in `solved_seeds`."""

    @classmethod
    def env_key(cls, task: Task) -> str:
        return json.dumps(["solved", task.id])

    def reset(self, case: Case) -> TimeStep:
        params = case.task.params
        super().reset(case)
        self.asked = case.simulator_seed, case.draw
        if case.seed in params["solved_seeds"] and case.draw < params["solved"]:
            self.goal = self.point
        return self.seen()

    def state(self) -> bytes:
        return super().state() + json.dumps(self.asked).encode()


class PrescribedStart(SolvedAtStart):
    """Of a benchmark that prescribes its starts."""

    redraws = False


class OverAtStart(toys.ToyAdapter):
    """Over at its reset, and not solved."""

    def reset(self, case: Case) -> TimeStep:
        super().reset(case)
        return TimeStep({**self.seen().observation}, terminated=True, success=False)


class CannotDraw(toys.ToyAdapter):
    """Has no screen for its image."""

    def draw(self, point: Any, goal: Any) -> Any:
        raise RuntimeError("no screen")


def start_task(kind: str, name: str = "start", **params: Any) -> Task:
    """The task toys/NAME@1 of one of these classes."""
    return toys.toy_task(name, adapter=f"starts:{kind}", **params)
