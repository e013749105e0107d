"""How often the intervals over training seeds cover.

Run it in the folder tests: `python -m calibration.training_seeds`. Each training seed makes a pair
of agents whose chances are drawn about those of their method, and which play episodes of their own;
an episode is as hard for one as for the other.
"""

from __future__ import annotations

import sys

import numpy as np

from harness.stats.training_seeds import bootstrap_bounds, seed_interval

WORLDS = {
    "no difference": (0.5, 0.5),
    "a difference": (0.5, 0.6),
    "much to gain": (0.1, 0.6),
    "hardly a success": (0.02, 0.05),
    "nearly all": (0.97, 0.99),
}
"""The chances of two methods."""
SPREADS = (0.0, 0.05, 0.2)
"""Standard deviations of the chance of a training seed."""
SIZES = ((3, 20), (5, 10), (5, 20), (10, 20), (20, 20))
"""Training seeds, and episodes of each of two tasks."""
TRUTH = 200_000


def chances(mean: float, spread: float, count: int, rng: np.random.Generator) -> np.ndarray:
    """The chances of some training seeds, shape (count,)."""
    if not spread:
        return np.full(count, mean)
    return np.clip(mean + spread * rng.standard_normal(count), 0, 1)


def drawn(
    rates: tuple[float, float], spread: float, seeds: int, episodes: int, rng: np.random.Generator
) -> list[list[np.ndarray]]:
    """The differences of one experiment."""
    base, new = (chances(each, spread, seeds, rng) for each in rates)
    found = []
    for one, other in zip(base, new):
        tasks = []
        for _ in range(2):
            luck = rng.random(episodes)
            # Half of an episode's luck is the same for both agents.
            mine = np.where(rng.random(episodes) < 0.5, luck, rng.random(episodes))
            tasks.append((mine < other).astype(float) - (luck < one))
        found.append(tasks)
    return found


def truth_of(rates: tuple[float, float], spread: float) -> float:
    """The difference of the means of the two methods' chances."""
    rng = np.random.default_rng(7)
    base, new = (chances(each, spread, TRUTH, rng).mean() for each in rates)
    return float(new - base)


def coverage(
    runs: int, seeds: int, episodes: int, spread: float, world: str, *, drawn_again: bool = True
) -> tuple[float, float]:
    """The shares of experiments that the interval covers, and the bootstrap if `drawn_again`."""
    rates = WORLDS[world]
    truth = truth_of(rates, spread)
    rng = np.random.default_rng(3)
    covered = np.zeros(2)
    for run in range(runs):
        found = drawn(rates, spread, seeds, episodes, rng)
        both = [seed_interval(found)]
        both += [bootstrap_bounds(found, 0.95, run)] if drawn_again else []
        for place, each in enumerate(both):
            covered[place] += each.low - 1e-12 <= truth <= each.high + 1e-12
    one, other = covered / runs
    return float(one), float(other)


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    for seeds, episodes in SIZES:
        for spread in SPREADS:
            cells = [coverage(number, seeds, episodes, spread, world) for world in WORLDS]
            shown = " | ".join(f"{100 * one:.1f} / {100 * other:.1f}" for one, other in cells)
            print(f"| {seeds} x 2 x {episodes} | {spread} | {shown} |", flush=True)
