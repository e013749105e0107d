"""What the harness costs: steps per second through it, against a bare loop over the simulator.

Run: python tests/performance/overhead.py [--seconds 4] [--rounds 5].

Both sides play whole episodes with the action that does nothing, resets included, in alternating
rounds; the ratio is the median over rounds. Time is processor time of this process, which other
programs on the machine disturb less.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from tabulate import tabulate

from harness.core import Agent, Case, Task, Turn
from harness.play.inference import LocalAgent, Watch
from harness.play.rollout import RolloutLoop
from harness.records.registry import load
from suites import atari, metaworld


class Null(Agent):
    """Does nothing."""

    def __init__(self, reads: tuple[str, ...] = ()) -> None:
        self.reads = reads  # type: ignore[misc]

    def act(self, turns: list[Turn]) -> list[Any]:
        return [turn.brief.action.noop() for turn in turns]


class Endless:
    """Cases of one task, for ever; counts the steps of those that ended."""

    def __init__(self, task: Task) -> None:
        self.task, self.seed, self.steps = task, task.first_seed, 0

    def take(self, held: Any) -> tuple[int, Case]:
        self.seed += 1
        return self.seed, Case(self.task, self.task.first_seed + self.seed % 50)

    def report(self, outcome: Any) -> None:
        assert outcome.result.status == "finished", outcome
        self.steps += outcome.result.steps


class Harness:
    """The harness' loop on one lane."""

    def __init__(self, task: Task, reads: tuple[str, ...], lanes: int = 1) -> None:
        agent = Null(reads)
        self.source = Endless(task)
        watch = Watch()
        self.loop = RolloutLoop(
            LocalAgent(agent, watch, 60.0),
            reads,
            1,
            lanes=lanes,
            groups=1,
            watch=watch,
            report=self.source.report,
        )

    def __call__(self, seconds: float) -> float:
        """Steps per second over whole episodes."""
        for _ in range(3):
            self.loop.turn(self.source)
        while self.source.steps == 0:
            self.loop.turn(self.source)
        ended, begun = self.source.steps, time.process_time()
        first = begun
        while time.process_time() - begun < seconds:
            before = self.source.steps
            while self.source.steps == before:
                self.loop.turn(self.source)
        return (self.source.steps - ended) / (time.process_time() - first)


def bare(
    make: Callable[[], tuple[Callable[[int], Any], Callable[[], tuple[Any, bool]]]],
) -> Callable[[float], float]:
    """A bare loop: `make` gives (reset(seed), step() -> (result, over))."""
    reset, step = make()

    def run(seconds: float) -> float:
        steps, seed, begun = 0, 0, time.process_time()
        while time.process_time() - begun < seconds:
            reset(seed % 50)
            seed += 1
            over = False
            while not over:
                over = step()[1]
                steps += 1
        return steps / (time.process_time() - begun)

    return run


def minigrid_bare() -> tuple[Any, Any]:
    env = gymnasium.make("minigrid:BabyAI-GoToLocal-v0", disable_env_checker=True)

    def step() -> tuple[Any, bool]:
        observation, _, terminated, truncated, _ = env.step(6)
        return observation, terminated or truncated

    return lambda seed: env.reset(seed=1_000_000_001 + seed), step


def atari_bare() -> tuple[Any, Any]:
    import ale_py

    gymnasium.register_envs(ale_py)
    env = gymnasium.make(
        "ALE/Pong-v5",
        repeat_action_probability=0.0,
        frameskip=4,
        disable_env_checker=True,
        max_episode_steps=1000,
    )

    def step() -> tuple[Any, bool]:
        observation, _, terminated, truncated, _ = env.step(0)
        return observation, terminated or truncated

    return lambda seed: env.reset(), step


def metaworld_bare() -> tuple[Any, Any]:
    import metaworld as package

    mt = package.MT1("drawer-open-v3", seed=42)
    env = mt.train_classes["drawer-open-v3"]()
    action = np.zeros(4, np.float32)
    count = 0

    def reset(seed: int) -> None:
        nonlocal count
        count = 0
        env.set_task(mt.train_tasks[seed])
        env.reset()

    def step() -> tuple[Any, bool]:
        nonlocal count
        count += 1
        result = env.step(action)
        return result, count >= 500

    return reset, step


def cartpole_bare() -> tuple[Any, Any]:
    env = gymnasium.make("CartPole-v1", disable_env_checker=True)

    def step() -> tuple[Any, bool]:
        observation, _, terminated, truncated, _ = env.step(0)
        return observation, terminated or truncated

    return lambda seed: env.reset(seed=seed), step


def named(suites: Any, name: str, **changes: Any) -> Task:
    import dataclasses

    task = next(task for suite in suites for task in suite.tasks if task.name == name)
    return dataclasses.replace(task, id=f"performance/{name.partition('/')[2]}@1", **changes)


def rows() -> Iterator[tuple[str, Callable[[], Any], Task, tuple[str, ...]]]:
    babyai = Task(
        "performance/GoToLocal@1",
        "navigation",
        "adapters.minigrid:MiniGridAdapter",
        {"id": "BabyAI-GoToLocal-v0"},
        first_seed=10**9,
    )
    yield "MiniGrid GoToLocal, nothing read", minigrid_bare, babyai, ()
    yield "MiniGrid GoToLocal, grid read", minigrid_bare, babyai, ("grid",)
    pong = named(atari.SUITES, "atari/pong", max_steps=1000)
    yield "Atari Pong, nothing read", atari_bare, pong, ()
    yield "Atari Pong, image read", atari_bare, pong, ("image",)
    drawer = named(metaworld.SUITES, "metaworld/drawer-open-v3")
    yield "Meta-World drawer-open, nothing read", metaworld_bare, drawer, ()
    yield "Meta-World drawer-open, state read", metaworld_bare, drawer, ("state",)
    cart = load("adapters.gym_task:task_for")("CartPole-v1")
    yield "CartPole, state read (no target)", cartpole_bare, cart, ("state",)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    table = []
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).mkdir(exist_ok=True)
        for name, make, task, reads in rows():
            if options.only.lower() not in name.lower():
                continue
            left, right = bare(make), Harness(task, reads)
            with contextlib.redirect_stdout(
                io.StringIO()
            ):  # MiniGrid prints when it draws a level again
                left(0.5), right(0.5)
                pairs = [
                    (left(options.seconds), right(options.seconds)) for _ in range(options.rounds)
                ]
            ratio = statistics.median(b / a for a, b in pairs)
            extra = statistics.median(1e6 / b - 1e6 / a for a, b in pairs)
            table.append(
                [
                    name,
                    *(f"{statistics.median(column):.0f}" for column in zip(*pairs)),
                    f"{ratio:.3f}",
                    f"{extra:.1f}",
                ]
            )
            right.loop.close()
    print(
        tabulate(
            table,
            ["simulator and agent", "bare steps/s", "harness steps/s", "ratio", "us a step more"],
            tablefmt="github",
        )
    )


if __name__ == "__main__":
    main()
