"""What a separate interpreter costs: one agent, the simulator here and in a child process.

Run: python tests/performance/host.py [--seconds 3] [--rounds 5] [--python PATH].

The action that does nothing is played on the same tasks. Figures are medians, over alternating
rounds, of the processor time of both processes; since the two take turns, this is the wall time of
an idle machine but for waking them. PATH needs the simulators; the default is this Python.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[1]))

from toys import toy_task

from harness.cli.names import know_families
from harness.core import Agent, Case, Task, Turn
from harness.host.interpreters import VARIABLE
from harness.play.inference import LocalAgent, Watch
from harness.play.rollout import RolloutLoop
from suites import babyai, metaworld


class Null(Agent):
    """Does nothing."""

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [turn.brief.action.noop() for turn in turns]


class Loop:
    """The harness' loop on one lane, for ever; the simulator where VARIABLE says."""

    def __init__(self, task: Task, reads: tuple[str, ...]) -> None:
        self.task, self.seed = task, task.first_seed
        watch = Watch()
        asking = LocalAgent(Null(), watch, 60.0)
        self.loop = RolloutLoop(
            asking, reads, 1, lanes=1, groups=1, watch=watch, report=lambda outcome: None
        )
        self.loop.turn(self)

    def take(self, held: Sequence[str]) -> tuple[int, Case]:
        self.seed += 1
        return self.seed, Case(self.task, self.task.first_seed + self.seed % 50)

    def microseconds(self, seconds: float) -> float:
        """Of processor time a step, resets included."""
        steps, begun = 0, processor()
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            for _ in range(20):
                self.loop.turn(self)
            steps += 20
        return (processor() - begun) / steps * 1e6


def processor() -> float:
    """Seconds of processor time of this process and its child."""
    return time.process_time() + sum(
        sum(child.cpu_times()[:2]) for child in psutil.Process().children()
    )


def row(
    name: str, task: Task, reads: tuple[str, ...], python: str, options: argparse.Namespace
) -> list[Any]:
    loops = []
    for where in ({}, {"minigrid": python, "metaworld": python, "toys": python}):
        os.environ[VARIABLE] = json.dumps(where)
        loops.append(Loop(task, reads))
    rounds = [[loop.microseconds(options.seconds) for loop in loops] for _ in range(options.rounds)]
    here, there = (statistics.median(column) for column in zip(*rounds))
    for loop in loops:
        loop.loop.close()
    return [name, here, there, there - here, here / there]


def main() -> None:
    know_families()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--python", default=sys.executable)
    options = parser.parse_args()
    local = next(task for task in babyai.SUITES[0].tasks if task.name == "babyai/GoToLocalS8N7")
    drawer = next(
        task for task in metaworld.SUITES[0].tasks if task.name == "metaworld/drawer-open-v3"
    )
    rows = [
        row("a toy that does nothing", toy_task(max_steps=200), (), options.python, options),
        row("MiniGrid GoToLocalS8N7, nothing read", local, (), options.python, options),
        row(
            "MiniGrid GoToLocalS8N7, grid read (147 bytes)",
            local,
            ("grid",),
            options.python,
            options,
        ),
        row(
            "MiniGrid GoToLocalS8N7, image read (339 kB)",
            local,
            ("image",),
            options.python,
            options,
        ),
        row("Meta-World drawer-open, state read", drawer, ("state",), options.python, options),
    ]
    print(
        tabulate(
            rows,
            ["simulator", "here, us a step", "child, us a step", "more, us", "speed kept"],
            tablefmt="github",
            floatfmt=("", ".0f", ".0f", ".0f", ".2f"),
        )
    )


if __name__ == "__main__":
    main()
