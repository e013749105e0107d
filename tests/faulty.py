"""Toys that break the contract, each in one way: what check_adapter must find."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from toys import BatchedToy, ToyAdapter

from harness.core import Case, Task, TimeStep


class LeakyAbandoned(ToyAdapter):
    """An episode left before its end moves the next start."""

    steps = 0

    def reset(self, case: Case) -> TimeStep:
        left = 0 < self.steps < 15
        super().reset(case)
        self.shift(float(left))
        return self.seen()


class LeakyPerturbation(ToyAdapter):
    """A perturbed case changes those after it."""

    leak = 0.0

    def reset(self, case: Case) -> TimeStep:
        super().reset(case)
        if case.perturbations:
            self.leak = 1.0
        else:
            self.shift(self.leak)
        return self.seen()


class LeakyTask(ToyAdapter):
    """A task of the same environment key changes the cases after it."""

    last = ""

    def reset(self, case: Case) -> TimeStep:
        super().reset(case)
        self.shift(float(self.last not in ("", case.task.id)))
        self.last = case.task.id
        return self.seen()


class GlobalRandom(ToyAdapter):
    """Each step draws from numpy's global generator, seeded at reset."""

    def reset(self, case: Case) -> TimeStep:
        np.random.seed(case.seed)
        return super().reset(case)

    def step(self, action: Any) -> TimeStep:
        super().step(action)
        self.shift(float(np.random.uniform()))
        return self.seen()


class Unseeded(ToyAdapter):
    """Each step draws from a generator that nothing seeds."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._rng = np.random.default_rng()

    def step(self, action: Any) -> TimeStep:
        super().step(action)
        self.shift(float(self._rng.uniform()))
        return self.seen()


class LeakyEnd(ToyAdapter):
    """An episode that was played to its end, the 90th step, moves the next start."""

    over = False

    def reset(self, case: Case) -> TimeStep:
        super().reset(case)
        if self.over:
            self.shift(0.5)
        self.over = False
        return self.seen()

    def step(self, action: Any) -> TimeStep:
        timestep = super().step(action)
        self.over = self.steps == 90
        return dataclasses.replace(timestep, truncated=self.over)


class HalfInstruction(ToyAdapter):
    """The instruction ends with half of an emoji."""

    def seen(self) -> TimeStep:
        return dataclasses.replace(super().seen(), instruction="go \ud83d")


class SharedClass(ToyAdapter):
    """The wind counts steps in an attribute of the class, set back at reset."""

    wind: ClassVar[int] = 0

    def reset(self, case: Case) -> TimeStep:
        SharedClass.wind = 0
        return super().reset(case)

    def step(self, action: Any) -> TimeStep:
        super().step(action)
        SharedClass.wind += 1
        self.shift(SharedClass.wind % 3)
        return self.seen()


class HashOrder(ToyAdapter):
    """The start depends on hash()."""

    def reset(self, case: Case) -> TimeStep:
        super().reset(case)
        self.shift((hash("toy") % 1000) / 1000)
        return self.seen()


class SameStart(ToyAdapter):
    """Every seed is the same episode."""

    def reset(self, case: Case) -> TimeStep:
        return super().reset(dataclasses.replace(case, seed=0))


class CloseBreaks(ToyAdapter):
    """Closing one adapter moves the others."""

    closed: ClassVar[int] = 0

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.born = CloseBreaks.closed

    def reset(self, case: Case) -> TimeStep:
        super().reset(case)
        self.shift(float(CloseBreaks.closed - self.born))
        return self.seen()

    def close(self) -> None:
        CloseBreaks.closed += 1


class CloseRaises(ToyAdapter):
    def close(self) -> None:
        raise RuntimeError("the window is gone already")


class OverAtReset(ToyAdapter):
    def reset(self, case: Case) -> TimeStep:
        return dataclasses.replace(super().reset(case), truncated=True)


class NumberEnvKey(ToyAdapter):
    @classmethod
    def env_key(cls, task: Task) -> Any:
        return 7


class EarlyImport(ToyAdapter):
    """has_expert imports the simulator."""

    packages = ("tabulate",)

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        import tabulate

        return tabulate.__name__ == "tabulate"


class NamesTask(ToyAdapter):
    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.brief = dataclasses.replace(self.brief, embodiment=f"a point made for {task.name}")


class NoEmbodiment(ToyAdapter):
    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.brief = dataclasses.replace(self.brief, embodiment=" ")


class OtherRate(ToyAdapter):
    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.brief = dataclasses.replace(self.brief, control_hz=10.0)


class Seen(ToyAdapter):
    """Base of those that say something wrong."""

    def seen(self) -> TimeStep:
        timestep = super().seen()
        return dataclasses.replace(timestep, **self.wrong(timestep))

    def wrong(self, timestep: TimeStep) -> dict[str, Any]:
        raise NotImplementedError


class NoView(Seen):
    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.brief = dataclasses.replace(self.brief, observation={})

    def wrong(self, timestep: TimeStep) -> dict[str, Any]:
        return {"observation": {}}


class LostView(Seen):
    def wrong(self, timestep: TimeStep) -> dict[str, Any]:
        return {"observation": {"state": timestep.observation["state"]}}


class LazyViewOutside(Seen):
    def wrong(self, timestep: TimeStep) -> dict[str, Any]:
        return {
            "observation": {
                **timestep.observation,
                "image": lambda: np.full((16, 16, 3), 300, np.int16),
            }
        }


class LazyViewUnsteady(Seen):
    def wrong(self, timestep: TimeStep) -> dict[str, Any]:
        return {
            "observation": {
                **timestep.observation,
                "image": lambda: np.frombuffer(os.urandom(768), np.uint8).reshape(16, 16, 3),
            }
        }


class Buffer(Seen):
    """The state is the same array at every step."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.buffer = np.zeros(4, np.float32)

    def wrong(self, timestep: TimeStep) -> dict[str, Any]:
        self.buffer[:] = timestep.observation["state"]
        return {"observation": {**timestep.observation, "state": self.buffer}}


