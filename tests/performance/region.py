"""How well `bench probe region` finds planted regions, beside a grid, and how often it is right.

    python tests/performance/region.py error     held-out error, and the episodes of a grid
    python tests/performance/region.py covers    how often intervals and bands hold the border

Outcomes are drawn from planted chances of success; no simulator is played. It takes minutes to
an hour on one core: a number after the word is the runs of each world (default 20, and 1000).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

import numpy as np
from scipy.special import expit

from harness.probes.region.border import borders_of
from harness.probes.region.surface import BATCH, next_places, surface_of

RATE = 0.5
Chance = Callable[[np.ndarray], np.ndarray]

# The borders lie at 0.4 (and 0.8) of the range, moved for each run by up to 0.05 either way: no
# grid's cells happen to end there.
ONE: Mapping[str, Chance] = {
    "step, 5 to 95 %": lambda x: np.where(x[:, 0] > 0.4, 0.95, 0.05),
    "step, 30 to 90 %": lambda x: np.where(x[:, 0] > 0.4, 0.9, 0.3),
    "logistic, width 0.05": lambda x: expit((x[:, 0] - 0.4) / 0.05),
    "logistic, width 0.1": lambda x: expit((x[:, 0] - 0.4) / 0.1),
    "box": lambda x: np.where(np.abs(x[:, 0] - 0.6) < 0.2, 0.95, 0.05),
}
TWO: Mapping[str, Chance] = {
    "logistic, oblique": lambda x: expit((x @ [1.0, 0.6] - 0.7) / 0.06),
    "corner box": lambda x: np.where((x[:, 0] > 0.45) & (x[:, 1] > 0.3), 0.95, 0.05),
    "box inside": lambda x: np.where(np.abs(x - 0.55).max(axis=1) < 0.27, 0.95, 0.05),
}
HEALTHY: Mapping[str, Chance] = {
    "healthy, 95 %": lambda x: np.full(len(x), 0.95),
    "healthy, 60 %": lambda x: np.full(len(x), 0.6),
    "never, 3 %": lambda x: np.full(len(x), 0.03),
}


def moved(seed: int) -> float:
    """By how much the borders of a run are moved."""
    return float(np.random.default_rng([seed, 6]).uniform(-0.05, 0.05))


def shifted(chance: Chance, seed: int) -> Chance:
    """A world whose borders are moved as in run number `seed`."""
    return lambda x: chance(x - moved(seed))


def play(chance: Chance, axes: int, episodes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(places, successes) of an adaptive search, as the command makes it."""
    rng = np.random.default_rng([seed, 7])
    places, won = np.empty((0, axes)), np.empty(0, bool)
    for batch in range(episodes // BATCH):
        new = next_places(places, won, RATE, seed, batch)
        places = np.concatenate([places, new])
        won = np.concatenate([won, rng.random(len(new)) < chance(new)])
    return places, won


def held_out(axes: int) -> np.ndarray:
    """Points that nobody played, 2000 of them, evenly drawn."""
    return np.random.default_rng(99).random((2000, axes))


def adaptive_error(chance: Chance, axes: int, episodes: int, seed: int) -> float:
    """The share of held-out points on the wrong side of the rate."""
    points, chance = held_out(axes), shifted(chance, seed)
    found = surface_of(*play(chance, axes, episodes, seed)).latent(points)[0] >= 0
    return float(np.mean(found != (chance(points) >= RATE)))


def grid_error(chance: Chance, axes: int, side: int, each: int, seed: int) -> float:
    """The same of a grid of side^axes cells, `each` episodes in the middle of each."""
    rng, points, chance = np.random.default_rng([seed, 8]), held_out(axes), shifted(chance, seed)
    middles = (np.stack(np.meshgrid(*[np.arange(side)] * axes, indexing="ij"), -1) + 0.5) / side
    rates = rng.binomial(each, chance(middles.reshape(-1, axes))).reshape([side] * axes) / each
    found = rates[tuple((points * side).astype(int).T)] >= RATE
    return float(np.mean(found != (chance(points) >= RATE)))


SIDES = {1: (8, 12, 16, 24, 32, 48, 64, 96, 128), 2: (4, 6, 8, 10, 13, 16, 20, 26, 32)}
EACH = (1, 3, 5, 9, 15, 25, 41)


def best_grid(chance: Chance, axes: int, target: float, runs: int) -> tuple[int, str]:
    """(episodes, which) of the smallest grid whose mean error is at most `target`."""
    sizes = sorted((side**axes * each, side, each) for side in SIDES[axes] for each in EACH)
    for episodes, side, each in sizes:
        errors = [grid_error(chance, axes, side, each, seed) for seed in range(4 * runs)]
        if np.mean(errors) <= target:
            return episodes, f"{side}^{axes} cells of {each}"
    return sizes[-1][0], "none of those tried"


def error(runs: int) -> None:
    """Print the table of errors."""
    print("world | episodes | error, % | a grid with that error | episodes of the grid | ratio")
    for axes, worlds, sizes in ((2, TWO, (96, 192)), (1, ONE, (48, 96, 192))):
        for name, chance in worlds.items():
            for episodes in sizes:
                errors = [adaptive_error(chance, axes, episodes, seed) for seed in range(runs)]
                grid, which = best_grid(chance, axes, float(np.mean(errors)), runs)
                told = f"{axes}-D, {name} | {episodes} | {100 * np.mean(errors):.1f} | {which}"
                print(f"{told} | {grid} | {grid / episodes:.1f}", flush=True)


def covers(runs: int) -> None:
    """Print how often the interval of one axis holds the border, and the band of two axes."""
    print("world | episodes | runs | border named | interval holds it | median width | other named")
    worlds = {**ONE, **HEALTHY}
    many = ("step, 5 to 95 %", "healthy, 95 %")
    for name in sorted(worlds, key=lambda each: each not in many):
        count = runs if name in many else min(runs, 100)
        named, right, widths, other = 0, 0, list[float](), 0
        for seed in range(count):
            places, won = play(shifted(worlds[name], seed), 1, 96, seed)
            found = borders_of(places[:, 0].tolist(), won.tolist(), RATE)
            shift = moved(seed)
            if found.rising is not None:
                named += 1
                right += found.rising.low <= 0.4 + shift <= found.rising.high
                widths.append(found.rising.high - found.rising.low)
            if found.falling is not None:
                low, high = found.falling.low, found.falling.high
                other += not (name == "box" and low <= 0.8 + shift <= high)
        width = f"{np.median(widths):.3f}" if widths else ""
        print(f"{name} | 96 | {count} | {named} | {right} | {width} | {other}", flush=True)
    print("world | episodes | runs | band holds the rate at the border, %")
    line = np.linspace(0, 1, 201)
    grid = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)
    for name, chance in TWO.items():
        shares = []
        for seed in range(min(runs, 20)):
            world = shifted(chance, seed)
            above = (world(grid) >= RATE).reshape(201, 201)
            edge = np.zeros_like(above)
            edge[1:] |= above[1:] != above[:-1]
            edge[:, 1:] |= above[:, 1:] != above[:, :-1]
            _, low, high = surface_of(*play(world, 2, 192, seed)).chance(grid[edge.ravel()])
            shares.append(np.mean((low <= RATE) & (high >= RATE)))
        print(f"2-D, {name} | 192 | {len(shares)} | {100 * np.mean(shares):.1f}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in ("error", "covers"):
        sys.exit(__doc__)
    if sys.argv[1] == "error":
        error(int(sys.argv[2]) if len(sys.argv) > 2 else 20)
    else:
        covers(int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
