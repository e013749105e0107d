"""How often the intervals of `bench compare --method` cover: `python -m calibration.methods`.

Run it in the folder tests. A training succeeds in a case with the chance logistic(level + task +
training + case + method in this case + training in this task): all but the first two are normal
variables. Every training plays the same cases. What is to be covered are the mean over all
trainings and cases of these tasks, and the difference of two such means.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, roots_hermitenorm

from harness.compare.shared_seeds import LEAST_SPREAD
from harness.stats import Interval, design_effects, paired_bounds, trainings
from harness.stats.intervals import rate_bounds
from harness.stats.trainings import CrossedCases, spread_between_trainings, spread_of

NODES, WEIGHTS = roots_hermitenorm(61)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


@dataclass(frozen=True)
class World:
    """Standard deviations are those of the logarithm of the odds."""

    level: float = 1.0
    shift: float = 0.0
    """By what the new method is better."""
    training: tuple[float, float] = (0.5, 0.5)
    """How trainings of the base, and of the new method, differ."""
    case: float = 1.0
    """How cases differ for all methods."""
    method_in_case: float = 0.5
    training_in_task: float = 0.0
    tasks: float = 1.0
    """How tasks differ: evenly from -this to this."""
    number: int = 5
    cases: int = 20
    continuous: bool = False
    shared: bool = False
    """Whether tasks share what is random in their cases."""
    collapse: float = 0.0
    """The share of trainings that never succeed."""


WORLDS = {
    "trainings are alike": World(training=(0.0, 0.0)),
    "trainings are alike, nearly all solved": World(level=4.0, training=(0.0, 0.0), case=0.0),
    "they differ a little": World(training=(0.2, 0.2)),
    "they differ": World(),
    "they differ, nearly all solved": World(level=4.0),
    "they differ, rarely solved": World(level=-3.0),
    "they differ much": World(training=(1.5, 1.5)),
    "those of one method differ": World(training=(0.0, 1.0)),
    "they differ by task": World(training=(0.3, 0.3), training_in_task=0.7),
    "tasks differ much": World(tasks=3.0),
    "one task of 50": World(number=1, cases=50, tasks=0.0),
    "one task of 200": World(number=1, cases=200, tasks=0.0),
    "20 tasks of 5": World(number=20, cases=5),
    "cases differ much": World(case=2.0, method_in_case=1.5),
    "tasks that share rooms": World(shared=True),
    "scores": World(continuous=True),
    "scores, trainings alike": World(continuous=True, training=(0.0, 0.0)),
    "scores that differ much": World(continuous=True, training=(1.5, 1.5)),
    "the new one is better": World(shift=1.0),
}
COLLAPSE = {
    "1 training in 10 is lost": World(collapse=0.1),
    "1 training in 4 is lost": World(collapse=0.25),
}
"""What no few trainings can cover: the lost one is often not among them."""


def offsets(world: World) -> np.ndarray:
    """Of each task."""
    return np.linspace(-world.tasks, world.tasks, world.number) if world.number > 1 else np.zeros(1)


def truth(world: World, method: int) -> float:
    """The mean over trainings, cases and tasks."""
    level = world.level + method * world.shift
    parts = (world.training[method], world.case, world.method_in_case, world.training_in_task)
    spread = np.sqrt(np.square(parts).sum() + world.continuous)
    means = [(WEIGHTS * expit(level + each + spread * NODES)).sum() for each in offsets(world)]
    return float(np.mean(means)) * (1 - world.collapse)


def between(world: World, method: int) -> float:
    """The standard deviation of trainings' means over all cases of these tasks."""
    rng = np.random.default_rng(7)
    own = np.sqrt(world.case**2 + world.method_in_case**2 + world.continuous)
    trained = world.training[method] * rng.normal(size=(4000, 1))
    in_task = world.training_in_task * rng.normal(size=(4000, world.number))
    level = world.level + method * world.shift + offsets(world) + trained + in_task
    chances = expit(level + own * NODES[:, None, None])
    means = np.tensordot(WEIGHTS, chances, 1).mean(1)
    kept = 1 - world.collapse
    variance = kept * (means**2).mean() - (kept * means.mean()) ** 2
    return float(np.sqrt(max(0.0, variance)))


def draw(world: World, counts: Sequence[int], rng: np.random.Generator) -> list[np.ndarray]:
    """For each method its outcomes, shape (trainings, tasks x cases)."""
    shape = (1 if world.shared else world.number, world.cases)
    room = world.case * rng.normal(size=shape)
    found = []
    for method, k in enumerate(counts):
        level = world.level + method * world.shift + offsets(world)[:, None]
        each = (
            level
            + room
            + world.method_in_case * rng.normal(size=shape)
            + world.training[method] * rng.normal(size=(k, 1, 1))
            + world.training_in_task * rng.normal(size=(k, world.number, 1))
        )
        if world.continuous:
            values = expit(each + rng.normal(size=each.shape))
        else:
            values = (rng.random(each.shape) < expit(each)).astype(float)
        values *= rng.random((k, 1, 1)) >= world.collapse
        found.append(values.reshape(k, -1))
    return found


