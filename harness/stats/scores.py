"""Scores: their mean, and the aggregates of Agarwal et al. (2021).

Agarwal et al. 2021: Deep reinforcement learning at the edge of the statistical precipice,
arXiv 2108.13264.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.stats.intervals import Estimate, Interval

__all__ = [
    "Aggregates",
    "aggregates",
    "iqm",
    "mean_score",
    "optimality_gap",
]


FEWEST = 20
"""Degrees of freedom, tasks x (episodes - 1), below which aggregates have no bounds."""


@dataclass(frozen=True)
class Aggregates:
    """The aggregates of normalised scores over tasks that Agarwal et al. (2021) recommend.

    Without bounds where there are too few episodes for them, see `aggregates`.
    """

    mean: Estimate
    median: Estimate
    """Never with bounds, except of a single task."""
    iqm: Estimate
    optimality_gap: Estimate
    """The shortfall from 1: smaller is better."""


def mean_score(scores: Sequence[float] | np.ndarray, level: float = 0.95) -> Interval:
    """The mean of independent scores, shape (n,), with Student's t interval.

    Equal scores have an interval of no width. Raises ValueError for fewer than two scores.
    """
    from scipy.special import stdtrit

    values = np.asarray(scores, dtype=np.float64)
    if len(values) < 2:
        raise ValueError(f"an interval of a mean needs two scores, got {len(values)}")
    half = (
        float(stdtrit(len(values) - 1, (1 + level) / 2))
        * float(values.std(ddof=1))
        / math.sqrt(len(values))
    )
    mean = float(values.mean())
    return Interval(mean, mean - half, mean + half)


def iqm(scores: np.ndarray) -> np.ndarray:
    """The interquartile mean of scores, shape (..., episodes, tasks); the result has shape (...).

    It is the mean of all episodes x tasks scores without the floor(count / 4) lowest and highest.
    """
    flat = scores.reshape(*scores.shape[:-2], -1)
    count = flat.shape[-1]
    cut = count // 4
    means: np.ndarray = np.partition(flat, [cut, count - cut - 1], axis=-1)[
        ..., cut : count - cut
    ].mean(axis=-1)
    return means


def optimality_gap(scores: np.ndarray) -> np.ndarray:
    """How far scores, shape (..., episodes, tasks), fall short of 1 on average, shape (...).

    A score above 1 counts as 1, so it does not offset another one's shortfall.
    """
    gaps: np.ndarray = 1 - np.minimum(scores, 1.0).mean(axis=(-2, -1))
    return gaps


def aggregates(
    scores: np.ndarray, level: float = 0.95, repeats: int = 2000, seed: int = 0
) -> Aggregates:
    """Mean, median of the tasks' means, IQM and optimality gap, with bootstrap intervals.

    scores: normalised, shape (episodes, tasks).

    The bootstrap draws episodes within each task (stratified; Agarwal et al. 2021). So the
    intervals speak of other episodes of these tasks, not of other tasks or trainings. With n
    episodes of T tasks, plain percentiles are too narrow by sqrt((n - 1) / n) and for a normal
    instead of Student's distribution: those at the normal probability of sqrt(n / (n - 1)) times
    the quantile of Student's t with T (n - 1) degrees of freedom are taken instead ("expanded
    percentiles", Hesterberg 2015, Am. Stat. 69:371).

    There are no bounds below FEWEST degrees of freedom, nor of the median of several tasks: of
    skewed scores it is biased by more than its interval is wide (with 57 tasks of 3 episodes it
    covered 3 to 18 %).

    The result depends neither on the order of the episodes nor on global random state. rliable
    1.2.0 draws from numpy's global generator whatever its random_state, so only the tests use it.
    """
    columns = np.sort(np.asarray(scores, dtype=np.float64), axis=0)
    episodes, tasks = columns.shape
    measures: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
        _mean,
        _median_of_means,
        iqm,
        optimality_gap,
    )
    values = [float(measure(columns)) for measure in measures]
    if tasks * (episodes - 1) < FEWEST:
        return Aggregates(*(Estimate(value, None, None) for value in values))
    rng = np.random.default_rng(seed)
    drawn: list[list[np.ndarray]] = [[] for _ in measures]
    block = max(1, 1_000_000 // columns.size)  # bounds the memory
    for start in range(0, repeats, block):
        rows = rng.integers(
            episodes, size=(min(block, repeats - start), episodes, tasks), dtype=np.int32
        )
        sample = np.take_along_axis(columns[None], rows, axis=1)
        for found, measure in zip(drawn, measures):
            found.append(measure(sample))
    tail = _expanded_tail(episodes, tasks, level)
    estimates = []
    for value, measure, found in zip(values, measures, drawn):
        low, high = np.quantile(np.concatenate(found), [tail, 1 - tail]).tolist()
        # Equal scores say nothing of how much others would differ.
        known = low < high and (measure is not _median_of_means or tasks == 1)
        estimates.append(Estimate(value, low, high) if known else Estimate(value, None, None))
    return Aggregates(*estimates)


def _expanded_tail(episodes: int, tasks: int, level: float) -> float:
    from scipy.special import ndtr, stdtrit

    freedom = tasks * (episodes - 1)
    reach = math.sqrt(episodes / (episodes - 1)) * float(stdtrit(freedom, (1 + level) / 2))
    return float(ndtr(-reach))


def _mean(scores: np.ndarray) -> np.ndarray:
    means: np.ndarray = scores.mean(axis=(-2, -1))
    return means


def _median_of_means(scores: np.ndarray) -> np.ndarray:
    medians: np.ndarray = np.median(scores.mean(axis=-2), axis=-1)
    return medians
