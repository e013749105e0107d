"""Tests and intervals that are valid at every look.

A run may stop at any time, also because of what was seen so far.

A bet that values v in [0, 1] have a mean above m multiplies its stake by 1 + c (v / m - 1) for each
value, 0 < c <= 1. If their true mean is at most m, the stake is a non-negative supermartingale, and
the chance that it ever reaches 1 / a times its start is at most a (Ville 1939). So a stake of 1 / a
refutes m at level a, whenever it is looked at.

The stake is spread evenly over the fractions c of FRACTIONS, so that no fraction has to be tuned
(betting: Waudby-Smith & Ramdas 2024, J. R. Stat. Soc. B 86:1; the mixture: Robbins 1970).

Several tasks are played in rounds of one value each, and looked at after whole rounds. Within a
round all bets use the same c. The expected growth of a round is then the product over tasks of
1 + c (m_t / m - 1), for independent tasks. As a geometric mean is never above the arithmetic one,
it is at most 1 where the mean of the m_t is at most m: the test holds for the mean over tasks.

Tasks that share the randomness of a round are not independent. Then the logarithm of what a round
grows by is divided by their design effect (harness.stats.clusters). Where that is the number of
tasks, the growth is a geometric mean of theirs, so it is at most the arithmetic one, whatever the
dependence. In between it is an approximation.
"""

from __future__ import annotations

import math

import numpy as np

from harness.stats.intervals import Interval

__all__ = [
    "FRACTIONS",
    "anytime_mean",
    "anytime_rate",
    "log_stake",
    "log_stakes",
    "mean_of_drawn",
]

FRACTIONS = np.array([0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0])
"""The shares c of the stake that are bet, each with an equal part of the stake."""
STEPS = 40
"""Bisections of a bound in [0, 1]: its error is below 1e-12."""


def log_stake(values: np.ndarray, mean: float | np.ndarray, design: float = 1.0) -> np.ndarray:
    """The logarithm of a stake of 1 after each round of betting that the mean exceeds `mean`.

    values: shape (..., rounds, tasks), in [0, 1]; NaN means no bet. mean: above 0, a number or of
    shape (...). design: the design effect of the tasks of a round. The result has shape
    (..., rounds). log(1 / a) or more refutes `mean` at level a.
    """
    stakes = log_stakes(values, mean) / design
    total: np.ndarray = np.logaddexp.reduce(stakes, axis=-1) - math.log(len(FRACTIONS))
    return total


def log_stakes(values: np.ndarray, mean: float | np.ndarray) -> np.ndarray:
    """As log_stake, for each of FRACTIONS alone: shape (..., rounds, fractions)."""
    gain = values / np.asarray(mean)[..., None, None] - 1
    with np.errstate(divide="ignore"):  # at c = 1 the whole stake can be lost: log 0
        grown = [
            np.nansum(np.log1p(fraction * gain), axis=-1).cumsum(axis=-1) for fraction in FRACTIONS
        ]
    return np.stack(grown, axis=-1)


def anytime_mean(
    values: np.ndarray, alpha: float = 0.05, design: float = 1.0
) -> tuple[float, float]:
    """Bounds (low, high) of a mean over tasks that hold at every look.

    values: in [0, 1], shape (rounds, tasks), or (n,) for one task. Within a round, tasks are
    independent of one another, or have this design effect. Each bound is ever wrong with a chance
    of at most alpha / 2; a mean that an earlier look refuted stays refuted.
    """
    rounds = np.asarray(values, dtype=np.float64)
    rounds = rounds[:, None] if rounds.ndim == 1 else rounds
    threshold = math.log(2 / alpha)
    return _refuted(rounds, threshold, design), 1 - _refuted(1 - rounds, threshold, design)


def _refuted(rounds: np.ndarray, threshold: float, design: float) -> float:
    """The largest mean that some look refutes from below.

    By bisection: a stake is the smaller, the larger the mean that it bets against.
    """
    near, far = 0.0, 1.0
    for _ in range(STEPS if len(rounds) else 0):
        middle = (near + far) / 2
        refuted = float(log_stake(rounds, middle, design).max()) >= threshold
        near, far = (middle, far) if refuted else (near, middle)
    return near


def mean_of_drawn(
    values: np.ndarray, level: float = 0.95, design: float = 1.0
) -> tuple[float, float]:
    """Bounds (low, high) of the mean that independent values in [0, 1] are drawn from, shape (n,).

    They hold for every distribution in [0, 1], also where a rare value that was not drawn matters
    (bets: Waudby-Smith & Ramdas 2024). A bootstrap of 10 to 20 values does not know of such values:
    its interval covered 41 to 68 % where one in twenty is lost altogether. The values are bet on
    together, so their order does not matter. design: their design effect.
    """
    threshold = math.log(2 / (1 - level))
    drawn = np.asarray(values, dtype=np.float64)[None, :]
    return _refuted(drawn, threshold, design), 1 - _refuted(1 - drawn, threshold, design)


def anytime_rate(successes: int, n: int, alpha: float = 0.05, prior: float = 0.5) -> Interval:
    """A rate with bounds that hold at every look.

    They enclose the rates p that a Beta(prior, prior) mixture does not refute (Robbins 1970, Ann.
    Math. Stat. 41:1397), with B the beta function and k successes:

        B(k + prior, n - k + prior) / B(prior, prior) < p^k (1 - p)^(n - k) / alpha

    With prior 1 these are the p where (n + 1) C(n, k) p^k (1 - p)^(n - k) > alpha, as in Robbins;
    1/2 is narrower near 0 and 1. Without an episode the interval is [0, 1], its value 0.5. Raises
    ValueError unless 0 <= successes <= n.
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
