"""Paired differences between two agents that played the same cases.

A difference is new minus base of two values in [0, 1], so it lies in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from harness.stats.intervals import Interval, z_of

__all__ = [
    "benjamini_hochberg",
    "holm",
    "mcnemar",
    "paired_bounds",
    "paired_difference",
    "paired_p",
    "paired_p_values",
    "sign_flip",
]

STEPS = 60
"""Bisections of the logarithm of a multiplier: exact to the last digit or two of a float."""


def paired_difference(
    differences: Sequence[np.ndarray], level: float = 0.95, design: float | np.ndarray = 1.0
) -> Interval:
    """The mean over tasks of their mean paired differences, with a score interval.

    differences: for each task an array of shape (pairs,), values in [-1, 1]. Each task weighs the
    same. design: a harness.stats.design_effect, or one for each task, by which all counts are
    divided.

    The bounds are the means M that solve |M - mean| = z sqrt(V(M)). V(M) is the variance of the
    mean at the constrained maximum-likelihood chances x_t of a loss and y_t of a win, those for
    which the mean of y_t - x_t is M. With n_t pairs of task t,

        V(M) = sum_t q_t / n_t / tasks^2 - M^2 / sum_t n_t,    q_t = E[d^2] = s_t (x_t + y_t)
        s_t = (sum d^2 + 1) / (sum |d| + 1), over the pairs of task t

    A difference between scores counts as |d| of a loss or of a win, and s_t is what that
    overstates its square by; for successes and failures s_t is 1. For one such task this is
    Tango's interval (1998, Stat. Med. 17:891). For several, V(M) is never below the true variance
    (see _shifted).

    No losses and no wins have an interval, too. Raises ValueError for no task, or for a task
    without a pair.
    """
    losses, wins, squares, pairs = _counts(differences, design)
    low, high = paired_bounds(losses, wins, squares, pairs, level)
    return Interval(float(((wins - losses) / pairs).mean()), float(low), float(high))


def paired_bounds(
    losses: np.ndarray,
    wins: np.ndarray,
    squares: np.ndarray,
    pairs: np.ndarray,
    level: float = 0.95,
) -> tuple[np.ndarray, np.ndarray]:
    """The bounds of paired_difference, from sums over the pairs of each task.

    losses: the sum of -d where d < 0; wins: of d where d > 0; squares: of d^2; pairs: their
    number. All have shape (..., tasks), the two bounds shape (...).
    """
    z = z_of(level)
    return -_upper(wins, losses, squares, pairs, z), _upper(losses, wins, squares, pairs, z)


def paired_p(differences: Sequence[np.ndarray], design: float | np.ndarray = 1.0) -> float:
    """The two-sided p-value of no difference that belongs to paired_difference.

    At level 1 - p that interval ends at 0.
    """
    losses, wins, squares, pairs = _counts(differences, design)
    mean = ((wins - losses) / pairs).mean()
    if mean == 0:
        return 1.0
    # Mirrored where needed, so that the mean is negative and 0 lies above it.
    worse, better = (losses, wins) if mean < 0 else (wins, losses)
    multiplier = _bisect(lambda push: _means(worse, better, pairs, push)[0] >= 0, mean)
    return float(_p_beyond(mean, *_shifted(worse, better, squares, pairs, multiplier)))


def paired_p_values(
    losses: np.ndarray, wins: np.ndarray, squares: np.ndarray, pairs: np.ndarray
) -> np.ndarray:
    """paired_p of many comparisons at once, to five digits, in fewer steps.

    The sums are those of paired_bounds, shape (..., tasks); the p-values have shape (...).
    """
    mean = ((wins - losses) / pairs).mean(axis=-1)
    mirrored = (mean > 0)[..., None]
    worse, better = np.where(mirrored, wins, losses), np.where(mirrored, losses, wins)
    push = _bisect(lambda each: _means(worse, better, pairs, each)[0] >= 0, mean, 40)
    found = _p_beyond(mean, *_shifted(worse, better, squares, pairs, push))
    return np.where(mean == 0, 1.0, found)


def _p_beyond(mean: np.ndarray, centre: np.ndarray, variance: np.ndarray) -> np.ndarray:
    from scipy.special import ndtr

    found: np.ndarray = 2 * ndtr(-(np.abs(mean) + centre) / np.sqrt(variance))
    return found


def _counts(
    differences: Sequence[np.ndarray], design: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Losses, wins, squares and pairs as paired_bounds takes them, each of shape (tasks,)."""
    if not len(differences) or not all(len(each) for each in differences):
        raise ValueError("needs at least one task, and one pair in every task")
    losses = np.array([-np.minimum(each, 0).sum() for each in differences])
    wins = np.array([np.maximum(each, 0).sum() for each in differences])
    squares = np.array([np.square(each).sum() for each in differences])
    pairs = np.array([len(each) for each in differences], dtype=np.float64)
    return losses / design, wins / design, squares / design, pairs / design


def _upper(
    losses: np.ndarray, wins: np.ndarray, squares: np.ndarray, pairs: np.ndarray, z: float
) -> np.ndarray:
    """The upper bound; the lower one is that of the mirrored differences, negated."""
    mean = ((wins - losses) / pairs).mean(axis=-1)

    def beyond(push: np.ndarray) -> np.ndarray:
        centre, variance = _shifted(losses, wins, squares, pairs, push)
        there: np.ndarray = (centre > mean) & ((centre - mean) ** 2 >= z * z * variance)
        return there

    bound: np.ndarray = np.minimum(
        1.0, _shifted(losses, wins, squares, pairs, _bisect(beyond, mean))[0]
    )
    return bound


