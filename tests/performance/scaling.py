"""Two workers against one, and a served agent against its limit. Needs two idle cores.

Run: python tests/performance/scaling.py [--part workers|served|all].

Rates are episodes (or answers) per second between the tenth and the last result of a run: starting
Ray and building environments is left out, since it does not matter in a long run.
"""

from __future__ import annotations

import argparse
import datetime
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from conftest import read_lines
from tabulate import tabulate

from harness.core import Adapter, Agent, Brief, Case, Discrete, Suite, Task, TimeStep, Turn
from harness.play.planning import make_plan
from harness.play.progress import PlainProgress
from harness.play.runner import RunOptions, play
from harness.records.identity import AgentSpec
from suites import babyai, metaworld

FIXED_S, PER_TURN_S, LARGEST = 0.005, 0.00005, 32


class SlowModel(Agent):
    """A model that takes 5 ms and 0.05 ms per observation, in batches of at most 32."""

    served = True

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        for start in range(0, len(turns), LARGEST):
            time.sleep(FIXED_S + PER_TURN_S * len(turns[start : start + LARGEST]))
        return [0] * len(turns)


class Sleepy(Adapter):
    """A simulator that costs the processor 0.1 ms a step and never ends by itself."""

    def __init__(self, task: Task) -> None:
        self.brief = Brief({"state": Discrete(2)}, Discrete(2), "none", "none")
        self.step_of = TimeStep({"state": 0})

    def reset(self, case: Case) -> TimeStep:
        return self.step_of

    def step(self, action: Any) -> TimeStep:
        until = time.perf_counter() + 0.0001
        while time.perf_counter() < until:
            pass
        return self.step_of


def run(agent: str, tasks: Sequence[Task], episodes: int, **options: Any) -> list[dict[str, Any]]:
    """The lines of a run, in the order in which they were written."""
    spec = AgentSpec(agent, agent, {})
    suite = Suite("performance", "", tuple(tasks), episodes)
    plan = make_plan([(suite, task) for task in tasks], spec, episodes=None, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        summary = play(
            spec,
            ["performance"],
            plan,
            Path(folder) / "run",
            RunOptions(**options),
            PlainProgress(),
        )
        assert summary.missing == 0, summary
        return list(read_lines(Path(folder) / "run"))


def steady(lines: list[dict[str, Any]], of: str = "") -> float:
    """Episodes (or the sum of the field `of`) per second after the first tenth."""
    times = sorted(
        (datetime.datetime.fromisoformat(line["timing"]["ended_at"]).timestamp(), line.get(of, 1))
        for line in lines
    )
    first = len(times) // 10
    return sum(count for _, count in times[first + 1 :]) / (times[-1][0] - times[first][0])


def workers() -> Iterator[list[str]]:
    tasks = {
        task.name: task for suite in (*babyai.SUITES, *metaworld.SUITES) for task in suite.tasks
    }
    mt10 = [task for task in tasks.values() if "mt10" in task.tags]
    for name, played, episodes in (
        ("babyai/GoToLocalS8N7 x 4000", [tasks["babyai/GoToLocalS8N7"]], 4000),
        ("babyai/Pickup x 600", [tasks["babyai/Pickup"]], 600),
        ("metaworld, MT10 x 50", mt10, 50),
    ):
        here, one, two = (
            steady(run("baselines.simple:Oracle", played, episodes, workers=count))
            for count in (0, 1, 2)
        )
        yield [
            name,
            f"{here:.1f}",
            f"{one:.1f}",
            f"{two:.1f}",
            f"{two / one:.2f}",
            f"{two / here:.2f}",
        ]


def served() -> Iterator[list[str]]:
    task = Task("performance/sleepy@1", "games", "scaling:Sleepy", max_steps=200, success=None)
    for lanes in (16, 32, 64):
        batch = min(lanes, LARGEST)  # one worker's lanes are asked about while the other's step
        model = batch / (FIXED_S + PER_TURN_S * batch)
        rate = steady(run("scaling:SlowModel", [task], lanes * 12, workers=2, lanes=lanes), "steps")
        yield [
            f"2 workers, {lanes} lanes each",
            f"{rate:.0f}",
            f"{model:.0f}",
            f"{rate / model:.2f}",
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=["workers", "served", "all"], default="all")
    part = parser.parse_args().part
    if part in ("workers", "all"):
        head = ["oracle on", "in process", "1 worker", "2 workers", "2 : 1", "2 : in process"]
        print(tabulate(list(workers()), head, tablefmt="github"))
    if part in ("served", "all"):
        print(
            tabulate(
                list(served()),
                ["served agent", "answers/s", "model's ceiling", "ratio"],
                tablefmt="github",
            )
        )


if __name__ == "__main__":
    main()
