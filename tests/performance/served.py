"""What it costs to ask a served agent: `python tests/performance/served.py [--turns 10000]`.

A null agent in a process of its own is sent what a group of lanes asks, in three ways: whole turns
in a call of Ray, as up to version 1; packed turns in a call of Ray, as to another machine; and
packed turns through a socket and shared memory, as on one machine. With a history each turn shows
what the last ones showed, and one thing more. Figures are microseconds of processor time a turn,
which other programs disturb less than they disturb the clock.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import ray
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[2]))

from harness.core import Box, Brief, Discrete, Turn
from harness.play import ray_links
from harness.play.ray_actors import Place, _Server
from harness.play.ray_cluster import started
from harness.play.ray_links import RayLinks
from harness.records.identity import AgentSpec

PICTURE = {"image": np.zeros((224, 224, 3), np.uint8)}
VIEWS: dict[str, tuple[dict[str, np.ndarray], int, tuple[int, ...]]] = {
    "49 bytes and a number": (
        {"grid": np.zeros((7, 7, 3), np.uint8), "index": np.zeros(1)}, 1, (16, 64),
    ),
    "picture, 224 x 224": (PICTURE, 1, (16, 64)),
    "the last eight pictures": (PICTURE, 8, (16,)),
}  # fmt: skip
"""Name -> (what a step shows, the agent's history, the numbers of lanes)."""


class Asking:
    """What a group of lanes asks, turn after turn; each has a brief of its own, as in a run."""

    def __init__(self, views: dict[str, np.ndarray], history: int, lanes: int) -> None:
        self.views = views
        specs = {name: Box(view.shape, str(view.dtype), 0, 255) for name, view in views.items()}
        self.turns = [
            Turn(
                Brief(specs, Discrete(7), "a body", "a simulator"),
                "go to the red ball",
                tuple(self.seen() for _ in range(history)),
                (),
                5,
                f"{lane:016x}",
            )
            for lane in range(lanes)
        ]

    def seen(self) -> dict[str, np.ndarray]:
        return {name: view.copy() for name, view in self.views.items()}

    def next(self) -> list[Turn]:
        if len(self.turns[0].observations) > 1:
            self.turns = [
                dataclasses.replace(turn, observations=(*turn.observations[1:], self.seen()))
                for turn in self.turns
            ]
        return self.turns


def spent(pid: int) -> dict[str, float]:
    """Processor seconds of the worker (this process), of the replica, and of Ray's processes."""
    found = {"worker": time.process_time(), "replica": 0.0, "Ray": 0.0}
    for process in psutil.Process().children(recursive=True):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        who = "replica" if process.pid == pid else "Ray"
        found[who] += times.user + times.system
    return found


def refuse(*_: Any) -> Any:
    """As where the replica is on another machine."""
    raise ConnectionRefusedError


def whole(actor: Any, asking: Asking) -> None:
    ray.get(actor.infer.remote(asking.next()))


def packed(links: RayLinks, actor: Any, asking: Asking) -> None:
    links.take(links.send(0, actor, asking.next(), False))


def measure(ask: Callable[[], None], lanes: int, turns: int, pid: int) -> list[str]:
    for _ in range(20):
        ask()
    rounds = turns // lanes
    before = spent(pid)
    for _ in range(rounds):
        ask()
    after = spent(pid)
    each = [(after[who] - before[who]) / rounds / lanes * 1e6 for who in after]
    return [f"{value:.0f}" for value in (*each, sum(each))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=10_000)
    count = parser.parse_args().turns
    rows = []
    with started(2, print):
        place = Place([path or os.getcwd() for path in sys.path], None)
        spec = ray.cloudpickle.dumps(AgentSpec("noop", "baselines.simple:Noop", {}))
        actor: Any = ray.remote(_Server).options(num_cpus=0, max_concurrency=8)
        actor = actor.remote("agent", spec, place, 60.0)
        ray.get(actor.ready.remote())
        pid = int(ray.get(actor.__ray_call__.remote(lambda _: os.getpid())))
        link = getattr(ray_links, "Link")  # noqa: B009
        for name, (views, history, numbers) in VIEWS.items():
            for lanes in numbers:
                turns = Asking(views, history, lanes)
                asks = {
                    "whole turns by Ray": functools.partial(whole, actor, turns),
                    "packed, by Ray": functools.partial(packed, RayLinks(), actor, turns),
                    "packed, by a link": functools.partial(packed, RayLinks(), actor, turns),
                }
                for way, ask in asks.items():
                    kind = refuse if way == "packed, by Ray" else link
                    setattr(ray_links, "Link", kind)  # noqa: B010
                    rows.append([name, lanes, way, *measure(ask, lanes, count, pid)])
    heads = ["view", "lanes", "way", "worker", "replica", "Ray", "all, us a turn"]
    print(tabulate(rows, heads, tablefmt="github"))


if __name__ == "__main__":
    main()
