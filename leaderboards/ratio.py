"""The ratio of two paired means of rates: which share of a success rate is retained."""

from __future__ import annotations

import numpy as np

from harness.stats.intervals import rate_bounds

__all__ = ["ratio_of_counts"]


def ratio_of_counts(
    pairs: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    both: np.ndarray,
    level: float = 0.95,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean of perturbed rates divided by that of control rates, each task weighing the same.

    pairs: at least one of each task; before, after, both: in how many of them the control
    succeeded, the perturbed case, and both. All have shape (..., tasks). The ratio and its two
    bounds have shape (...), and are NaN where they do not exist.

    The bounds are recovered from those of the two means (MOVER-R: Donner & Zou 2012, Stat. Methods
    Med. Res. 21:347), with their correlation phi. Let a be the mean of the controls with bounds
    l1 and u1, b that of the perturbed with l2 and u2:

        low  = (A - sqrt(A^2 - l2 (2 b - l2) u1 (2 a - u1))) / (u1 (2 a - u1))
        high = (B + sqrt(B^2 - u2 (2 b - u2) l1 (2 a - l1))) / (l1 (2 a - l1))
        A = a b - phi (b - l2) (u1 - a),    B = a b - phi (u2 - b) (a - l1)

    `low` is at least 0. `high` does not exist where the interval of the controls reaches 0, and
    nothing does where `a` is 0.
    """
    first, second = before / pairs, after / pairs
    a, b = first.mean(axis=-1), second.mean(axis=-1)
    l1, u1 = rate_bounds(first, pairs, level)
    l2, u2 = rate_bounds(second, pairs, level)
    phi = _correlation(pairs, before, after, both)
    low = _root(a * b - phi * (b - l2) * (u1 - a), l2 * (2 * b - l2), u1 * (2 * a - u1), -1)
    high = _root(a * b - phi * (u2 - b) * (a - l1), u2 * (2 * b - u2), l1 * (2 * a - l1), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(a > 0, b / a, np.nan)
    low = np.minimum(np.maximum(np.where(np.isnan(low), 0.0, low), 0.0), ratio)
    return ratio, low, np.maximum(high, ratio)


def _root(part: np.ndarray, after: np.ndarray, before: np.ndarray, sign: int) -> np.ndarray:
    """(part +- sqrt(part^2 - after before)) / before; NaN where `before` is not positive."""
    root = np.sqrt(np.maximum(0.0, part * part - after * before))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(before > 1e-12, (part + sign * root) / before, np.nan)


def _correlation(
    pairs: np.ndarray, before: np.ndarray, after: np.ndarray, both: np.ndarray
) -> np.ndarray:
    """The correlation within tasks, pooled, 0 where one side does not vary; shape (...).

    Half a pair is taken from a positive one: the continuity correction of method 10 for paired
    proportions (Newcombe 1998, Stat. Med. 17:2635).
    """
    shared = (both - before * after / pairs).sum(axis=-1)
    spread = np.sqrt(
        (before * (pairs - before) / pairs).sum(axis=-1)
        * (after * (pairs - after) / pairs).sum(axis=-1)
    )
    corrected = np.where(shared > 0, np.maximum(0.0, shared - 0.5), shared)
    found: np.ndarray = np.where(spread > 0, corrected / np.where(spread > 0, spread, 1), 0.0)
    return found
