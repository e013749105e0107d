"""Paired differences: what two agents did in the same cases. A difference is new minus base of two values in [0, 1], so it lies in [-1, 1]."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from harness.stats.intervals import Interval, z_of

__all__ = [
    "benjamini_hochberg",
    "bootstrap_tasks",
    "holm",
    "mcnemar",
    "paired_bounds",
    "paired_difference",
    "paired_p",
    "sign_flip",
]

STEPS = 60
"""Bisections of the multiplier's logarithm: to the last digit or two of a float."""


def paired_difference(differences: Sequence[np.ndarray], level: float = 0.95) -> Interval:
    """The mean over tasks of the mean paired difference, each task weighing the same, with a score interval.

    differences: one array of shape (pairs,) a task, values in [-1, 1]. For one task of binary outcomes it is Tango's interval (1998, Stat. Med.
    17:891). Over several, a bound is a mean M with |M - mean| = z sqrt(V), where V is the variance that the mean would have if the chances of a
    win and of a loss in every task were the likeliest ones whose mean difference is M; V takes the tasks as alike, and so is never too small.
    A score d in [-1, 1] counts as |d| of a win or a loss, and its spread as sum(d^2) + 1 over sum(|d|) + 1 of what that would have.

    0 wins and 0 losses have an interval as any other count has. Raises ValueError for no task, or one without a pair.
    """
    losses, wins, squares, pairs = _counts(differences)
    low, high = paired_bounds(losses, wins, squares, pairs, level)
    return Interval(float(((wins - losses) / pairs).mean()), float(low), float(high))


def paired_bounds(
    losses: np.ndarray,
    wins: np.ndarray,
    squares: np.ndarray,
    pairs: np.ndarray,
    level: float = 0.95,
) -> tuple[np.ndarray, np.ndarray]:
    """Both bounds of paired_difference from sums over pairs: of losses (-d where d < 0), of wins, of d^2, and their number.

    All of shape (..., tasks); the bounds have shape (...).
    """
    z = z_of(level)
    return -_upper(wins, losses, squares, pairs, z), _upper(losses, wins, squares, pairs, z)


def paired_p(differences: Sequence[np.ndarray]) -> float:
    """The two-sided p-value of no difference that goes with paired_difference: its interval at level 1 - p ends at 0."""
    from scipy.special import ndtr

    losses, wins, squares, pairs = _counts(differences)
    mean = ((wins - losses) / pairs).mean()
    if mean == 0:
        return 1.0
    worse, better = (losses, wins) if mean < 0 else (wins, losses)
    multiplier = _bisect(lambda push: _means(worse, better, pairs, push)[0] >= 0, mean)
    centre, variance = _shifted(worse, better, squares, pairs, multiplier)
    return float(2 * ndtr(-(abs(float(mean)) + float(centre)) / np.sqrt(variance)))


