"""A family of toys for the tests: a point that must reach a goal, in microseconds, with any fault.

Task params, all optional:
    action      "discrete" (stay, left, right, up, down; the default), or "box" (dx, dy in cells,
                each in [-1, 1])
    size        the side of the square, in cells (default 8)
    marker      words that the instruction ends with, for the seeds in `marker_seeds` (all unless
                given)
    slow_s      seconds that a step takes
    fault       one of FAULTS, for the seeds in `fault_seeds` (all unless given)
    fault_step  the step at which it strikes, where it strikes once (default 2)
    fault_once  a file: the fault strikes only while the file does not exist, and makes it, so that
                a retry succeeds
    fault_until a file: the fault strikes only while the file does not exist
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from harness.core import (
    Adapter,
    Agent,
    Answer,
    BatchedAdapter,
    Box,
    Brief,
    Case,
    Discrete,
    Missing,
    Task,
    TimeStep,
    Turn,
)

MOVES = np.array([[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]], dtype=np.float32)

FAULTS = {
    "raise_on_reset": "reset raises RuntimeError",
    "raise_on_step": "a step raises RuntimeError",
    "memory_on_step": "a step raises MemoryError",
    "hang_on_reset": "reset sleeps for an hour",
    "hang": "a step sleeps for an hour",
    "segfault": "a step kills the process",
    "solved_at_reset": "the point starts on the goal",
    "leaky_state": "the start depends on the episodes before",
    "nan_reward": "the reward is NaN",
    "bad_view": "the state is of another dtype than its spec's",
    "missing": "the family needs something that is not here",
}


def toy_task(
    name: str = "goal", *, version: int = 1, adapter: str = "toys:ToyAdapter", **params: Any
) -> Task:
    """The task toys/NAME@VERSION.

    `params` holds fields of Task (max_steps, success, score, domain, ...) and the toys' params.
    """
    if (fault := params.get("fault")) is not None and fault not in FAULTS:
        raise ValueError(f"there is no fault {fault!r}")
    fields: dict[str, Any] = {
        key: params.pop(key) for key in list(params) if key in Task.__dataclass_fields__
    }
    fields = {
        "domain": "navigation",
        "max_steps": 40,
        "rule": "the point is within half a cell of the goal",
        **fields,
    }
    return Task(id=f"toys/{name}@{version}", adapter=adapter, params=params, **fields)


TASKS = (toy_task(), toy_task("glide", action="box"), toy_task("batch", adapter="toys:BatchedToy"))
SUITE_TASKS = (
    *TASKS,
    toy_task("survive", success=None, max_steps=20),
    toy_task("stay", success="end", max_steps=20),
)


class ToyAdapter(Adapter):
    """A point in a square of size x size cells, seen from above; +x is right, +y is down.

    Views: `state`, float32 (4,): x, y of the point and of the goal, in cells; `image`, uint8
    (16, 16, 3) RGB, drawn when it is read.
    """

    patience_s = 2.0
    own_streams = True

    def __init__(self, task: Task) -> None:
        self.size = task.params.get("size", 8)
        self.episodes = 0
        state = Box(
            (4,),
            "float32",
            0.0,
            float(self.size - 1),
            "cell",
            "x, y of the point, x, y of the goal; from the top left corner",
        )
        discrete = Discrete(5, ("stay", "left", "right", "up", "down"))
        self.brief = Brief(
            observation={
                "state": state,
                "image": Box((16, 16, 3), "uint8", 0, 255, "", "RGB from above"),
            },
            action=Box((2,), "float32", -1.0, 1.0, "cell", "dx, dy")
            if task.params.get("action") == "box"
            else discrete,
            embodiment="a point that moves in a square",
            simulator="toy square",
            control_hz=task.control_hz,
        )

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        lacking = task is not None and task.params.get("fault") == "missing"
        return Missing("there is no chalk to draw the square", "buy chalk") if lacking else None

    @classmethod
    def env_key(cls, task: Task) -> str:
        return f"toys {task.params.get('size', 8)} {task.params.get('action', 'discrete')}"

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        return True

    def reset(self, case: Case) -> TimeStep:
        params = case.task.params
        self.task = case.task
        self.fault = (
            params.get("fault", "") if case.seed in params.get("fault_seeds", [case.seed]) else ""
        )
        self.marker = (
            params.get("marker", "") if case.seed in params.get("marker_seeds", [case.seed]) else ""
        )
        self.episodes += 1
        self.steps = 0
        rng = case.rng("start")
        self.point = rng.integers(0, self.size, 2).astype(np.float32)
        self.goal = self.point
        while self.fault != "solved_at_reset" and float(np.abs(self.goal - self.point).sum()) < 2:
            self.goal = rng.integers(0, self.size, 2).astype(np.float32)
        if self.fault == "leaky_state":
            self.shift(self.episodes - 1)
        self._strike("raise_on_reset", "hang_on_reset")
        return self.seen()

    def step(self, action: Any) -> TimeStep:
        action = self.brief.action.validate(action)
        self.steps += 1
        time.sleep(self.task.params.get("slow_s", 0))
        if self.steps == self.task.params.get("fault_step", 2):
            self._strike("raise_on_step", "memory_on_step", "hang", "segfault")
        move = MOVES[action] if isinstance(action, int) else action
        self.point = np.clip(self.point + move, 0, self.size - 1).astype(np.float32)
        return self.seen()

    def shift(self, cells: float) -> None:
        """Move the point, round the edge."""
        self.point = (self.point + np.float32(cells)) % np.float32(self.size - 1)

    def _strike(self, *faults: str) -> None:
        once, until = (self.task.params.get(name) for name in ("fault_once", "fault_until"))
        if self.fault not in faults or any(
            file is not None and Path(file).exists() for file in (once, until)
        ):
            return
        if once is not None:
            Path(once).touch()
        if self.fault.startswith("raise"):
            raise RuntimeError("the simulator broke")
        if self.fault.startswith("memory"):
            raise MemoryError("the simulator wants more")
        if self.fault.startswith("hang"):
            time.sleep(3600)
        if self.fault == "segfault":
            ctypes.string_at(0)

    def seen(self) -> TimeStep:
        """What the simulator says now."""
        distance = float(np.abs(self.goal - self.point).max())
        there = distance <= 0.5
        state = np.concatenate([self.point, self.goal])
        place = self.point.copy(), self.goal.copy()
        return TimeStep(
            observation={
                "state": state.astype(np.float64) if self.fault == "bad_view" else state,
                "image": lambda: self.draw(*place),
            },
            instruction=f"go to {self.goal[0]:.0f} {self.goal[1]:.0f} {self.marker}".strip(),
            reward=float("nan") if self.fault == "nan_reward" else float(there),
            terminated=there and self.task.success == "ever",
            success=None if self.task.success is None else there,
            metrics={"distance": distance},
        )

    def draw(self, point: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """The image: the point red, the goal green."""
        image = np.zeros((16, 16, 3), np.uint8)
        for place, channel in ((goal, 1), (point, 0)):
            column, row = np.minimum(place * 16 / self.size, 15).astype(int)
            image[row, column, channel] = 255
        return image

    def render(self) -> np.ndarray:
        return self.draw(self.point, self.goal).repeat(4, axis=0).repeat(4, axis=1)

    def expert(self, executed: Any) -> Any:
        return towards(self.brief.action, self.point, self.goal)

    def state(self) -> bytes:
        return self.point.tobytes() + self.goal.tobytes() + self.steps.to_bytes(4, "little")


class BatchedToy(BatchedAdapter):
    """The same square, many lanes at once."""

    patience_s = 2.0
    own_streams = True
    form: ClassVar[type[ToyAdapter]] = ToyAdapter

    def __init__(self, task: Task, lanes: int) -> None:
        self.lanes = [self.form(task) for _ in range(lanes)]
        self.brief = self.lanes[0].brief

    @classmethod
    def env_key(cls, task: Task) -> str:
        return cls.form.env_key(task)

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        return cls.form.has_expert(task)

    def reset(self, cases: Mapping[int, Case]) -> Mapping[int, TimeStep]:
        return {lane: self.lanes[lane].reset(case) for lane, case in cases.items()}

    def step(self, actions: Mapping[int, Any]) -> Mapping[int, TimeStep]:
        return {lane: self.lanes[lane].step(action) for lane, action in actions.items()}

    def render(self, lane: int) -> np.ndarray:
        return self.lanes[lane].render()

    def expert(self, lane: int, executed: Any) -> Any:
        return self.lanes[lane].expert(executed)

    def state(self, lane: int) -> bytes:
        return self.lanes[lane].state()


def towards(spec: Any, point: np.ndarray, goal: np.ndarray) -> Any:
    """The action that goes straight to the goal."""
    ahead = np.clip(goal - point, -1, 1).astype(np.float32)
    if isinstance(spec, Box):
        return ahead
    if ahead[0] != 0:
        return 1 if ahead[0] < 0 else 2
    return 0 if ahead[1] == 0 else (3 if ahead[1] < 0 else 4)


class GoodAgent(Agent):
    """Reads the state and goes to the goal."""

    reads = ("state",)

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return [
            towards(turn.brief.action, turn.observation["state"][:2], turn.observation["state"][2:])
            for turn in turns
        ]


class RandomAgent(Agent):
    """Acts at random and looks at nothing."""

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return [turn.brief.action.sample(turn.rng) for turn in turns]


class ExpertAgent(Agent):
    """Does what the expert does."""

    reads = ("expert",)

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return [turn.brief.action.noop() if turn.expert is None else turn.expert for turn in turns]


class ImageAgent(Agent):
    """Finds point and goal in the image. It is shown two frames, and the state if there is one."""

    reads = ("image", "state?")
    history = 2

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return [self._one(turn) for turn in turns]

    def _one(self, turn: Turn) -> Any:
        red, green = (
            np.argwhere(turn.observation["image"][..., channel] == 255) for channel in (0, 1)
        )
        if not len(red) or not len(green):
            return turn.brief.action.noop()
        return towards(turn.brief.action, red[0][::-1], green[0][::-1])


class ChunkAgent(GoodAgent):
    """Answers chunks of `length` actions and counts its answers in the episode's memory."""

    def __init__(self, length: int = 3) -> None:
        self.length = length

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return [Answer(self._plan(turn), (turn.memory or 0) + 1) for turn in turns]

    def _plan(self, turn: Turn) -> list[Any]:
        point, goal = np.split(turn.observation["state"], 2)
        plan = []
        for _ in range(self.length):
            plan.append(towards(turn.brief.action, point, goal))
            point = point + (MOVES[plan[-1]] if isinstance(plan[-1], int) else plan[-1])
        return plan


class BatchDependent(GoodAgent):
    """Does nothing when it is asked for several episodes at once: against the contract."""

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return (
            super().act(turns) if len(turns) == 1 else [turn.brief.action.noop() for turn in turns]
        )


class Served(GoodAgent):
    """One instance serves all; the size of every batch is a line of the file `counts`."""

    served = True

    def __init__(self, counts: str | None = None) -> None:
        self.counts = counts

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        if self.counts is not None:
            with Path(self.counts).open("a") as lines:
                lines.write(f"{len(turns)}\n")
        return super().act(turns)