class NumpyFlag(Seen):
    def wrong(self, timestep: TimeStep) -> dict[str, Any]:
        return {"terminated": np.bool_(timestep.terminated)}


class SuccessNone(Seen):
    def wrong(self, timestep: TimeStep) -> dict[str, Any]:
        return {"success": None}


class SuccessAlways(Seen):
    """Success for a task that has none."""

    def wrong(self, timestep: TimeStep) -> dict[str, Any]:
        return {"success": False}


class MetricText(Seen):
    def wrong(self, timestep: TimeStep) -> dict[str, Any]:
        return {"metrics": {"distance": "far"}}


class HalfACollision(Seen):
    def wrong(self, timestep: TimeStep) -> dict[str, Any]:
        return {"metrics": {"collisions": 0.5}}


class NegativeForce(Seen):
    def wrong(self, timestep: TimeStep) -> dict[str, Any]:
        return {"metrics": {"contact_force_max": -1.0}}


class ReadMoves(ToyAdapter):
    """Drawing the image moves the goal."""

    def draw(self, point: np.ndarray, goal: np.ndarray) -> np.ndarray:
        self.goal = (self.goal + 1) % (self.size - 1)
        return super().draw(point, goal)

    def render(self) -> np.ndarray:
        return super().draw(self.point, self.goal)


class RenderMoves(ToyAdapter):
    def render(self) -> np.ndarray:
        self.goal = (self.goal + 1) % (self.size - 1)
        return super().render()


class FlatFrame(ToyAdapter):
    def render(self) -> np.ndarray:
        return np.zeros((32, 32, 3), np.uint8)


class FloatFrame(ToyAdapter):
    def render(self) -> np.ndarray:
        return super().render() / 255


class ActionKept(ToyAdapter):
    """An action that does not exist is taken for the one that does nothing."""

    def step(self, action: Any) -> TimeStep:
        return super().step(
            self.brief.action.noop() if self.brief.action.problem(action) else action
        )


class ActionMoves(ToyAdapter):
    """An action is refused when it has been executed."""

    def step(self, action: Any) -> TimeStep:
        self.shift(1.0)
        return super().step(action)


class ActionError(ToyAdapter):
    """An action is refused with IndexError."""

    def step(self, action: Any) -> TimeStep:
        if self.brief.action.problem(action):
            raise IndexError("list index out of range")
        return super().step(action)


class StateConstant(ToyAdapter):
    def state(self) -> bytes:
        return b"a toy"


class StateUnsteady(ToyAdapter):
    def state(self) -> bytes:
        return os.urandom(4)


class ExpertMoves(ToyAdapter):
    """Asking the expert moves the goal."""

    def expert(self, executed: Any) -> Any:
        self.goal = (self.goal + 1) % (self.size - 1)
        return super().expert(executed)


class ExpertAbsent(ToyAdapter):
    """The expert's action does not exist."""

    def expert(self, executed: Any) -> Any:
        return 99


class ExpertRandom(ToyAdapter):
    def expert(self, executed: Any) -> Any:
        return os.urandom(1)[0] % 5


class ExpertMute(ToyAdapter):
    def expert(self, executed: Any) -> Any:
        return None


class ExpertStubborn(ToyAdapter):
    """The expert raises when something else than its action was executed."""

    wanted: Any = None

    def expert(self, executed: Any) -> Any:
        if executed is not None and executed != self.wanted:
            raise RuntimeError("this is not what I said")
        self.wanted = super().expert(executed)
        return self.wanted


class LanesLeak(BatchedToy):
    """A step of one lane moves the lanes that rest."""

    def step(self, actions: Mapping[int, Any]) -> Mapping[int, TimeStep]:
        for number in set(range(len(self.lanes))) - set(actions):
            if hasattr(self.lanes[number], "point"):
                self.lanes[number].shift(1.0)
        return super().step(actions)


class LaneNumber(BatchedToy):
    """The start depends on the lane."""

    def reset(self, cases: Mapping[int, Case]) -> Mapping[int, TimeStep]:
        super().reset(cases)
        for number in cases:
            self.lanes[number].shift(float(number))
        return {number: self.lanes[number].seen() for number in cases}


class LanesNumber(BatchedToy):
    """The start depends on how many lanes there are."""

    def reset(self, cases: Mapping[int, Case]) -> Mapping[int, TimeStep]:
        super().reset(cases)
        for number in cases:
            self.lanes[number].shift(float(len(self.lanes)))
        return {number: self.lanes[number].seen() for number in cases}


class LanesTogether(BatchedToy):
    """Lanes stepped in one call all get the first action and the first reward."""

    def step(self, actions: Mapping[int, Any]) -> Mapping[int, TimeStep]:
        seen = super().step(actions)
        return {
            lane: dataclasses.replace(timestep, metrics=seen[min(seen)].metrics)
            for lane, timestep in seen.items()
        }


class LanesExtra(BatchedToy):
    """A step returns all lanes."""

    def step(self, actions: Mapping[int, Any]) -> Mapping[int, TimeStep]:
        seen = dict(super().step(actions))
        return {
            number: seen.get(number, next(iter(seen.values()))) for number in range(len(self.lanes))
        }