def _counts(
    differences: Sequence[np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    if not len(differences) or not all(len(each) for each in differences):
        raise ValueError("needs at least one task, and one pair in every task")
    losses = np.array([-np.minimum(each, 0).sum() for each in differences])
    wins = np.array([np.maximum(each, 0).sum() for each in differences])
    squares = np.array([np.square(each).sum() for each in differences])
    return losses, wins, squares, np.array([len(each) for each in differences], dtype=np.float64)


def _upper(
    losses: np.ndarray, wins: np.ndarray, squares: np.ndarray, pairs: np.ndarray, z: float
) -> np.ndarray:
    mean = ((wins - losses) / pairs).mean(axis=-1)

    def beyond(push: np.ndarray) -> np.ndarray:
        centre, variance = _shifted(losses, wins, squares, pairs, push)
        there: np.ndarray = (centre > mean) & ((centre - mean) ** 2 >= z * z * variance)
        return there

    bound: np.ndarray = np.minimum(
        1.0, _shifted(losses, wins, squares, pairs, _bisect(beyond, mean))[0]
    )
    return bound


def _bisect(beyond: Callable[[np.ndarray], np.ndarray], like: np.ndarray) -> np.ndarray:
    """The least multiplier, of the shape of `like`, at which `beyond` holds; it holds from some multiplier on."""
    low, high = np.full(np.shape(like), -9.0), np.full(np.shape(like), 10.0)
    for _ in range(STEPS):
        middle = (low + high) / 2
        there = beyond(10.0**middle)
        low, high = np.where(there, low, middle), np.where(there, middle, high)
    return np.asarray(10.0**high)


def _means(
    losses: np.ndarray, wins: np.ndarray, pairs: np.ndarray, push: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean difference, and the chances of a loss and of a win in each task, once the likelihood is pushed up by `push` >= 0, shape (...).

    They maximise losses log x + wins log y + ties log(1 - x - y) + push (y - x), so x = losses / (k + push), y = wins / (k - push) and
    1 - x - y = ties / k, where k is the largest root of a cubic, found by Viete's cosine.
    """
    m = np.asarray(push)[..., None]
    ties = np.maximum(pairs - losses - wins, 0)
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
    """The mean under the pushed likelihood, and the variance of its estimate there, both of shape (...).

    The variance is sum(q / pairs) / tasks^2 - mean^2 / sum(pairs), q = E[d^2]: by Cauchy and Schwarz never less than the true one, and equal to
    it where the differences of the tasks are proportional to their pairs.
    """
    mean, x, y = _means(losses, wins, pairs, push)
    shape = (squares + 1) / (losses + wins + 1)
    within = (shape * (x + y) / pairs).sum(axis=-1) / pairs.shape[-1] ** 2
    return mean, np.maximum(within - mean**2 / pairs.sum(axis=-1), 1e-300)


def mcnemar(losses: int, wins: int, *, worse_only: bool = False) -> float:
    """The exact conditional p-value of as many losses as wins (McNemar 1947): binomial over the discordant pairs, two-sided or of worse only."""
    from scipy.special import bdtr

    if losses < 0 or wins < 0:
        raise ValueError(f"counts cannot be negative, got {losses} and {wins}")
    if losses + wins == 0:
        return 1.0
    tail = float(bdtr(wins if worse_only else min(losses, wins), losses + wins, 0.5))
    return tail if worse_only else min(1.0, 2 * tail)


def sign_flip(differences: np.ndarray, repeats: int = 20_000, seed: int = 0) -> float:
    """The two-sided p-value of a mean paired difference, shape (pairs,), by flipping signs at random; for binary outcomes mcnemar is its exact form.

    Under the hypothesis either agent could have got either value of each pair.
    """
    moved = differences[differences != 0]
    if not len(moved):
        return 1.0
    if np.isin(moved, (-1.0, 1.0)).all():
        return mcnemar(int((moved < 0).sum()), int((moved > 0).sum()))
    observed = abs(moved.sum()) * (1 - 1e-12)
    rng = np.random.default_rng(seed)
    block = max(1, 4_000_000 // len(moved))
    beyond = 0
    for start in range(0, repeats, block):
        signs = 2.0 * rng.integers(2, size=(min(block, repeats - start), len(moved))) - 1
        beyond += int((np.abs(signs @ moved) >= observed).sum())
    return (beyond + 1) / (repeats + 1)


def bootstrap_tasks(
    differences: Sequence[np.ndarray], level: float = 0.95, repeats: int = 4000, seed: int = 0
) -> Interval:
    """The mean over tasks of the mean paired difference, with a bootstrap interval that draws whole tasks: it speaks of other such tasks as well.

    differences as in paired_difference, of two tasks or more. Percentiles, moved outwards as Student's t asks for so few tasks (Hesterberg 2015, Am.
    Stat. 69:371, "expanded percentile").
    """
    from scipy.special import ndtr, stdtrit

    tasks = len(differences)
    means = np.array([each.mean() for each in differences])
    rng = np.random.default_rng(seed)
    drawn = means[rng.integers(tasks, size=(repeats, tasks))].mean(axis=1)
    tail = float(ndtr(-np.sqrt(tasks / (tasks - 1)) * stdtrit(tasks - 1, (1 + level) / 2)))
    low, high = np.quantile(drawn, [tail, 1 - tail]).tolist()
    return Interval(float(means.mean()), low, high)


def holm(p: Sequence[float]) -> list[float]:
    """p-values adjusted for their number by Holm (1979), in the same order: reject those <= alpha, with at most alpha chance of any false one."""
    order = sorted(range(len(p)), key=p.__getitem__)
    adjusted, least = [0.0] * len(p), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = least
    return adjusted


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """p-values adjusted by Benjamini and Hochberg (1995), in the same order: of those <= alpha, at most alpha are expected to be false."""
    from scipy.stats import false_discovery_control

    return [float(each) for each in false_discovery_control(p)] if len(p) else []