def _bisect(
    beyond: Callable[[np.ndarray], np.ndarray], like: np.ndarray, steps: int = STEPS
) -> np.ndarray:
    """The least multiplier, of the shape of `like`, at which `beyond` holds.

    `beyond` holds for every multiplier above some one, element by element.
    """
    low, high = np.full(np.shape(like), -9.0), np.full(np.shape(like), 10.0)
    for _ in range(steps):
        middle = (low + high) / 2
        there = beyond(10.0**middle)
        low, high = np.where(there, low, middle), np.where(there, middle, high)
    return np.asarray(10.0**high)


def _means(
    losses: np.ndarray, wins: np.ndarray, pairs: np.ndarray, push: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean difference, and the chances of a loss and of a win, under the constraint.

    push: the Lagrange multiplier >= 0 of the constraint on the mean, shape (...). The mean has
    shape (...), the chances x and y shape (..., tasks). They maximise

        losses log x + wins log y + ties log(1 - x - y) + push (y - x)

    so x = losses / (k + push), y = wins / (k - push) and 1 - x - y = ties / k. As the three add up
    to 1, k is the largest root of a cubic, found by Viete's cosine.
    """
    m = np.asarray(push)[..., None]
    ties = np.maximum(pairs - losses - wins, 0)
    # k^3 - pairs k^2 - b k + ties m^2 = 0; substituting k = t + pairs / 3 removes its square.
    b = m * m + (wins - losses) * m
    p = np.sqrt(np.maximum(pairs * pairs / 9 + b / 3, 0))
    q = pairs**3 / 27 + pairs * b / 6 - ties * m * m / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        k = pairs / 3 + 2 * p * np.cos(np.arccos(np.clip(q / p**3, -1, 1)) / 3)
    k = np.maximum(k, m)
    x = losses / (k + m)
    y = np.clip(1 - x - ties / k, 0, 1)
    return (y - x).mean(axis=-1), x, y


def _shifted(
    losses: np.ndarray, wins: np.ndarray, squares: np.ndarray, pairs: np.ndarray, push: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The mean under the constraint, and the variance of its estimate there, both of shape (...).

    The variance is V(M) of paired_difference. The true one is sum((q - delta^2) / pairs) / tasks^2
    with delta = y - x. By Cauchy and Schwarz, mean^2 / sum(pairs) is at most
    sum(delta^2 / pairs) / tasks^2, and equal to it where delta is proportional to pairs: so V(M)
    is never too small.
    """
    mean, x, y = _means(losses, wins, pairs, push)
    shape = (squares + 1) / (losses + wins + 1)
    within = (shape * (x + y) / pairs).sum(axis=-1) / pairs.shape[-1] ** 2
    return mean, np.maximum(within - mean**2 / pairs.sum(axis=-1), 1e-300)


def mcnemar(losses: int, wins: int, *, worse_only: bool = False) -> float:
    """The exact conditional p-value of a loss being as likely as a win (McNemar 1947).

    losses, wins: the discordant pairs, Binomial(losses + wins, 1/2) between equal agents.
    Two-sided unless `worse_only`, which asks for too many losses. Raises ValueError below 0.
    """
    from scipy.special import bdtr

    if losses < 0 or wins < 0:
        raise ValueError(f"counts cannot be negative, got {losses} and {wins}")
    if losses + wins == 0:
        return 1.0
    tail = float(bdtr(wins if worse_only else min(losses, wins), losses + wins, 0.5))
    return tail if worse_only else min(1.0, 2 * tail)


def sign_flip(differences: np.ndarray, repeats: int = 20_000, seed: int = 0) -> float:
    """The two-sided p-value of a mean paired difference, by flipping signs at random.

    differences: shape (pairs,). Between equal agents either could have got either value of a pair,
    so every sign is as likely as its opposite. For successes and failures, and where all pairs are
    lost or all are won, it is mcnemar, exactly; else `repeats` draws, with one added to both counts
    so that p is never 0.
    """
    moved = differences[differences != 0]
    if not len(moved):
        return 1.0
    losses, wins = int((moved < 0).sum()), int((moved > 0).sum())
    if min(losses, wins) == 0 or np.isin(moved, (-1.0, 1.0)).all():
        return mcnemar(losses, wins)
    observed = abs(moved.sum()) * (1 - 1e-12)  # ties count, whatever the order of summation
    rng = np.random.default_rng(seed)
    block = max(1, 4_000_000 // len(moved))
    beyond = 0
    for start in range(0, repeats, block):
        signs = 2.0 * rng.integers(2, size=(min(block, repeats - start), len(moved))) - 1
        beyond += int((np.abs(signs @ moved) >= observed).sum())
    return (beyond + 1) / (repeats + 1)


def holm(p: Sequence[float]) -> list[float]:
    """p-values adjusted by Holm (1979, Scand. J. Stat. 6:65), in the same order.

    Rejecting those <= alpha makes any false rejection with a chance of at most alpha.
    """
    order = sorted(range(len(p)), key=p.__getitem__)
    adjusted, least = [0.0] * len(p), 0.0
    for rank, index in enumerate(order):
        least = max(least, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = least
    return adjusted


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """p-values adjusted by Benjamini and Hochberg (1995, J. R. Stat. Soc. B 57:289), in order.

    Of the rejections of those <= alpha, at most a share of alpha is expected to be false.
    """
    from scipy.stats import false_discovery_control

    return [float(each) for each in false_discovery_control(p)] if len(p) else []
