"""How success depends on precision: rank correlation, and the knee."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Correlation", "Threshold", "knee", "spearman", "standard_error", "threshold"]

DRAWS = 2000
KEPT = 0.95
"""The share of the success without a codec at which a codec counts as good enough."""


@dataclass(frozen=True, kw_only=True)
class Correlation:
    """Spearman's rho with a percentile interval of the bootstrap over episodes."""

    rho: float
    low: float
    high: float
    draws: int
    """Of DRAWS, those in which the variants differ at all: the others have no correlation."""


def spearman(
    values: np.ndarray, successes: Sequence[np.ndarray], level: float = 0.95, seed: int = 0
) -> Correlation | None:
    """Spearman's rho between a value of each variant, (variants,), and its mean success.

    successes: for each task, (variants, episodes), 0 or 1; each task weighs the same. Episodes are
    drawn again within tasks, the same for all variants. None where all variants do equally well.
    """
    means = np.mean([each.mean(axis=1) for each in successes], axis=0)
    ranks = _centred_ranks(values[None])[0]
    (rho,) = _correlations(ranks, means[None])
    if np.isnan(rho):
        return None
    rng = np.random.default_rng(seed)
    drawn = np.zeros((DRAWS, len(values)))
    for each in successes:
        n = each.shape[1]
        weights = rng.multinomial(n, np.full(n, 1 / n), DRAWS)
        drawn += weights @ each.T / (n * len(successes))
    found = _correlations(ranks, drawn.round(12))  # equal means are ties, whatever their rounding
    found = found[~np.isnan(found)]
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Correlation(rho=float(rho), low=float(low), high=float(high), draws=len(found))


def _correlations(ranks: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The correlation of these ranks with those of each row; NaN for a row of equal values."""
    others = _centred_ranks(values)
    lengths = np.sqrt(np.square(ranks).sum() * np.square(others).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: np.ndarray = np.where(lengths > 0, others @ ranks / lengths, np.nan)
    return found


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    ranks = rankdata(values, axis=1)
    centred: np.ndarray = ranks - ranks.mean(axis=1, keepdims=True)
    return centred


def standard_error(differences: Sequence[np.ndarray]) -> float:
    """Of the mean over tasks of their mean difference; the differences of each task, (pairs,).

    A task with a single pair says nothing of its spread and counts as if its two values were as far
    apart as they can be.
    """
    parts = [
        float(np.var(each, ddof=1)) / len(each) if len(each) > 1 else 1.0 for each in differences
    ]
    return float(np.sqrt(np.sum(parts))) / len(parts)


def knee(bits: Sequence[float], losses: Sequence[float], errors: Sequence[float]) -> int | None:
    """The variant with the fewest bits that loses no more than its standard error, or None.

    losses: success without a codec minus success with the variant, by pairs; errors: their standard
    errors. This is the one-standard-error rule (Breiman et al. 1984, section 3.4.3), with the
    comparison without a codec in the place of the best model.
    """
    good = [k for k, (loss, error) in enumerate(zip(losses, errors)) if loss <= error]
    return min(good, key=lambda k: bits[k], default=None)


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """Between which errors success falls below KEPT of what it is without a codec."""

    holds: float | None
    """The largest error up to which every variant holds; None: the smallest fails already."""
    fails: float | None
    """The smallest error of a variant that does not hold; None: all hold."""


def threshold(errors: Sequence[float], rates: Sequence[float], base: float) -> Threshold:
    """Where success falls below KEPT of `base`, over variants in the order of their errors."""
    holds = fails = None
    for error, rate in sorted(zip(errors, rates)):
        if rate < KEPT * base:
            fails = error
            break
        holds = error
    return Threshold(holds=holds, fails=fails)
