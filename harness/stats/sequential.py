"""Tests and intervals that hold at every look: stop whenever you like, also because of what was seen.

A bet on values in [0, 1] against a mean m multiplies its stake by 1 + c (value / m - 1), 0 < c <= 1: no way of betting against a true mean makes
more than 1 / a of its stake with a chance above a, whenever it is looked at (Ville 1939). Stakes are spread evenly over FRACTIONS of c
(Waudby-Smith & Ramdas 2024, J. R. Stat. Soc. B 86:1, "betting"; the mixture is Robbins'), so no fraction is ever tuned, and within a round of one value
a task the bet stays the same. Looked at after whole rounds it therefore holds for the mean over tasks as well: for independent tasks the expected
product is the product of 1 + c (m_t / m - 1), at most 1 when the mean of the m_t is at most m (the geometric mean is never above the arithmetic one).
"""

from __future__ import annotations

import math

import numpy as np

from harness.stats.intervals import Interval

__all__ = ["FRACTIONS", "anytime_mean", "anytime_rate", "log_stake", "log_stakes"]

FRACTIONS = np.array([0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0])
STEPS = 40


def log_stake(values: np.ndarray, mean: float | np.ndarray) -> np.ndarray:
    """The logarithm of what a stake of 1 has become after each round of betting that the mean exceeds `mean`; log(1 / a) or more refutes it at level a.

    values: shape (..., rounds, tasks), in [0, 1]; NaN: no bet. mean: a number above 0, or shape (...). The result has shape (..., rounds).
    """
    total: np.ndarray = np.logaddexp.reduce(log_stakes(values, mean), axis=-1) - math.log(
        len(FRACTIONS)
    )
    return total


def log_stakes(values: np.ndarray, mean: float | np.ndarray) -> np.ndarray:
    """As log_stake, by fraction, shape (..., rounds, fractions): each begins with a stake of 1."""
    gain = values / np.asarray(mean)[..., None, None] - 1
    with np.errstate(divide="ignore"):  # a whole stake can be lost
        grown = [
            np.nansum(np.log1p(fraction * gain), axis=-1).cumsum(axis=-1) for fraction in FRACTIONS
        ]
    return np.stack(grown, axis=-1)


def anytime_mean(values: np.ndarray, alpha: float = 0.05) -> tuple[float, float]:
    """Bounds of the mean over tasks of values in [0, 1], shape (rounds, tasks) or (n,): each is wrong with a chance of alpha / 2 at most, at any look.

    Tasks are independent of one another within a round. What an earlier look has refuted stays refuted.
    """
    rounds = np.asarray(values, dtype=np.float64)
    rounds = rounds[:, None] if rounds.ndim == 1 else rounds
    threshold = math.log(2 / alpha)
    return _refuted(rounds, threshold), 1 - _refuted(1 - rounds, threshold)


def _refuted(rounds: np.ndarray, threshold: float) -> float:
    """The largest mean that some look refutes from below: by bisection, as a stake falls where the mean that it bets against rises."""
    near, far = 0.0, 1.0
    for _ in range(STEPS if len(rounds) else 0):
        middle = (near + far) / 2
        near, far = (
            (middle, far) if float(log_stake(rounds, middle).max()) >= threshold else (near, middle)
        )
    return near


def anytime_rate(successes: int, n: int, alpha: float = 0.05, prior: float = 0.5) -> Interval:
    """A rate with bounds that hold at every look: the rates that a Beta(prior, prior) mixture does not refute (Robbins 1970, Ann. Math. Stat. 41:1397).

    With prior 1 it is Robbins' own: the p where (n + 1) C(n, k) p^k (1 - p)^(n - k) > alpha. 1/2 is narrower near 0 and 1. n may be 0: then all is open.
    """
    from scipy.special import betaln

    if n < 0 or not 0 <= successes <= n:
        raise ValueError("needs 0 <= successes <= n")
    if n == 0:
        return Interval(0.5, 0.0, 1.0)
    evidence = float(
        betaln(successes + prior, n - successes + prior) - betaln(prior, prior)
    ) - math.log(1 / alpha)
    rate = successes / n

    def refuted(p: float) -> bool:
        chance = (successes * math.log(p) if successes else 0.0) + (
            (n - successes) * math.log1p(-p) if n > successes else 0.0
        )
        return evidence >= chance

    bounds = []
    for end in (0.0, 1.0):
        if rate == end:
            bounds.append(end)
            continue
        out, inside = end, rate
        for _ in range(STEPS):
            middle = (out + inside) / 2
            out, inside = (middle, inside) if refuted(middle) else (out, middle)
        bounds.append(out)
    return Interval(rate, *bounds)
