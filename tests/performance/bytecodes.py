"""Bytecodes of bench's own code per step and per episode, counted by Python's tracer.

    python tests/performance/bytecodes.py [--json] [--where]

The counts are the same on every machine with the same Python, so that a test can hold them
(tests/harness/play/test_cost.py). What runs in C is not counted, nor what simulators and agents do.
`--where` prints the functions behind them.
"""

from __future__ import annotations

import argparse
import collections
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from harness.core import (
    Adapter,
    Agent,
    Answer,
    Box,
    Brief,
    Case,
    Discrete,
    Perturbation,
    Task,
    TimeStep,
)
from harness.play.inference import LocalAgent, Watch
from harness.play.rollout import RolloutLoop

HARNESS = str(Path(__file__).resolve().parents[2] / "harness")
SHORT, LONG = 20, 120
"""Steps of an episode: the difference of the two gives the cost of a step."""
EPISODES = 4


class Still(Adapter):
    """A simulator that does nothing."""

    def __init__(self, task: Task) -> None:
        views = {"image": Box((8, 8, 3), "uint8", 0, 255), "state": Box((4,), "float64")}
        self.brief = Brief(views, Discrete(4), "a body", "a simulator")
        self._views = {"image": np.zeros((8, 8, 3), np.uint8), "state": np.zeros(4)}

    def reset(self, case: Case) -> TimeStep:
        return TimeStep(self._views, "stay", success=False)

    def step(self, action: Any) -> TimeStep:
        return TimeStep(self._views, "stay", success=False)


class Answers(Agent):
    """The same action for every turn, or the same chunk of ten."""

    def __init__(self, reads: tuple[str, ...], chunk: int) -> None:
        self.reads = reads  # type: ignore[misc]
        self._answer: Any = Answer([1] * chunk) if chunk > 1 else 1

    def act(self, turns: Any) -> list[Any]:
        return [self._answer for _ in turns]


SITUATIONS: dict[str, dict[str, Any]] = {
    "nothing read": {"reads": ()},
    "an image and a state read": {"reads": ("image", "state")},
    "the same on four lanes": {"reads": ("image", "state"), "lanes": 4},
    "chunks of ten actions": {"reads": ("state",), "chunk": 10},
    "actions that stick": {"reads": ("state",), "perturbed": ("action_sticky", 3)},
}


class Cases:
    """EPISODES cases of a task."""

    def __init__(self, steps: int, perturbed: tuple[str, int] | None) -> None:
        self.task = Task("cost/still@1", "games", "bytecodes:Still", {}, max_steps=steps)
        self._perturbed = () if perturbed is None else (Perturbation(*perturbed),)
        self._left = list(range(EPISODES))
        self.done = 0

    def take(self, held: Any) -> tuple[int, Case] | None:
        if not self._left:
            return None
        seed = self._left.pop()
        return seed, Case(self.task, seed, self._perturbed)

    def report(self, outcome: Any) -> None:
        assert outcome.result is not None, outcome.missing
        assert outcome.result.status == "finished", outcome.result.error
        self.done += 1


def count(
    steps: int,
    reads: tuple[str, ...],
    lanes: int = 1,
    chunk: int = 1,
    perturbed: tuple[str, int] | None = None,
) -> collections.Counter[str]:
    """Function -> the bytecodes that it executed in EPISODES episodes of so many steps."""
    found: collections.Counter[str] = collections.Counter()

    def trace(frame: Any, event: str, argument: Any) -> Callable[..., Any] | None:
        if not frame.f_code.co_filename.startswith(HARNESS):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            found[frame.f_code.co_qualname] += 1
        return trace

    def play() -> None:
        agent, watch, cases = Answers(reads, chunk), Watch(), Cases(steps, perturbed)
        loop = RolloutLoop(
            LocalAgent(agent, watch, 60.0),
            reads,
            1,
            lanes=lanes,
            groups=1,
            watch=watch,
            report=cases.report,
        )
        while cases.done < EPISODES:
            loop.turn(cases)

    play()  # what is computed once is there
    sys.settrace(trace)
    try:
        play()
    finally:
        sys.settrace(None)
    return found


def main() -> None:
    """Print the table, or the counts as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--where", action="store_true")
    options = parser.parse_args()
    sys.modules.setdefault("bytecodes", sys.modules["__main__"])
    counts, rows = {}, []
    for name, situation in SITUATIONS.items():
        few, many = (count(steps, **situation) for steps in (SHORT, LONG))
        step = (many.total() - few.total()) / EPISODES / (LONG - SHORT)
        episode = few.total() / EPISODES - SHORT * step
        counts[name] = [round(step), round(episode)]
        rows.append([name, *counts[name]])
        if options.where:
            many.subtract(few)
            for function, number in many.most_common(25):
                print(f"{number / EPISODES / (LONG - SHORT):8.1f} {function}")
    print(
        json.dumps(counts)
        if options.json
        else tabulate(rows, ["", "bytecodes per step", "per episode"], tablefmt="simple")
    )


if __name__ == "__main__":
    main()
