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

Tasks that share the randomness of a round are not independent: it may be one and the same failure
that all of them show. Their mean is one value of the round then, whatever they share. A family f of
T_f such tasks counts with the power T_f / T of its growth, where T is the number of tasks in the
largest family. By Jensen and the inequality of weighted means, the expected growth is again at most
1 where the mean over all tasks is at most m.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np

from harness.stats.intervals import Interval

__all__ = [
    "FRACTIONS",
    "anytime_mean",
    "anytime_rate",
    "by_family",
    "log_stake",
    "log_stakes",
    "mean_of_drawn",
]

FRACTIONS = np.array([0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0])
"""The shares c of the stake that are bet, each with an equal part of the stake."""
STEPS = 40
"""Bisections of a bound in [0, 1]: its error is below 1e-12."""


def by_family(values: np.ndarray, families: Sequence[Hashable]) -> tuple[np.ndarray, np.ndarray]:
    """(the mean of each family of tasks in each round, their weights as log_stakes takes them).

    values: shape (..., tasks). families: for each task, equal where values of one round may depend
    on one another. The results have shapes (..., families) and (families,).
    """
    _, where = np.unique([list(families).index(each) for each in families], return_inverse=True)
    sizes = np.bincount(where)
    parts = [values[..., where == family].mean(axis=-1) for family in range(len(sizes))]
    return np.stack(parts, axis=-1), sizes / sizes.max()


def log_stake(
    values: np.ndarray, mean: float | np.ndarray, weights: float | np.ndarray = 1.0
) -> np.ndarray:
    """The logarithm of a stake of 1 after each round of betting that the mean exceeds `mean`.

    values: shape (..., rounds, tasks), in [0, 1]. mean: above 0, a number or of shape (...).
    weights: the powers of what the tasks of a round grow by, at most 1; see by_family. The result
    has shape (..., rounds). log(1 / a) or more refutes `mean` at level a.
    """
    stakes = log_stakes(values, mean, weights)
    total: np.ndarray = np.logaddexp.reduce(stakes, axis=-1) - math.log(len(FRACTIONS))
    return total


def log_stakes(
    values: np.ndarray, mean: float | np.ndarray, weights: float | np.ndarray = 1.0
) -> np.ndarray:
    """As log_stake, for each of FRACTIONS alone: shape (..., rounds, fractions)."""
    gain = values / np.asarray(mean)[..., None, None] - 1
    with np.errstate(divide="ignore"):  # at c = 1 the whole stake can be lost: log 0
        grown = [
            (weights * np.log1p(fraction * gain)).sum(axis=-1).cumsum(axis=-1)
            for fraction in FRACTIONS
        ]
    return np.stack(grown, axis=-1)


def anytime_mean(
    values: np.ndarray, alpha: float = 0.05, families: Sequence[Hashable] | None = None
) -> tuple[float, float]:
    """Bounds (low, high) of a mean over tasks that hold at every look.

    values: in [0, 1], shape (rounds, tasks), or (n,) for one task. Within a round, tasks are
    independent of one another, unless they have the same one of `families`. Each bound is ever
    wrong with a chance of at most alpha / 2; a mean that an earlier look refuted stays refuted.
    """
    rounds = np.asarray(values, dtype=np.float64)
    rounds = rounds[:, None] if rounds.ndim == 1 else rounds
    weights: float | np.ndarray = 1.0
    if families is not None:
        rounds, weights = by_family(rounds, families)
    threshold = math.log(2 / alpha)
    return _refuted(rounds, threshold, weights), 1 - _refuted(1 - rounds, threshold, weights)


def _refuted(rounds: np.ndarray, threshold: float, weights: float | np.ndarray) -> float:
    """The largest mean that some look refutes from below.

    By bisection: a stake is the smaller, the larger the mean that it bets against.
    """
    near, far = 0.0, 1.0
    for _ in range(STEPS if len(rounds) else 0):
        middle = (near + far) / 2
        refuted = float(log_stake(rounds, middle, weights).max()) >= threshold
        near, far = (middle, far) if refuted else (near, middle)
    return near


def mean_of_drawn(
    values: np.ndarray, level: float = 0.95, design: float = 1.0
) -> tuple[float, float]:
    """Bounds (low, high) of the mean that independent values in [0, 1] are drawn from, shape (n,).

    They hold for every distribution in [0, 1], also where a rare value that was not drawn matters
    (bets: Waudby-Smith & Ramdas 2024). A bootstrap of 10 to 20 values does not know of such values:
    its interval covered 41 to 68 % where one in twenty is lost altogether. The values are bet on
    together, so their order does not matter. design: their design effect, by which the logarithm of
    a stake is divided. Where that is their number, a stake grows by the geometric mean of its bets,
    which is valid whatever they have in common; in between it is an approximation.
    """
    threshold = math.log(2 / (1 - level))
    drawn = np.asarray(values, dtype=np.float64)[None, :]
    return _refuted(drawn, threshold, 1 / design), 1 - _refuted(1 - drawn, threshold, 1 / design)


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
