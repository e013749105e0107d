"""Does the gap between seen and unseen cover, and how often is a healthy agent named?

    PYTHONPATH=tests python -m calibration.seen [RUNS]    # 2,000 runs; a minute

An axis is named where its interval lies above 0 at level 1 - 0.05 / axes (leaderboards/seen.py).
The axes of one run share its episodes, and each splits them otherwise.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tabulate import tabulate

from harness.stats.gaps import gap_within_tasks
from leaderboards.seen_gap import ALPHA

AXES = 4


@dataclass(frozen=True)
class World:
    """Rates on seen and on unseen episodes of each task, and how many there are of either."""

    name: str
    seen: tuple[float, ...]
    unseen: tuple[float, ...]
    n_seen: int
    n_unseen: int


def _alike(rate: float, tasks: int) -> tuple[float, ...]:
    return tuple(np.clip(np.linspace(rate - 0.2, rate + 0.2, tasks), 0.02, 0.98).tolist())


WORLDS = (
    World("1 task, 50 %, alike", (0.5,), (0.5,), 50, 50),
    World("1 task, 10 seen of 100, alike", (0.5,), (0.5,), 10, 90),
    World("1 task, 95 %, alike", (0.95,), (0.95,), 20, 80),
    World("1 task, 5 %, alike", (0.05,), (0.05,), 20, 80),
    World("5 tasks, 50 %, alike", _alike(0.5, 5), _alike(0.5, 5), 5, 15),
    World("5 tasks, 10 %, alike", _alike(0.1, 5), _alike(0.1, 5), 5, 15),
    World("20 tasks, 50 %, alike", _alike(0.5, 20), _alike(0.5, 20), 3, 17),
    World("1 task, 90 against 40 %", (0.9,), (0.4,), 37, 463),
    World("5 tasks, 100 against 30 %", (1.0,) * 5, _alike(0.3, 5), 5, 15),
    World("20 tasks, 60 against 50 %", _alike(0.6, 20), _alike(0.5, 20), 10, 10),
)


def covered(world: World, runs: int, rng: np.random.Generator) -> tuple[float, float]:
    """(how often the gap lies in its interval, how often it is above 0), in percent."""
    truth = float(np.mean(world.seen) - np.mean(world.unseen))
    hits = above = 0
    tasks = len(world.seen)
    for _ in range(runs):
        first = rng.binomial(world.n_seen, world.seen).tolist(), [world.n_seen] * tasks
        second = rng.binomial(world.n_unseen, world.unseen).tolist(), [world.n_unseen] * tasks
        gap = gap_within_tasks(first, second)
        hits += gap.low <= truth <= gap.high
        above += gap.low > 0
    return 100 * hits / runs, 100 * above / runs


def named(rates: Sequence[float], episodes: int, runs: int, rng: np.random.Generator) -> float:
    """In how many percent of runs of a healthy agent any of AXES axes is named."""
    found = 0
    for _ in range(runs):
        won = [rng.random(episodes) < rate for rate in rates]
        better = False
        for axis in range(AXES):
            share = (0.1, 0.3, 0.5, 0.8)[axis]
            split = [rng.random(episodes) < share for _ in rates]
            kept = [k for k, each in enumerate(split) if 0 < each.sum() < episodes]
            if not kept:
                continue
            sides = []
            for wanted in (True, False):
                chosen = [won[k][split[k] == wanted] for k in kept]
                sides.append(([int(each.sum()) for each in chosen], [len(each) for each in chosen]))
            better |= gap_within_tasks(sides[0], sides[1], 1 - ALPHA / AXES).low > 0
        found += better
    return 100 * found / runs


def main(runs: int = 2000) -> None:
    """Print both tables."""
    rng = np.random.default_rng(0)
    rows = []
    for world in WORLDS:
        hits, above = covered(world, runs, rng)
        rows.append([world.name, f"{hits:.1f}", f"{above:.1f}"])
    print(tabulate(rows, ["world", "covered", "interval above 0"], "github", disable_numparse=True))
    rows = []
    for name, rates, episodes in (
        ("1 task, 50 %, 100 episodes", (0.5,), 100),
        ("1 task, 95 %, 100 episodes", (0.95,), 100),
        ("5 tasks, 50 %, 20 episodes", _alike(0.5, 5), 20),
        ("20 tasks, 90 %, 10 episodes", _alike(0.9, 20), 10),
    ):
        rows.append([name, f"{named(rates, episodes, runs, rng):.1f}"])
    print()
    print(tabulate(rows, ["healthy agent, four axes", "named"], "github", disable_numparse=True))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
