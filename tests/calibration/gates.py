"""The gates of harness.compare for many runs at once, as arrays with a verdict for each run.

`tests/harness/stats/test_sequential.py` compares them with the gates themselves. Differences have
shape (runs, episodes, tasks).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import bdtr

from harness.compare.sequential_gate import patience
from harness.stats import paired_bounds
from harness.stats.sequential import FRACTIONS, log_stakes

__all__ = [
    "ALPHA", "MARGIN", "OPEN", "PASS", "REGRESS", "TESTS", "bounds", "fixed", "looks",
    "sequential", "total", "worse_after_holm",
]  # fmt: skip

MARGIN, ALPHA = 0.05, 0.05
REGRESS, OPEN, PASS = -1, 0, 1


def bounds(
    d: np.ndarray, alpha: float = ALPHA, design: np.ndarray | float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """The gate's interval from differences of shape (runs, episodes, tasks)."""
    scale = np.broadcast_to(design, len(d))[:, None]
    losses, wins = (d < 0).sum(axis=1) / scale, (d > 0).sum(axis=1) / scale
    pairs = np.full(losses.shape, float(d.shape[1])) / scale
    return paired_bounds(losses, wins, losses + wins, pairs, 1 - alpha)


def worse_after_holm(d: np.ndarray, alpha: float = ALPHA) -> np.ndarray:
    """Whether any task is significantly worse, shape (runs,): exact McNemar, Holm."""
    losses, wins = (d < 0).sum(axis=1), (d > 0).sum(axis=1)
    p = np.minimum(1, 2 * bdtr(np.minimum(losses, wins).astype(float), losses + wins, 0.5))
    p[losses + wins == 0] = 1
    order = np.argsort(p, axis=1, kind="stable")
    sizes = np.arange(p.shape[1], 0, -1)
    adjusted = np.maximum.accumulate(
        np.minimum(1, np.take_along_axis(p, order, axis=1) * sizes), axis=1
    )
    return ((adjusted <= alpha) & np.take_along_axis(losses > wins, order, axis=1)).any(axis=1)


def fixed(
    d: np.ndarray,
    margin: float = MARGIN,
    alpha: float = ALPHA,
    design: np.ndarray | float = 1.0,
) -> np.ndarray:
    """The verdict of the fixed-n gate, shape (runs,). design: of each run, or of all."""
    low, high = bounds(d, alpha, design)
    worse = worse_after_holm(d, alpha)
    return np.where(
        worse, REGRESS, np.where(low > -margin, PASS, np.where(high < 0, REGRESS, OPEN))
    )


def sequential(
    d: np.ndarray,
    margin: float = MARGIN,
    alpha: float = ALPHA,
    *,
    shared: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """The verdict of the sequential gate and the rounds that it took, both of shape (runs,).

    The rules are those of harness.compare.sequential_gate.SequentialTest. shared: whether all tasks
    are one family, else each has streams of its own.
    """
    runs, rounds, tasks = d.shape
    values = (1.0 + d) / 2
    found, taken = np.full(runs, OPEN), np.full(runs, rounds)
    block = max(1, 2_000_000 // (rounds * tasks))
    for start in range(0, runs, block):
        part = slice(start, start + block)
        v = values[part]
        own_rounds = v.mean(axis=2, keepdims=True) if shared else v
        passing, losing = (
            np.maximum.accumulate(total(log_stakes(side, np.full(len(v), mean))), axis=1)
            for side, mean in ((own_rounds, (1 - margin) / 2), (1 - own_rounds, 0.5))
        )
        by_task = np.moveaxis(1 - v, 2, 1).reshape(-1, rounds, 1)
        own = total(log_stakes(by_task, np.full(len(by_task), 0.5))).reshape(len(v), tasks, rounds)
        worse = np.maximum.accumulate(own, axis=2).max(axis=1) >= np.log(2 * tasks / alpha)
        waits = (own >= np.log(1 / alpha)).any(axis=1) | (
            np.arange(1, rounds + 1) < patience(tasks, alpha)
        )
        waits[:, -1] = False
        passes = passing >= np.log(2 / alpha)
        ends = np.where(
            worse,
            REGRESS,
            np.where(
                passes,
                np.where(waits, OPEN, PASS),
                np.where(losing >= np.log(2 / alpha), REGRESS, OPEN),
            ),
        )
        first = np.where((ends != OPEN).any(axis=1), (ends != OPEN).argmax(axis=1), rounds - 1)
        found[part], taken[part] = ends[np.arange(len(v)), first], first + 1
    return found, taken


def total(stakes: np.ndarray) -> np.ndarray:
    return np.logaddexp.reduce(stakes, axis=-1) - np.log(len(FRACTIONS))


def looks(
    d: np.ndarray, count: int, *, corrected: bool, margin: float = MARGIN, alpha: float = ALPHA
) -> tuple[np.ndarray, np.ndarray]:
    """The fixed-n test at `count` evenly spaced looks; returns as `sequential` does.

    Each look is at alpha / count where `corrected` (Bonferroni), else at alpha.
    """
    runs, rounds, _ = d.shape
    found, taken = np.full(runs, OPEN), np.full(runs, rounds)
    for look in range(1, count + 1):
        until = rounds * look // count
        verdict = fixed(d[:, :until], margin, alpha / count if corrected else alpha)
        fresh = (found == OPEN) & (verdict != OPEN)
        found[fresh], taken[fresh] = verdict[fresh], until
    return found, taken


TESTS: dict[str, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]] = {
    "fixed n": lambda d: (fixed(d), np.full(len(d), d.shape[1])),
    "sequential": sequential,
    "5 looks, Bonferroni": lambda d: looks(d, 5, corrected=True),
    "10 looks, uncorrected": lambda d: looks(d, 10, corrected=False),
}