def crossed_cases(world: World) -> tuple[CrossedCases, list[np.ndarray], list[str]]:
    """The cases, their seeds by task, and the families of the tasks."""
    seeds = [np.arange(world.cases) for _ in range(world.number)]
    families = ["one" if world.shared else str(k) for k in range(world.number)]
    clusters = (
        np.tile(np.arange(world.cases), world.number)
        if world.shared
        else np.arange(world.cases * world.number)
    )
    return CrossedCases([world.cases] * world.number, clusters), seeds, families


FIGURES = ("difference", "by trainings alone", "mean", "between trainings", "half-width")


def covered(world: World, numbers: tuple[int, int], runs: int) -> dict[str, float]:
    """Percent in which each figure is covered, and the difference's mean half-width in points.

    By trainings alone: the difference, by Welch's interval of the trainings' means.
    """
    rng = np.random.default_rng(20261130)
    crossed, seeds, families = crossed_cases(world)
    mean, difference = truth(world, 0), truth(world, 1) - truth(world, 0)
    deviation = between(world, 0)
    shape = (runs, world.number)
    pairs, design = np.full(shape, float(world.cases)), np.ones((2, *shape))
    sums, rates = np.empty((3, *shape)), np.empty(shape)
    values, alone = np.empty((2, runs))
    reach, mean_reach = np.empty((2, 2, runs))
    apart = 0
    for run in range(runs):
        base, new = draw(world, numbers, rng)
        rows = new.mean(0) - base, new - base.mean(0)
        changes, shares = crossed.of_tasks(rows[0].mean(0)), crossed.of_tasks(base.mean(0))
        sums[:, run] = [
            [part(each).sum() for each in changes]
            for part in (lambda x: -np.minimum(x, 0), lambda x: np.maximum(x, 0), np.square)
        ]
        rates[run] = [each.mean() for each in shares]
        if world.shared:
            design[0, run] = design_effects(changes, seeds, families, LEAST_SPREAD)
            design[1, run] = design_effects(shares, seeds, families, LEAST_SPREAD)
        spread = spread_of(rows, crossed)
        values[run] = crossed.means(rows[0].mean(0))
        reach[:, run] = spread.distances(0.95)
        alone[run] = dataclasses.replace(spread, cases=0.0).reach(0.95)
        mean_reach[:, run] = spread_of([base], crossed).distances(0.95)
        found = spread_between_trainings(base, crossed)
        assert isinstance(found, Interval)
        apart += found.low - 1e-12 <= deviation <= found.high + 1e-12
    # As difference_of_methods and mean_of_method do it, of all runs at once.
    low, high = paired_bounds(*(each / design[0] for each in (*sums, pairs)))
    low, high = np.minimum(low, values - reach[0]), np.maximum(high, values + reach[1])
    least, most = rate_bounds(rates, pairs / design[1])
    centre = rates.mean(1)
    least = np.minimum(least, centre - mean_reach[0])
    most = np.maximum(most, centre + mean_reach[1])
    return {
        "difference": 100 * np.mean((low <= difference) & (difference <= high)),
        "by trainings alone": 100 * np.mean(np.abs(values - difference) <= alone),
        "mean": 100 * np.mean((least <= mean) & (mean <= most)),
        "between trainings": 100 * apart / runs,
        "half-width": 100 * np.mean(high - low) / 2,
    }


def planned(name: str, runs: int) -> list[float]:
    """Half-widths by 5 trainings of each method, medians in points, as `bench plan` counts them.

    Now; with twice the trainings as said, and as it is; with twice the episodes, the same.
    """
    rng = np.random.default_rng(1)
    world = WORLDS[name]
    wider = dataclasses.replace(world, cases=2 * world.cases)

    def reaches(world: World, number: int, *more: tuple[float, float]) -> list[float]:
        crossed, found = crossed_cases(world)[0], []
        for _ in range(runs):
            base, new = draw(world, (number, number), rng)
            spread = spread_of((new.mean(0) - base, new - base.mean(0)), crossed)
            found.append([spread.reach(0.95, *each) for each in ((1, 1), *more)])
        return [100 * float(each) for each in np.median(found, axis=0)]

    now, trained, played = reaches(world, 5, (2, 1), (1, 2))
    return [now, trained, reaches(world, 10)[0], played, reaches(wider, 5)[0]]


def main() -> None:
    """Print a table for each number of trainings; the arguments are the runs and the numbers.

    In the place of numbers `plan`: that of `planned`.
    """
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    if sys.argv[2:] == ["plan"]:
        for name in WORLDS:
            print(f"| {name} | " + " | ".join(f"{x:.1f}" for x in planned(name, runs)) + " |")
        return
    numbers = sys.argv[2:] or ["2-2", "3-3", "4-4", "5-5", "10-10", "3-10"]
    # Otherwise two trainings have no interval whose coverage could be seen.
    trainings.ENOUGH_TRAININGS = 2
    for number in numbers:
        base, new = map(int, number.split("-"))
        print(f"\n### {base} and {new} trainings\n\n| world | {' | '.join(FIGURES)} |")
        print("|" + "---|" * (1 + len(FIGURES)))
        for name, world in {**WORLDS, **COLLAPSE}.items():
            cells = covered(world, (base, new), runs)
            print(f"| {name} | " + " | ".join(f"{cells[each]:.1f}" for each in FIGURES) + " |",
                  flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
