"""Tasks of one simulator whose outcomes depend on the room that a seed makes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from calibration.gates import MARGIN, PASS, REGRESS, bounds, fixed, sequential
from scipy.special import ndtri

from harness.compare.shared_seeds import LEAST_SPREAD
from harness.stats.intervals import rate_bounds

__all__ = ["RATES", "SHARED", "SHARES", "designs", "draw", "mean_rates", "shared_rooms"]

SHARED = [
    "tasks x seeds", "rates", "correlation", "difference", "as if independent", "width",
    "equal: regress", "sequential", "worse by the margin: pass", "sequential",
]  # fmt: skip
"""Percent: twice covered, and the width beside that of independent tasks; then false verdicts,
fixed and sequential."""
RATES = [
    "tasks x seeds", "rate", *(f"{head} {share}" for share in ("0", "0.5", "0.97")
    for head in ("covered", "width")),
]  # fmt: skip
SHARES = (0.0, 0.5, 0.97)
"""How much of the variance is that of the room."""


def draw(
    rng: np.random.Generator,
    rates: Sequence[float],
    shape: tuple[int, int, int],
    shared: float,
) -> list[np.ndarray]:
    """For each rate, as of another agent or condition, 1 or 0 of shape (runs, seeds, tasks).

    A task succeeds where a normal variable is small; a share `shared` of its variance is the
    agent's own difficulty with the room, half of which all agents have in common.
    """
    room = rng.normal(size=(1 + len(rates), *shape[:2], 1))
    found = []
    for rate, own in zip(rates, room[1:]):
        difficulty = np.sqrt(0.5) * (room[0] + own)
        value = np.sqrt(shared) * difficulty + np.sqrt(1 - shared) * rng.normal(size=shape)
        found.append((value < ndtri(rate)).astype(float))
    return found


def designs(values: np.ndarray, least: float = 0.0) -> np.ndarray:
    """harness.stats.design_effect of each run, from values of shape (runs, seeds, tasks)."""
    tasks = values.shape[2]
    parts = values - values.mean(axis=1, keepdims=True)
    own = np.square(parts).sum(axis=2)
    alone, together = own.sum(axis=1), np.square(parts.sum(axis=2)).sum(axis=1)
    spread = np.maximum(alone, least * np.square(values).sum(axis=(1, 2)))
    varies = alone > 1e-12
    found = 1 + np.maximum(0, together - alone) / np.where(varies, spread, 1)
    known = np.where(varies, alone**2 / np.where(varies, np.square(own).sum(axis=1), 1), 0)
    result: np.ndarray = (known * found + tasks) / (known + 1)
    return result


def mean_rates(runs: int) -> list[list[str]]:
    """Rows: tasks x seeds, rate, then percent covered and the width for each of SHARES."""
    rows = []
    for tasks, seeds in ((2, 50), (9, 10), (9, 20), (9, 100), (20, 20)):
        for rate in (0.6, 0.95, 0.99):
            cells = []
            for shared in SHARES:
                (won,) = draw(np.random.default_rng(15), (rate,), (runs, seeds, tasks), shared)
                counts = np.full((runs, tasks), float(seeds)) / designs(won)[:, None]
                low, high = rate_bounds(won.mean(axis=1), counts)
                cells += [
                    f"{100 * np.mean((low <= rate) & (rate <= high)):.1f}",
                    f"{100 * np.mean(high - low):.1f}",
                ]
            rows.append([f"{tasks} x {seeds}", f"{rate:g}", *cells])
    return rows


def shared_rooms(runs: int) -> list[list[str]]:
    """Rows as SHARED says."""
    rows = []
    for tasks, seeds in ((2, 50), (9, 20), (9, 100), (20, 20)):
        for rate in (0.6, 0.95, 1.0):
            for shared in SHARES:
                rng, shape = np.random.default_rng(15), (runs, seeds, tasks)
                base, new = draw(rng, (rate, rate), shape, shared)
                first, worse = draw(rng, (rate, rate - MARGIN), shape, shared)
                change, loss = new - base, worse - first
                equal, lower = designs(change, LEAST_SPREAD), designs(loss, LEAST_SPREAD)
                wrong = [
                    fixed(change, design=equal) == REGRESS,
                    sequential(change, shared=True)[0] == REGRESS,
                    fixed(loss, design=lower) == PASS,
                    sequential(loss, shared=True)[0] == PASS,
                ]
                low, high = bounds(loss, design=lower)
                alone = bounds(loss)
                correlation = _correlation(worse)
                cells = [
                    100 * np.mean((low <= -MARGIN) & (high >= -MARGIN)),
                    100 * np.mean((alone[0] <= -MARGIN) & (alone[1] >= -MARGIN)),
                ]
                rows.append(
                    [f"{tasks} x {seeds}", f"{rate:g}", f"{correlation:.2f}"]
                    + [f"{cell:.1f}" for cell in cells]
                    + [f"{np.mean(high - low) / np.mean(alone[1] - alone[0]):.2f}"]
                    + [f"{100 * np.mean(cell):.1f}" for cell in wrong]
                )
    return rows


def _correlation(outcomes: np.ndarray) -> float:
    """Of the outcomes of two tasks in one room."""
    return abs(float(np.corrcoef(outcomes[..., 0].ravel(), outcomes[..., 1].ravel())[0, 1]))
