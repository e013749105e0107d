"""Tasks of one simulator whose outcomes depend on the room that a seed makes."""

from __future__ import annotations

import numpy as np
from calibration.gates import MARGIN, PASS, REGRESS, bounds, fixed, sequential
from scipy.special import ndtri

from harness.compare.shared_seeds import LEAST_SPREAD, PRIOR
from harness.stats import mean_of_rates

__all__ = ["SHARED", "designs", "draw", "shared_rooms"]

SHARED = [
    "tasks x seeds", "rate", "correlation", "mean of rates", "difference", "as if independent",
    "equal: regress", "sequential", "worse by the margin: pass", "sequential",
]  # fmt: skip
"""Percent: three times covered, then of false verdicts, fixed and sequential."""


def draw(
    rng: np.random.Generator,
    rates: tuple[float, float],
    shape: tuple[int, int, int],
    shared: float,
) -> tuple[np.ndarray, np.ndarray]:
    """1 or 0 of base and new, shape (runs, seeds, tasks).

    A task of an agent succeeds where a normal variable is small; a share `shared` of its variance
    is the agent's own difficulty with the room, half of which it has in common with the other.
    """
    room = rng.normal(size=(3, *shape[:2], 1))
    found = []
    for rate, own in zip(rates, room[1:]):
        difficulty = np.sqrt(0.5) * (room[0] + own)
        value = np.sqrt(shared) * difficulty + np.sqrt(1 - shared) * rng.normal(size=shape)
        found.append((value < ndtri(rate)).astype(float))
    return found[0], found[1]


def designs(values: np.ndarray, least: float = 0.0) -> np.ndarray:
    """harness.stats.design_effect of each run, from values of shape (runs, seeds, tasks)."""
    parts = values - values.mean(axis=1, keepdims=True)
    alone = np.square(parts).sum(axis=(1, 2))
    together = np.square(parts.sum(axis=2)).sum(axis=1)
    spread = np.maximum(alone, least * np.square(values).sum(axis=(1, 2)))
    found: np.ndarray = 1 + np.maximum(0, together - alone) / np.maximum(spread, 1e-12)
    return np.where(alone > 1e-12, found, 1.0)


def _design_of_pairs(base: np.ndarray, new: np.ndarray) -> np.ndarray:
    """harness.compare.shared_seeds.design_of_pairs of each run."""
    differing = np.square(new - base).sum(axis=(1, 2))
    outcomes = np.maximum(designs(base), designs(new))
    changes = designs(new - base, LEAST_SPREAD)
    found: np.ndarray = (differing * changes + PRIOR * outcomes) / (differing + PRIOR)
    return found


def shared_rooms(runs: int) -> list[list[str]]:
    """Rows as SHARED says."""
    rows = []
    for tasks, seeds in ((9, 20), (9, 100), (4, 50)):
        for rate in (0.6, 0.95):
            for shared in (0.0, 0.97):
                shape = (runs, seeds, tasks)
                rng = np.random.default_rng(15)
                base, new = draw(rng, (rate, rate), shape, shared)
                first, worse = draw(rng, (rate, rate - MARGIN), shape, shared)
                equal, lower = _design_of_pairs(base, new), _design_of_pairs(first, worse)
                change, loss = new - base, worse - first
                wrong = [
                    fixed(change, design=equal) == REGRESS,
                    sequential(change, design=designs(base))[0] == REGRESS,
                    fixed(loss, design=lower) == PASS,
                    sequential(loss, design=designs(first))[0] == PASS,
                ]
                covered = [
                    _rates_cover(base[:300], rate),
                    _covers(loss, lower),
                    _covers(loss, 1.0),
                ]
                correlation = np.corrcoef(base[..., 0].ravel(), base[..., 1].ravel())[0, 1]
                rows.append(
                    [f"{tasks} x {seeds}", f"{rate:g}", f"{abs(correlation):.2f}"]
                    + [f"{100 * cell:.1f}" for cell in (*covered, *map(np.mean, wrong))]
                )
    return rows


def _covers(changes: np.ndarray, design: np.ndarray | float) -> float:
    low, high = bounds(changes, design=design)
    return float(np.mean((low <= -MARGIN) & (high >= -MARGIN)))


def _rates_cover(outcomes: np.ndarray, rate: float) -> float:
    inside = 0
    for each, design in zip(outcomes, designs(outcomes).tolist()):
        seeds, tasks = each.shape
        successes = each.sum(axis=0).astype(int).tolist()
        found = mean_of_rates(successes, [seeds] * tasks, design=design)
        inside += found.low <= rate <= found.high
    return inside / len(outcomes)
