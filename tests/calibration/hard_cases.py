"""Where intervals are known to fail: few scores, rare tasks, unequal numbers of pairs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.compare.further_pairs import Spread
from harness.stats import aggregates, iqm, mean_of_drawn, optimality_gap, paired_bounds

__all__ = ["SCORES", "few_scores", "other_tasks", "unequal_numbers"]

SCORES = ["mean", "IQM", "optimality gap"]
SAMPLERS: dict[str, Callable[[np.random.Generator, tuple[int, int]], np.ndarray]] = {
    "normal": lambda rng, shape: rng.normal(1, 0.5, size=shape),
    "exponential": lambda rng, shape: rng.exponential(size=shape),
    "log-normal": lambda rng, shape: rng.lognormal(-0.5, 1, size=shape),
    "0 or 1, 1 in 10": lambda rng, shape: (rng.random(shape) < 0.1) * 10.0,
    "exponential, else 0, 1 in 10": lambda rng, shape: (
        (rng.random(shape) < 0.1) * rng.exponential(10, size=shape)
    ),
    "about 1, lost 1 in 20": lambda rng, shape: np.where(
        rng.random(shape) < 0.05, rng.uniform(-1, 0.5, shape), rng.normal(1, 0.05, shape)
    ),
}
"""Scores with a mean of about 1."""


def few_scores(runs: int) -> list[list[str]]:
    """Rows: the distribution of scores, tasks, episodes, how much the widest task weighs beside the
    narrowest, percent covered by each of SCORES; nothing where fewer than half have bounds."""
    rows = []
    for name, sampler in SAMPLERS.items():
        for tasks, episodes in ((1, 100), (5, 60), (20, 15), (57, 6), (100, 3)):
            for widest in (1.0, 100.0) if tasks > 1 else (1.0,):
                rng = np.random.default_rng(16)
                unit = np.geomspace(1, widest, tasks)
                unit /= unit.mean()
                many = sampler(rng, (1_000_000 // tasks, tasks)) * unit
                truth = [float(many.mean()), float(iqm(many)), float(optimality_gap(many))]
                covered, bounded = np.zeros(3), np.zeros(3)
                for run in range(runs):
                    found = aggregates(
                        sampler(rng, (episodes, tasks)) * unit, repeats=300, seed=run
                    )
                    for k, each in enumerate((found.mean, found.iqm, found.optimality_gap)):
                        if each.low is not None and each.high is not None:
                            bounded[k] += 1
                            covered[k] += each.low <= truth[k] <= each.high
                cells = [
                    f"{100 * c / b:.1f}" if b > runs / 2 else "" for c, b in zip(covered, bounded)
                ]
                rows.append([name, str(tasks), str(episodes), f"{widest:g}", *cells])
    return rows


def other_tasks(runs: int) -> list[list[str]]:
    """Rows: how tasks differ, then percent in which the bounds for other tasks cover their mean."""

    def rare(rng: np.random.Generator, tasks: int) -> np.ndarray:
        return np.where(rng.random(tasks) < 0.05, -0.9, 0.0)

    worlds: dict[str, tuple[Callable[[np.random.Generator, int], np.ndarray], float]] = {
        "all alike": (lambda rng, tasks: np.full(tasks, -0.05), -0.05),
        "spread by 10 points": (lambda rng, tasks: rng.normal(-0.1, 0.1, tasks), -0.1),
        "1 in 20 is lost": (rare, -0.045),
    }
    rows = []
    for name, (gaps_of, true) in worlds.items():
        cells = []
        for tasks in (10, 20, 50):
            rng = np.random.default_rng(17)
            inside = 0
            for _ in range(runs):
                gaps = np.clip(gaps_of(rng, tasks), -0.9, 0.9)
                moved = np.maximum(0.1, np.abs(gaps))
                chances = np.stack([(moved - gaps) / 2, (moved + gaps) / 2, 1 - moved], axis=1)
                counts = rng.multinomial(20, chances)
                means = (counts[:, 1] - counts[:, 0]) / 20
                low, high = (2 * bound - 1 for bound in mean_of_drawn((1 + means) / 2))
                inside += low <= true <= high
            cells.append(f"{100 * inside / runs:.1f}")
        rows.append([name, *cells])
    return rows


def unequal_numbers(runs: int) -> list[list[str]]:
    """Rows: pairs of each task, discordance, the detectable loss in points, percent found."""
    rows = []
    for sizes in ((50, 50, 50, 50, 50), (30, 45, 60), (50, 100), (20, 20, 20, 20, 40)):
        for discordant in (0.1, 0.3):
            counts = np.array(sizes, dtype=np.float64)
            pairs = float(len(sizes) ** 2 / (1 / counts).sum())
            loss = Spread(discordant, pairs, sum(sizes)).detectable(0.05)
            rng = np.random.default_rng(18)
            chances = [(discordant + loss) / 2, (discordant - loss) / 2, 1 - discordant]
            drawn = np.stack([rng.multinomial(n, chances, size=runs) for n in sizes], axis=1)
            losses, wins = drawn[..., 0].astype(float), drawn[..., 1].astype(float)
            _, high = paired_bounds(losses, wins, losses + wins, counts)
            rows.append(
                [
                    ", ".join(map(str, sizes)),
                    f"{100 * discordant:g}",
                    f"{100 * loss:.1f}",
                    f"{100 * np.mean(high < 0):.1f}",
                ]
            )
    return rows
