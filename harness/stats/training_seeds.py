"""A difference between two ways to train, of which several training seeds were trained.

Each training seed is a pair of agents that play the same episodes, and no other seed plays these.
So the differences of the seeds are independent of one another: a t interval over them speaks of
other training seeds and of other episodes alike, and of these tasks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.stats.intervals import Interval
from harness.stats.paired import paired_difference

__all__ = ["BOOTSTRAP_SEEDS", "detectable_over_seeds", "seed_bootstrap", "seed_interval"]

BOOTSTRAP_SEEDS = 20
"""Training seeds from which seed_bootstrap covers: tests/calibration/training_seeds.py."""
REPEATS = 2000
Differences = Sequence[Sequence[np.ndarray]]
"""For each training seed, for each task, the paired differences, shape (pairs,), in [-1, 1]."""


def seed_interval(
    differences: Differences,
    level: float = 0.95,
    designs: Sequence[np.ndarray] | None = None,
) -> Interval:
    """The mean over training seeds of the mean over tasks of the mean difference.

    With n seeds and the standard deviation s of their means m_k it is

        mean(m) -+ t(n - 1) s / sqrt(n)

    and it reaches at least as far on both sides as paired_difference of all episodes, as if all
    seeds had trained the same agent. Without that, seeds that agree by chance, all at 100 % for
    example, would have no interval at all. designs: for each seed what paired_difference takes.

    Raises ValueError for fewer than two seeds, and for a task without a pair.
    """
    from scipy.special import stdtrit

    means = _means(differences)
    count = len(means)
    if count < 2:
        raise ValueError("an interval over training seeds needs two of them at least")
    reach = float(stdtrit(count - 1, 0.5 + level / 2)) * means.std(ddof=1) / math.sqrt(count)
    tasks = [each for seed in differences for each in seed]
    design = 1.0 if designs is None else np.concatenate(designs)
    episodes = paired_difference(tasks, level, design)
    middle = float(means.mean())
    return Interval(
        middle,
        max(-1.0, min(middle - reach, episodes.low)),
        min(1.0, max(middle + reach, episodes.high)),
    )


def seed_bootstrap(differences: Differences, level: float = 0.95, seed: int = 0) -> Interval | None:
    """As seed_interval, by drawing training seeds and, within each, episodes of every task.

    None below BOOTSTRAP_SEEDS training seeds, where it does not cover: few seeds drawn from few
    vary too little.
    """
    if len(differences) < BOOTSTRAP_SEEDS:
        return None
    return bootstrap_bounds(differences, level, seed)


def bootstrap_bounds(differences: Differences, level: float, seed: int) -> Interval:
    """seed_bootstrap for any number of training seeds."""
    rng = np.random.default_rng(seed)
    count = len(differences)
    # (repeats, seeds): the mean of a seed whose episodes are drawn again.
    drawn = np.stack(
        [
            np.mean(
                [
                    each[rng.integers(len(each), size=(REPEATS, len(each)))].mean(axis=1)
                    for each in tasks
                ],
                axis=0,
            )
            for tasks in differences
        ],
        axis=1,
    )
    chosen = rng.integers(count, size=(REPEATS, count))
    means = np.take_along_axis(drawn, chosen, axis=1).mean(axis=1)
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(_means(differences).mean()), float(low), float(high))


def detectable_over_seeds(
    found: Interval, seeds: int, power: float = 0.8, alpha: float = 0.05
) -> float:
    """The smallest true difference that as many seeds and episodes find with this power.

    found: a seed_interval at the level 1 - alpha, whose mean half-width over t(n - 1) counts as the
    standard error. The noncentral t distribution gives the power of the t test. At most 1.0, where
    no smaller one is found.
    """
    from scipy.optimize import brentq
    from scipy.special import nctdtr, stdtrit

    freedom = seeds - 1
    limit = float(stdtrit(freedom, 1 - alpha / 2))
    error = (found.high - found.low) / 2 / limit

    def missing(shift: float) -> float:
        return float(1 - nctdtr(freedom, shift, limit)) - power

    return min(1.0, error * float(brentq(missing, 0.0, 20 * limit)))


def _means(differences: Differences) -> np.ndarray:
    """The mean over tasks of the mean difference, shape (seeds,)."""
    return np.array([np.mean([each.mean() for each in tasks]) for tasks in differences])
