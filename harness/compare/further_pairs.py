"""What a number of pairs can find, and how many more would decide.

Normal approximations, with the spread of the differences that were seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from harness.stats import detectable_difference

__all__ = ["Spread", "reach_of", "spread_of"]

POWER = 0.8
MOST_UNEQUAL = 2.0
"""Where a task has more than this many times the pairs of another, nothing is said: the interval
then depends most on the few pairs, for which a normal approximation is too hopeful."""


@dataclass(frozen=True)
class Spread:
    """How two agents differ in the pairs that they played."""

    mean_square: float
    """E[d^2], with half a loss and half a win added: no data proves that agents never differ."""
    pairs: float
    """Independent pairs, as many of each task, that would give the mean the same variance."""
    played: int
    """Independent seeds of all tasks together."""

    def detectable(self, alpha: float) -> float:
        """The smallest mean difference that these pairs find with a power of POWER."""
        return detectable_difference(self.mean_square, self.pairs, POWER, alpha)

    def further_pairs(self, margin: float, reach: float) -> int | None:
        """How many more pairs would decide whatever the true difference is, spread over tasks as
        these are.

        It takes most where that lies halfway between 0 and -margin, as far from a regress as from a
        pass. What these pairs say of it is no guide: where they are inconclusive, the true one is
        as often elsewhere, and as many pairs as their own mean asks for decided 50 to 100 % of the
        time. reach: the distance in standard errors that decides; n pairs have a standard error of
        sqrt(E[d^2] / n). None where a million pairs would not do.
        """
        gap = margin / 2
        needed = math.ceil(reach**2 * self.mean_square / gap**2)
        more = math.ceil((needed - self.pairs) * self.played / self.pairs)
        return max(1, more) if needed < 1_000_000 else None


def spread_of(changes: Sequence[np.ndarray], design: float | np.ndarray) -> Spread | None:
    """changes: for each task its differences, shape (pairs,). design: the design effect of each.

    None without a pair, or where the numbers of pairs are too unequal.
    """
    counts = np.array([len(each) for each in changes], dtype=np.float64)
    if not len(counts) or counts.max() > MOST_UNEQUAL * counts.min():
        return None
    variances = np.broadcast_to(design, counts.shape) / counts
    weights = variances / variances.sum()
    squares = np.array([np.square(each).mean() for each in changes])
    played = int(counts.sum())
    return Spread(
        mean_square=(float(weights @ squares) * played + 1) / (played + 2),
        pairs=float(len(counts) ** 2 / variances.sum()),
        played=played,
    )


def reach_of(alpha: float) -> float:
    """The distance from both limits, in standard errors, at which one is left with POWER.

    The mean is undecided within 1.96 - distance standard errors of the middle (at alpha 0.05).
    """
    normal = NormalDist()
    return normal.inv_cdf(1 - alpha / 2) - normal.inv_cdf(1 - POWER / 2)
