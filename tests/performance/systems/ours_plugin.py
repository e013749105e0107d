"""A user's own suite and agent for bench that play a workload: what `ours` starts.

Simulator and policy are those of the other systems.
"""

from __future__ import annotations

import glob
import os
import time
from typing import Any

import numpy as np
from workloads import WORKLOADS, Policy, Simulator, accelerator

from harness.core import Adapter, Agent, Box, Brief, Case, Discrete, Task, TimeStep

WORKLOAD = WORKLOADS[os.environ["MEASURE_WORKLOAD"]]
EPISODES, WORKERS = int(os.environ["MEASURE_EPISODES"]), int(os.environ["MEASURE_WORKERS"])
FOLDER = os.environ["MEASURE_FOLDER"]


def meet() -> None:
    """Wait until every worker is here."""
    open(f"{FOLDER}/ready-{os.getpid()}", "w").close()
    until = time.monotonic() + 60
    while len(glob.glob(f"{FOLDER}/ready-*")) < WORKERS and time.monotonic() < until:
        time.sleep(0.002)


class Lane(Adapter):
    met = False

    def __init__(self, task: Task) -> None:
        if WORKLOAD.actions:
            action: Any = Discrete(WORKLOAD.actions)
            view = Box(WORKLOAD.shape, "uint8", 0, 255)
        else:
            action, view = Box((4,), "float64", -1.0, 1.0), Box(WORKLOAD.shape, "float64")
        views = {"state": view, "state_index": Box((1,), "int64")}
        self.brief = Brief(views, action, "a lane", "a measured workload")
        self.simulator = Simulator(WORKLOAD, range(EPISODES))
        self.log = open(f"{FOLDER}/log-{os.getpid()}-{id(self)}", "w", buffering=1)  # noqa: SIM115

    def reset(self, case: Case) -> TimeStep:
        if not Lane.met:
            Lane.met = True
            meet()
        self.index = np.array([case.seed])
        self.log.write(f"{time.monotonic()} begin\n")
        return TimeStep({"state": self.simulator.reset(case.seed), "state_index": self.index})

    def step(self, action: Any) -> TimeStep:
        seen, done = self.simulator.step(action)
        score = self.simulator.score
        if done:
            self.log.write(f"{time.monotonic()} {self.index[0]} {self.simulator.steps} {score}\n")
        views = {"state": seen, "state_index": self.index}
        return TimeStep(views, terminated=done, metrics={"score": score})


class Player(Agent):
    reads = ("state", "state_index")

    def __init__(self) -> None:
        self.policies: dict[str, Policy] = {}

    def act(self, turns: Any) -> list[Any]:
        answers = []
        for turn in turns:
            if turn.step == 0:
                self.policies[turn.episode] = policy = Policy(WORKLOAD)
                policy.start(int(turn.observation["state_index"][0]))
            answers.append(self.policies[turn.episode].act(turn.observation["state"]))
        return answers

    def end(self, episodes: Any) -> None:
        for name in episodes:
            self.policies.pop(name, None)


class Served(Player):
    served = True

    def act(self, turns: Any) -> list[Any]:
        accelerator(len(turns))
        return super().act(turns)
