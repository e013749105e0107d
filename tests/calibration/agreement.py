"""How often the intervals of `bench correlate` cover: `python -m calibration.agreement`.

Run it in the folder tests. A policy has an ability; the logarithm of the odds of its success in a
simulator is that, and what the simulator makes of it. Measured are shares of as many episodes as is
said. What is to be covered are the correlations of measured rates over all policies of the world,
and the mean of the rank violation over draws of as many policies.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from scipy.stats import rankdata

from harness.stats import Interval, mean_of_rates
from harness.stats.agreement import (
    correlation_difference,
    mean_maximum_rank_violation,
    pearson,
    powered_rate,
    rank_violation,
    spearman,
)


@dataclass(frozen=True)
class World:
    """Standard deviations of the logarithm of the odds."""

    ability: float = 1.5
    level: float = 0.0
    own: float = 0.5
    """What a simulator, and the robot, makes of a policy beside its ability."""
    worse: float = 1.5
    """The same of a second simulator."""
    simulated: int = 100
    tried: int = 20


WORLDS = {
    "the simulator is close": World(),
    "close, many trials": World(tried=200, simulated=1000),
    "the simulator is far": World(own=2.0),
    "policies are alike": World(ability=0.2, own=0.1),
    "most succeed": World(level=2.5),
    "few succeed": World(level=-2.5),
    "ability is all": World(own=0.0, tried=100),
    "nothing in common": World(ability=0.0, own=1.5),
}
FIGURES = ("Pearson", "Spearman", "rank violation", "difference of two")
KNOWN = 200_000


def draw(world: World, policies: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Measured rates by a simulator, another one, and on the robot; each of shape (policies,)."""
    ability = world.level + world.ability * rng.normal(size=policies)
    found = []
    for own, episodes in (
        (world.own, world.simulated),
        (world.worse, world.simulated),
        (world.own, world.tried),
    ):
        chance = expit(ability + own * rng.normal(size=policies))
        found.append(rng.binomial(episodes, chance) / episodes)
    return tuple(found)


def covered(world: World, policies: int, runs: int) -> dict[str, float]:
    """Percent covered, of the runs in which there is an interval."""
    rng = np.random.default_rng(11)
    one, other, real = draw(world, KNOWN, rng)
    r, r_other = (float(np.corrcoef(each, real)[0, 1]) for each in (one, other))
    truth = {
        "Pearson": r,
        "Spearman": float(np.corrcoef(rankdata(one), rankdata(real))[0, 1]),
        "difference of two": r - r_other,
        "rank violation": float(
            np.mean([rank_violation(x, y).mean() for x, _, y in
                     (draw(world, policies, rng) for _ in range(4 * runs))])
        ),
    }  # fmt: skip
    hits: dict[str, list[bool]] = {name: [] for name in FIGURES}
    for run in range(runs):
        one, other, real = draw(world, policies, rng)
        for name, found in (
            ("Pearson", pearson(one, real)),
            ("Spearman", spearman(one, real)),
            # Bets take thirty times as long as the others.
            ("rank violation", None if run % 4 else mean_maximum_rank_violation(one, real)),
            ("difference of two", correlation_difference(one, other, real)),
        ):
            if isinstance(found, Interval):
                hits[name].append(found.low <= truth[name] <= found.high)
    return {name: 100 * float(np.mean(each)) if each else np.nan for name, each in hits.items()}


TRIED = {
    "half succeed, simulated alike": (0.0, 4.0, 0.0),
    "half succeed, simulated otherwise": (0.0, 0.0, 2.0),
    "9 of 10 succeed, simulated alike": (6.0, 4.0, 0.0),
    "9 of 10 succeed, simulated otherwise": (2.2, 0.0, 2.0),
    "nearly all succeed": (7.0, 2.0, 0.5),
    "the simulator is biased": (0.0, 4.0, -2.0),
}
"""Logarithm of the odds of the robot; how cases differ for both; the simulator's bias, where cases
do not differ for both, how they differ for each."""
SIZES = ((1, 20, 80), (1, 50, 500), (5, 6, 40))
"""Tasks, cases of each that were tried, further ones."""


def powered(name: str, size: tuple[int, int, int], runs: int) -> list[float]:
    """Percent covered with the simulator's help, and by the trials alone; the widths in points."""
    level, shared, bias = TRIED[name]
    tasks, tried, further = size
    rng = np.random.default_rng(12)

    def cases(number: int) -> tuple[np.ndarray, np.ndarray]:
        both = shared * rng.normal(size=number)
        own = abs(bias) if shared == 0 else 0.0
        real = expit(level + both + own * rng.normal(size=number))
        there = expit(level + both + own * rng.normal(size=number) + (bias if shared else 0.0))
        return rng.random(number) < real, rng.random(number) < there

    truth = float(cases(2_000_000)[0].mean())
    helped, alone = np.empty((2, runs, 2))
    for run in range(runs):
        y, f, rest = [], [], []
        for _ in range(tasks):
            real, there = cases(tried)
            y.append(real.astype(float))
            f.append(there.astype(float))
            rest.append(cases(further)[1].astype(float))
        found, _ = powered_rate(y, f, rest)
        own = mean_of_rates([int(each.sum()) for each in y], [tried] * tasks)
        helped[run], alone[run] = (found.low, found.high), (own.low, own.high)
    covers = [100 * np.mean((x[:, 0] <= truth) & (truth <= x[:, 1])) for x in (helped, alone)]
    return [*covers, *(100 * float(np.mean(x[:, 1] - x[:, 0])) for x in (helped, alone))]


def main() -> None:
    """Print both tables, or that of `policies` or `trials`, as Markdown, from a number of runs."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    if sys.argv[2:] != ["trials"]:
        _policies(runs)
    if sys.argv[2:] != ["policies"]:
        _trials(runs)


def _policies(runs: int) -> None:
    print("| world | policies | " + " | ".join(FIGURES) + " |\n|" + "---|" * (2 + len(FIGURES)))
    for name, world in WORLDS.items():
        for policies in (5, 8, 12):
            cells = covered(world, policies, runs)
            print(f"| {name} | {policies} | " + " | ".join(f"{x:.1f}" for x in cells.values())
                  + " |", flush=True)  # fmt: skip


def _trials(runs: int) -> None:
    print("\n| trials | tasks x tried, further | covered | by the trials alone | width | alone |")
    print("|" + "---|" * 6)
    for name in TRIED:
        for size in SIZES:
            cells = powered(name, size, runs)
            print(f"| {name} | {size[0]} x {size[1]}, {size[2]} | "
                  + " | ".join(f"{x:.1f}" for x in cells) + " |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
