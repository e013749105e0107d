"""How many episodes `bench gate --outcome progress` needs, and how often it is wrong.

    PYTHONPATH=tests python -m calibration.progress [--runs 400] [--world NAME]

Episodes pass their stages one after the other; case by case, both agents meet one difficulty. A
regress and a pass are asked for with a chance of 80 %. As the outcome progress adds a test to that
of success, it is also held beside a test of success with one and a half of its alpha, which is the
bound of both.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from tabulate import tabulate

from harness.compare.progress import REGRESS_SHARE
from harness.stats import holm, sign_flip
from harness.stats.paired import paired_bounds

Array = np.ndarray
SIZES = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
MARGIN, ALPHA, POWER = 0.1, 0.05, 0.8


@dataclass(frozen=True)
class World:
    """The chance of each stage, once the one before is reached, of base and new."""

    name: str
    base: tuple[float, ...]
    new: tuple[float, ...]
    tasks: int = 1
    shared: float = 0.7
    """Of the variance of what makes an episode hard, the part that both agents meet."""


WEAK, FAIR, STRONG = (0.5, 0.5, 0.5, 0.5), (0.9, 0.8, 0.8, 0.8), (0.98, 0.97, 0.97, 0.97)
WORLDS = (
    World("weak, the first stage half as often", WEAK, (0.25, 0.5, 0.5, 0.5)),
    World("fair, the first stage lost", FAIR, (0.6, 0.8, 0.8, 0.8)),
    World("fair, all stages lost a little", FAIR, (0.8, 0.7, 0.7, 0.7)),
    World("fair, the last stage alone", FAIR, (0.9, 0.8, 0.8, 0.4)),
    World("strong, the first stage lost", STRONG, (0.85, 0.97, 0.97, 0.97)),
    World("strong, the last stage alone", STRONG, (0.98, 0.97, 0.97, 0.8)),
    World("weak, four tasks", WEAK, (0.3, 0.5, 0.5, 0.5), tasks=4),
    World("fair, four tasks", FAIR, (0.75, 0.8, 0.8, 0.8), tasks=4),
)


def stages(world: World, chances: Sequence[float], hard: Array, rng: np.random.Generator) -> Array:
    """How many stages are reached, of the shape of `hard`."""
    own = rng.normal(size=(*hard.shape, len(chances)))
    met = np.sqrt(world.shared) * hard[..., None] + np.sqrt(1 - world.shared) * own
    reached: Array = np.cumprod(met < ndtri(chances), axis=-1).sum(axis=-1)
    return reached


def simulated(
    world: World, new: Sequence[float], pairs: int, runs: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """The stages that base and new reach, each of shape (runs, tasks, pairs)."""
    hard = rng.normal(size=(runs, world.tasks, pairs))
    return stages(world, world.base, hard, rng), stages(world, new, hard, rng)


def verdicts(world: World, base: Array, new: Array) -> Array:
    """(by success, by success at 1.5 alpha, by progress) of each run, shape (runs, 3).

    What harness.compare.progress says, for all runs at once; test_progress.py compares them.
    """
    whole = len(world.base)
    won = (new == whole).astype(float) - (base == whole)
    way = (new - base) / whole
    success, more = (one_test(won, alpha) for alpha in (ALPHA, 1.5 * ALPHA))
    loose, strict = (one_test(way, alpha) for alpha in (ALPHA, REGRESS_SHARE * ALPHA))
    joint = np.where(
        success == "regress",
        "regress",
        np.where(loose == "pass", "pass", np.where(strict == "regress", "regress", "inconclusive")),
    )
    return np.stack([success, more, joint], axis=1)


def one_test(changes: Array, alpha: float) -> Array:
    """The verdict of compare_pairs on differences of shape (runs, tasks, pairs)."""
    losses, wins = -np.minimum(changes, 0).sum(-1), np.maximum(changes, 0).sum(-1)
    pairs = np.full(losses.shape, float(changes.shape[-1]))
    low, high = paired_bounds(losses, wins, np.square(changes).sum(-1), pairs, 1 - alpha)
    p = np.array([[sign_flip(each, 1000) for each in run] for run in changes])
    below = changes.mean(-1) < 0
    every = np.array([holm(each) for each in p.tolist()])
    worse = ((every <= alpha) & below).any(-1)
    found: Array = np.where(
        worse,
        "regress",
        np.where(low > -MARGIN, "pass", np.where(high < 0, "regress", "inconclusive")),
    )
    return found


def shares(world: World, new: Sequence[float], pairs: int, wanted: str, runs: int) -> Array:
    """In what share of the runs each of the three says `wanted`, shape (3,)."""
    rng = np.random.default_rng((pairs, runs))
    share: Array = (verdicts(world, *simulated(world, new, pairs, runs, rng)) == wanted).mean(
        axis=0
    )
    return share


def needed(world: World, new: Sequence[float], wanted: str, runs: int) -> list[str]:
    """The least number of SIZES, by interpolation of logarithms, for each of the three."""
    least: list[str] = ["> 512"] * 3
    before, smaller = np.zeros(3), SIZES[0]
    for size in SIZES:
        now = shares(world, new, size, wanted, runs)
        for k in range(3):
            if least[k].startswith(">") and now[k] >= POWER:
                part = (POWER - before[k]) / max(now[k] - before[k], 1e-9)
                at = smaller * (size / smaller) ** part if size > smaller else size
                least[k] = f"{at:.0f}"
        if not any(each.startswith(">") for each in least):
            break
        before, smaller = now, size
    return least


def lower_by_margin(world: World, *, of_progress: bool) -> tuple[float, ...]:
    """Chances of which all stages are lower, so that the mean is by MARGIN exactly."""

    def mean(chances: Sequence[float]) -> float:
        rng = np.random.default_rng(0)
        found = stages(world, chances, rng.normal(size=200_000), rng)
        whole = len(chances)
        return float(found.mean() / whole if of_progress else (found == whole).mean())

    low, high, goal = 0.3, 1.0, mean(world.base) - MARGIN
    for _ in range(20):
        middle = (low + high) / 2
        scaled = [middle * each for each in world.base]
        low, high = (middle, high) if mean(scaled) < goal else (low, middle)
    return tuple(high * each for each in world.base)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--world", default="")
    given = parser.parse_args()
    chosen = [world for world in WORLDS if given.world in world.name]
    lines = []
    for world in chosen:
        lines.append([world.name, *needed(world, world.new, "regress", given.runs)])
        print(lines[-1], flush=True)
    heads = ["world", "success", "success at 1.5 alpha", "progress"]
    print("\nepisodes a task for a regress\n", tabulate(lines, heads, "github"), flush=True)
    lines = []
    for world in chosen:
        lines.append([world.name, *needed(world, world.base, "pass", given.runs)])
        print(lines[-1], flush=True)
    print("\nepisodes a task for a pass of equal agents\n", tabulate(lines, heads, "github"))
    lines = []
    for world in chosen:
        for size in (20, 60):
            wrong = 100 * shares(world, world.base, size, "regress", 2 * given.runs)
            lines.append([world.name, size, *(f"{each:.1f}" for each in wrong)])
        print(lines[-1], flush=True)
    heads = ["world", "episodes", *heads[1:]]
    print("\nequal agents regress, in %\n", tabulate(lines, heads, "github", disable_numparse=True))
    lines = []
    for world in chosen:
        if world.base is WEAK:
            continue
        lower = lower_by_margin(world, of_progress=True)
        wrong = 100 * shares(world, lower, 60, "pass", 2 * given.runs)
        fallen = lower_by_margin(world, of_progress=False)
        also = 100 * shares(world, fallen, 60, "pass", 2 * given.runs)
        lines.append([world.name, f"{wrong[2]:.1f}", f"{also[0]:.1f}", f"{also[2]:.1f}"])
        print(lines[-1], flush=True)
    heads = [
        "world",
        "progress, lower by the margin in progress",
        "success, lower by the margin in success",
        "progress, lower by the margin in success",
    ]
    print("\npasses at a loss of the margin, in %, 60 episodes\n",
          tabulate(lines, heads, "github", disable_numparse=True))  # fmt: skip


if __name__ == "__main__":
    main()
