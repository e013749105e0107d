"""Do the shares of stages and modes cover, and how often is a mode named that is rare?

    PYTHONPATH=tests python -m calibration.stages [RUNS]    # 1,000 runs; minutes

The intervals and the rule are those of leaderboards/stage_shares.py, for all runs at once;
tests/leaderboards/test_stage_shares.py compares them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from calibration.shared_rooms import designs, draw
from tabulate import tabulate

from harness.stats.intervals import exact_rate_bounds, rate_bounds
from leaderboards.stage_shares import ALPHA, TOLERATED

MODES = 8
"""That are looked for and can be named, as in Meta-World's pick-place and in BabyAI."""


@dataclass(frozen=True)
class World:
    """The share of a stage or a mode in each task, and how many episodes each has."""

    shares: tuple[float, ...]
    episodes: int
    shared: float | None = None
    """Of the variance of what decides an episode, the part that tasks of one simulator have in
    common; None: tasks of different ones."""

    @property
    def name(self) -> str:
        """How a table calls it."""
        least, most = min(self.shares), max(self.shares)
        told = f"{least:g}" if least == most else f"{least:g} to {most:g}"
        common = "" if self.shared is None else f", in common {self.shared:g}"
        return f"{len(self.shares)} x {self.episodes}, {told}{common}"


def _alike(share: float, tasks: int) -> tuple[float, ...]:
    return (share,) * tasks


ONE = tuple(
    World((share,), episodes)
    for episodes in (10, 20, 40, 100)
    for share in (0.01, 0.02, 0.05, 0.1, 0.3, 0.5, 0.9, 0.98)
)
SEVERAL = tuple(
    World(shares, episodes)
    for episodes in (5, 10, 20)
    for shares in (
        _alike(0.02, 2), _alike(0.1, 2), _alike(0.3, 2), (0.0, 0.5), (0.02, 0.95),
        _alike(0.01, 5), _alike(0.05, 5), _alike(0.3, 5), (0.0, 0.0, 0.0, 0.0, 0.3),
        (0.0, 0.1, 0.5, 0.9, 1.0), _alike(0.02, 20), (0.3, *_alike(0.0, 19)),
        (*_alike(0.02, 10), *_alike(0.98, 10)), tuple(np.linspace(0.0, 0.4, 20).tolist()),
    )
)  # fmt: skip
ROOMS = tuple(
    World(_alike(share, tasks), episodes, shared)
    for shared in (0.0, 0.5, 0.97)
    for tasks, episodes in ((2, 10), (2, 20), (5, 10), (5, 20))
    for share in (0.02, 0.05, 0.3, 0.9)
)
WORLDS = {"one task": ONE, "several tasks": SEVERAL, "tasks that share rooms": ROOMS}


def drawn(world: World, runs: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The rates of the tasks and what their episodes count, both of shape (runs, tasks)."""
    shape = (runs, world.episodes, len(world.shares))
    if world.shared is None:
        rates = rng.binomial(world.episodes, world.shares, size=shape[::2]) / world.episodes
        return rates, np.full(rates.shape, float(world.episodes))
    (held,) = draw(rng, world.shares[:1], shape, world.shared)
    rates = held.mean(axis=1)
    return rates, np.broadcast_to(world.episodes / designs(held)[:, None], rates.shape)


def bounds(
    rates: np.ndarray, counts: np.ndarray, level: float = 0.95, *, exact: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Of each run, shape (runs,). Runs with the same outcomes are counted once."""
    # All tasks of a run count the same, so their order tells nothing.
    keys = np.column_stack([np.sort(rates, axis=1), counts[:, 0]]).round(9)
    kinds, places = np.unique(keys, axis=0, return_inverse=True)
    found = exact_rate_bounds if exact else rate_bounds
    ones = np.ones(rates.shape[1])
    low, high = found(kinds[:, :-1], kinds[:, -1:] * ones, level)
    return low[places.ravel()], high[places.ravel()]


def coverage(worlds: Sequence[World], runs: int) -> list[list[str]]:
    """World; covered and mean width of the interval; the same of mean_of_rates; percent."""
    rows = []
    for world in worlds:
        rates, counts = drawn(world, runs, np.random.default_rng(0))
        truth = float(np.mean(world.shares))
        cells = []
        for exact in (True, False):
            low, high = bounds(rates, counts, exact=exact)
            cells += [((low - 1e-9 <= truth) & (truth <= high + 1e-9)).mean(), (high - low).mean()]
        rows.append([world.name, *(f"{100 * each:.1f}" for each in cells)])
    return rows


def named(
    shares: Sequence[float], tasks: int, episodes: int, runs: int, rng: np.random.Generator
) -> np.ndarray:
    """Which modes are named that end these shares of the episodes, shape (runs, modes)."""
    found = rng.multinomial(episodes, [*shares, 1 - sum(shares)], size=(runs, tasks))
    counts = np.full((runs, tasks), float(episodes))
    level = 1 - 2 * ALPHA / MODES
    return np.column_stack(
        [
            bounds(found[..., mode] / episodes, counts, level)[0] > TOLERATED
            for mode in range(len(shares))
        ]
    )


def main(runs: int = 1000) -> None:
    """Print the tables."""
    heads = ["tasks x episodes, share", "covered", "width", "mean of rates: covered", "width"]
    for title, worlds in WORLDS.items():
        rows = coverage(worlds, runs)
        least = min(float(row[1]) for row in rows), min(float(row[3]) for row in rows)
        print(f"\n{title}: least {least[0]}, mean of rates {least[1]}\n")
        print(tabulate(rows, heads, "github", disable_numparse=True), flush=True)
    rows = []
    for tasks, episodes in ((1, 20), (1, 40), (1, 100), (4, 10), (4, 40)):
        rng = np.random.default_rng(0)
        rare = [named((share,) * MODES, tasks, episodes, runs, rng) for share in (0.02, TOLERATED)]
        one = [named((share,), tasks, episodes, runs, rng) for share in (0.1, 0.2, 0.3)]
        cells = [f"{100 * each.any(axis=1).mean():.1f}" for each in (*rare, *one)]
        rows.append([f"{tasks} x {episodes}", *cells])
    heads = ["tasks x episodes", "eight of 2 %", "eight of 5 %", "one of 10 %", "20 %", "30 %"]
    print(f"\nnamed, in percent\n\n{tabulate(rows, heads, 'github', disable_numparse=True)}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
