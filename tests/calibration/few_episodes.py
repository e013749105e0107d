"""Do the intervals on every table cover with one to ten episodes a task?

Wilson's for one task, the score interval for a mean over tasks, beside the exact ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.stats import binom

from harness.stats.intervals import (
    Interval,
    clopper_pearson,
    exact_rate_bounds,
    rate_bounds,
    wilson,
)

__all__ = ["FEW", "few_episodes"]

FEW = [
    "tasks x episodes", "covered", "least", "at", "exact: covered", "least", "wider by",
]  # fmt: skip
"""Percent on average over the rates or the worlds, the least, and where that is."""
RATES = np.linspace(0.001, 0.999, 999)
LEVELS = (0.02, 0.05, 0.1, 0.3, 0.5, 0.8, 0.95, 0.98)


def few_episodes(runs: int, several: Sequence[int] = (2, 10, 20, 50)) -> list[list[str]]:
    """Rows as FEW says. One task is computed, means over `several` tasks are simulated."""
    alone = [_one_task(n) for n in (1, 2, 3, 5, 10, 20, 50)]
    return alone + [_mean(t, n, runs) for t in several for n in (1, 2, 3, 5, 10)]


def _one_task(n: int) -> list[str]:
    chance = binom.pmf(np.arange(n + 1), n, RATES[:, None])
    wide, covered = zip(*(_covered(method, chance, n) for method in (wilson, clopper_pearson)))
    least = f"a rate of {100 * RATES[covered[0].argmin()]:.1f} %"
    return _row(f"1 x {n}", least, *covered, wide[1] / wide[0])


def _covered(
    method: Callable[[int, int], Interval], chance: np.ndarray, n: int
) -> tuple[float, np.ndarray]:
    """(mean width over RATES, the chance that the interval covers each)."""
    low, high = np.array([(each.low, each.high) for each in (method(k, n) for k in range(n + 1))]).T
    inside = (low <= RATES[:, None]) & (RATES[:, None] <= high)
    return float((chance @ (high - low)).mean()), (chance * inside).sum(axis=1)


def worlds(tasks: int) -> Mapping[str, np.ndarray]:
    """Rates of the tasks: alike, spread, and all or nothing."""
    alike = {f"all {100 * rate:g} %": np.full(tasks, rate) for rate in LEVELS}
    some = max(1, tasks // 10)
    return alike | {
        "0 to 100 %": np.linspace(0, 1, tasks),
        "50 to 100 %": np.linspace(0.5, 1, tasks),
        "0 to 30 %": np.linspace(0, 0.3, tasks),
        "most near 0 or 100 %": np.sin(np.pi / 2 * (np.arange(tasks) + 0.5) / tasks) ** 2,
        "half 0, half 100 %": np.repeat([0.0, 1.0], tasks // 2),
        "half 2, half 98 %": np.repeat([0.02, 0.98], tasks // 2),
        "100 %, one in ten 30 %": np.repeat([1.0, 0.3], [tasks - some, some]),
        "0, one task 50 %": np.repeat([0.0, 0.5], [tasks - 1, 1]),
    }


def _mean(tasks: int, n: int, runs: int) -> list[str]:
    names, shares, widths = [], [], []
    for name, rates in worlds(tasks).items():
        drawn = np.random.default_rng(1).binomial(n, rates, size=(runs, tasks)) / n
        # The order of the tasks tells nothing: runs with the same rates are computed once.
        kinds, often = np.unique(np.sort(drawn, axis=1), axis=0, return_counts=True)
        inside, width = [], []
        for bounds in (rate_bounds, exact_rate_bounds):
            low, high = bounds(kinds, np.full(kinds.shape, float(n)))
            near = (low - 1e-9 <= rates.mean()) & (rates.mean() <= high + 1e-9)
            inside.append(often @ near / runs)
            width.append(often @ (high - low) / runs)
        names.append(name)
        shares.append(inside)
        widths.append(width)
    score, exact = np.array(shares).T
    wide = np.array(widths).mean(axis=0)
    return _row(f"{tasks} x {n}", names[int(score.argmin())], score, exact, wide[1] / wide[0])


def _row(size: str, worst: str, covered: np.ndarray, exact: np.ndarray, wider: float) -> list[str]:
    figures = [f"{100 * each:.1f}" for each in (covered.mean(), covered.min())]
    others = [f"{100 * each:.1f}" for each in (exact.mean(), exact.min())]
    return [size, *figures, worst, *others, f"{100 * (wider - 1):.0f}"]
