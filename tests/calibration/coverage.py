"""How often the intervals of independent cases cover the truth: rates, means, differences.

Rows: what, in which world, percent covered on average over its rates, and the least of these.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from calibration.gates import ALPHA, bounds, total
from calibration.worlds import WORLDS, World, lowered

from harness.stats import (
    anytime_rate,
    clopper_pearson,
    mean_of_rates,
    newcombe,
    paired_bounds,
    wilson,
)
from harness.stats.sequential import log_stakes

__all__ = ["coverage"]


def coverage(runs: int) -> list[list[str]]:
    """Rows: what, nominal, covered on average over rates, the least."""
    rows = []
    rates = (0.01, 0.02, 0.05, 0.1, 0.3, 0.5, 0.8, 0.95, 0.99)
    rng = np.random.default_rng(2)
    for name, method in (("Wilson, n = 50", wilson), ("Clopper-Pearson, n = 50", clopper_pearson)):
        table = [method(k, 50) for k in range(51)]
        shares = [_inside(table, rng.binomial(50, p, runs), p) for p in rates]
        rows.append([name, "rates 0.01 to 0.99", *_mean_and_least(shares)])
    for name, (base, n) in WORLDS.items():
        counts = rng.binomial(n, base, size=(runs, len(base)))
        found = [mean_of_rates(row.tolist(), [n] * len(base)) for row in counts]
        rows.append(
            [
                "mean of rates",
                name,
                *_mean_and_least([np.mean([i.low <= base.mean() <= i.high for i in found])]),
            ]
        )
    shares = []
    for p in rates:
        draws = rng.binomial(50, (p, min(1, p + 0.01)), size=(runs, 2))
        found = {
            tuple(row): newcombe(tuple(row), (50, 50)) for row in np.unique(draws, axis=0).tolist()
        }
        gap = min(1, p + 0.01) - p
        shares.append(
            np.mean(
                [found[tuple(row)].low <= gap <= found[tuple(row)].high for row in draws.tolist()]
            )
        )
    rows.append(["Newcombe, unpaired, 50 and 50", "rates 0.01 to 0.99", *_mean_and_least(shares)])
    for name, (base, n) in WORLDS.items():
        shares = []
        for loss in (0.0, 0.05, 0.2):
            for common in (0.0, 0.8):
                world = World(name, base, lowered(base, loss), n, common)
                low, high = bounds(world.draw(runs, seed=3))
                shares.append(np.mean((low <= world.difference) & (world.difference <= high)))
        rows.append(["paired difference", name, *_mean_and_least(shares)])
    sizes = np.array([5.0, 10.0, 20.0, 50.0, 100.0])
    for common in (0.0, 0.8):
        world = World(
            "",
            np.array([0.2, 0.5, 0.9, 0.98, 0.6]),
            np.array([0.2, 0.45, 0.9, 0.9, 0.6]),
            100,
            common,
        )
        d = world.draw(runs, seed=4)
        kept = np.arange(100)[:, None] < sizes
        losses, wins = (
            ((d < 0) & kept).sum(axis=1).astype(float),
            ((d > 0) & kept).sum(axis=1).astype(float),
        )
        low, high = paired_bounds(losses, wins, losses + wins, sizes)
        share = np.mean((low <= world.difference) & (world.difference <= high))
        rows.append(
            [
                "paired difference",
                f"5 tasks of 5 to 100 episodes, shared randomness {common:g}",
                *_mean_and_least([share]),
            ]
        )
    rows += _score_rows(runs) + _sign_rows(runs) + _anytime_rows(runs)
    return rows


def _score_rows(runs: int) -> list[list[str]]:
    """Scores in [0, 1]: most cases move a little, a few a lot."""
    rng = np.random.default_rng(5)
    rows = []
    for name, n, share in (
        ("scores that move by 0.1, 50 episodes", 50, 0.0),
        ("the same, 1 in 20 lost altogether", 50, 0.05),
    ):
        d = np.clip(rng.normal(0, 0.1, size=(runs, n, 5)), -1, 1)
        d = np.where(rng.random(d.shape) < share, -0.9, d)
        true = -0.9 * share
        sums = (
            (-np.minimum(d, 0)).sum(axis=1),
            np.maximum(d, 0).sum(axis=1),
            np.square(d).sum(axis=1),
        )
        low, high = paired_bounds(*sums, np.full(5, float(n)))
        rows.append(
            [
                "paired difference",
                f"5 tasks, {name}",
                *_mean_and_least([np.mean((low <= true) & (true <= high))]),
            ]
        )
    return rows


def _sign_rows(runs: int) -> list[list[str]]:
    """The probability of improvement, from few pairs on, most of them ties."""
    rng = np.random.default_rng(6)
    rows = []
    for tasks, n in ((1, 5), (1, 20), (10, 3), (10, 20)):
        shares = []
        for lost, won in ((0.5, 0.5), (0.9, 0.1), (0.02, 0.02), (0.1, 0.02)):
            counts = rng.multinomial(n, [lost, won, max(0.0, 1 - lost - won)], size=(runs, tasks))
            losses, wins = counts[..., 0].astype(float), counts[..., 1].astype(float)
            low, high = paired_bounds(losses, wins, losses + wins, np.full(tasks, float(n)))
            shares.append(np.mean((low <= won - lost) & (won - lost <= high)))
        world = f"{tasks} x {n} pairs, of which 4 to 100 % are no ties"
        rows.append(["probability of improvement", world, *_mean_and_least(shares)])
    return rows


def _anytime_rows(runs: int) -> list[list[str]]:
    """Covered at every one of 200 looks, and by the mean's bounds after every round."""
    rng = np.random.default_rng(7)
    shares = []
    for p in (0.02, 0.1, 0.5, 0.9, 0.98):
        counts = (rng.random((runs, 200)) < p).cumsum(axis=1)
        inside = np.ones(runs, dtype=bool)
        for n in range(1, 201):
            table = {k: anytime_rate(k, n) for k in np.unique(counts[:, n - 1]).tolist()}
            inside &= np.array(
                [table[k].low <= p <= table[k].high for k in counts[:, n - 1].tolist()]
            )
        shares.append(inside.mean())
    rows = [["rate, at each of 200 looks", "rates 0.02 to 0.98", *_mean_and_least(shares)]]
    for name, (base, n) in WORLDS.items():
        world = World(name, base, lowered(base, 0.1), n)
        v = (1.0 + world.draw(runs, seed=8)) / 2
        mean = (1 + world.difference) / 2
        refuted = [
            (total(log_stakes(side, np.full(runs, m))) >= np.log(2 / ALPHA)).any(axis=1)
            for side, m in ((v, mean), (1 - v, 1 - mean))
        ]
        rows.append(
            [
                "paired difference, at every look",
                name,
                *_mean_and_least([1 - np.mean(refuted[0] | refuted[1])]),
            ]
        )
    return rows


def _inside(table: Sequence[object], counts: np.ndarray, p: float) -> float:
    inside = np.array([i.low <= p <= i.high for i in table])  # type: ignore[attr-defined]
    return float(inside[counts].mean())


def _mean_and_least(shares: Sequence[float]) -> list[str]:
    return [f"{100 * np.mean(shares):.1f}", f"{100 * min(shares):.1f}"]
