"""The figures of perturbed runs: what conditions, controls and tasks share in a room."""

from __future__ import annotations

import numpy as np
from calibration.shared_rooms import SHARES, designs, draw

from harness.stats import paired_bounds
from harness.stats.intervals import rate_bounds
from leaderboards.ratio import ratio_of_counts

__all__ = ["FIGURES", "perturbed"]

FIGURES = ["rate", "drop", "retention", "recovery", "interaction, difference in differences"]
CONDITIONS = {"0.95": (0.95, 0.85, 0.9, 0.8), "0.6": (0.6, 0.4, 0.5, 0.35)}
"""Success rates: of the controls, under a perturbation, under another one, and under both."""


def perturbed(runs: int) -> list[list[str]]:
    """Rows: tasks x seeds, the controls' rate, the room's share, percent covered of FIGURES."""
    rows = []
    for tasks, seeds in ((1, 50), (9, 10), (9, 20), (9, 100)):
        for name, rates in CONDITIONS.items():
            for shared in SHARES if tasks > 1 else SHARES[:1]:
                rng = np.random.default_rng(19)
                many = draw(rng, rates[:2], (1, 200_000, 2), shared)
                recovered = float((many[0] * many[1]).mean() / many[0].mean())
                found = draw(rng, rates, (runs, seeds, tasks), shared)
                truth = (
                    rates[1],
                    rates[1] - rates[0],
                    rates[1] / rates[0],
                    recovered,
                    rates[3] - rates[2] - rates[1] + rates[0],
                )
                cells = [
                    100 * np.mean((low <= true) & (true <= np.where(np.isnan(high), np.inf, high)))
                    for (low, high), true in zip(_bounds(*found), truth)
                ]
                rows.append(
                    [f"{tasks} x {seeds}", name, f"{shared:g}"] + [f"{cell:.1f}" for cell in cells]
                )
    return rows


def _bounds(
    none: np.ndarray, one: np.ndarray, other: np.ndarray, both: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The bounds of FIGURES, each of shape (runs,)."""
    runs, seeds, tasks = none.shape
    pairs = np.full((runs, tasks), float(seeds))
    of_rate, change = _scale(one), one - none
    rate = rate_bounds(one.mean(axis=1), pairs / of_rate)
    drop = _paired(change, 1.0)
    largest = np.max([_scale(none), of_rate, _scale(change)], axis=0)
    counts = [each.sum(axis=1) / largest for each in (none, one, none * one)]
    _, *retention = ratio_of_counts(pairs / largest, *counts)
    return [
        rate,
        drop,
        (retention[0], retention[1]),
        _recovery(none, one),
        _paired(both - other - one + none, 2.0),
    ]


def _scale(values: np.ndarray) -> np.ndarray:
    """The design effects, shape (runs, 1)."""
    return (designs(values) if values.shape[2] > 1 else np.ones(len(values)))[:, None]


def _paired(values: np.ndarray, unit: float) -> tuple[np.ndarray, np.ndarray]:
    d, scale = values / unit, _scale(values)
    sums = np.maximum(-d, 0), np.maximum(d, 0), np.square(d), np.ones(d.shape)
    low, high = paired_bounds(*(each.sum(axis=1) / scale for each in sums))
    return unit * low, unit * high


def _recovery(none: np.ndarray, one: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As leaderboards.shared_seeds.pooled_design: each case weighs the same, rooms are clusters."""
    cases = none.sum(axis=(1, 2))
    won = (none * one).sum(axis=(1, 2))
    rate = won / cases
    residual = none * (one - rate[:, None, None])
    own = np.square(residual).sum(axis=2)
    alone, sizes = own.sum(axis=1), none.sum(axis=2)
    most = np.square(sizes).sum(axis=1) / cases
    varies = alone > 1e-12
    together = np.square(residual.sum(axis=2)).sum(axis=1)
    found = 1 + np.maximum(0, together - alone) / np.where(varies, alone, 1)
    known = np.where(varies, alone**2 / np.where(varies, np.square(own).sum(axis=1), 1), 0)
    design = (known * found + most) / (known + 1) if none.shape[2] > 1 else 1.0
    return rate_bounds(rate[:, None], (cases / design)[:, None])
