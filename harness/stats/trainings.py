"""Several trainings of one method on the same cases: means and differences, for other trainings.

A value belongs to a training and to a case, and both are samples: of the trainings that a method
may have, and of the episodes of its tasks. That is the crossed design which radiology analyses with
readers for trainings (Hillis 2007, Stat. Med. 26:596; with readers of their own for each method,
Hillis 2014, Stat. Med. 33:330): Welch's interval over the trainings' means, whose variance also has
what the cases add to all trainings of a method alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.stats.intervals import Estimate, Interval
from harness.stats.paired import paired_difference, paired_p
from harness.stats.repeated import mean_of_shares

__all__ = [
    "ENOUGH_TRAININGS",
    "CrossedCases",
    "Spread",
    "difference_of_methods",
    "mean_of_method",
    "spread_between_trainings",
    "spread_of",
]

ENOUGH_TRAININGS = 3
"""Trainings of each method from which on there are intervals: see `calibration.methods`."""


class CrossedCases:
    """The cases that all trainings played: their tasks, and which depend on one another."""

    def __init__(self, counts: Sequence[int], clusters: np.ndarray) -> None:
        """counts: the cases of each task, which stand one after the other. clusters: for each case,
        shape (cases,), what is equal where cases depend on one another."""
        self.counts = np.array(counts, dtype=np.int64)
        self.begins = np.cumsum([0, *counts[:-1]])
        per_case = np.repeat(self.counts, self.counts).astype(np.float64)
        self._weights = 1 / (per_case * len(counts))
        # A mean over n cases is subtracted; a single case of a task tells nothing of its variance.
        self._unbiased = self._weights * np.sqrt(per_case / np.maximum(1, per_case - 1))
        self._order = np.argsort(clusters, kind="stable")
        ordered = np.asarray(clusters)[self._order]
        self._starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        self.clusters = len(self._starts)

    def by_task(self, values: np.ndarray) -> np.ndarray:
        """The mean of each task, shape (..., tasks), of values of shape (..., cases)."""
        found: np.ndarray = np.add.reduceat(values, self.begins, axis=-1) / self.counts
        return found

    def means(self, values: np.ndarray) -> np.ndarray:
        """The mean over tasks of the means over their cases, shape (...)."""
        found: np.ndarray = (values * self._weights).sum(axis=-1)
        return found

    def of_tasks(self, values: np.ndarray) -> list[np.ndarray]:
        """Values of shape (cases,), one array for each task."""
        return np.split(values, self.begins[1:])

    def deviations(self, values: np.ndarray) -> np.ndarray:
        """What each cluster adds to the mean, shape (..., clusters)."""
        spread = (values - np.repeat(self.by_task(values), self.counts, axis=-1)) * self._unbiased
        found: np.ndarray = np.add.reduceat(spread[..., self._order], self._starts, axis=-1)
        return found


@dataclass(frozen=True, kw_only=True)
class Spread:
    """What the variance of a mean, or of the difference of two, is made of."""

    trainings: tuple[int, ...]
    """Of each method."""
    between: tuple[float, ...]
    """Of each method: the sample variance of its trainings' means."""
    own: tuple[float, ...]
    """The part of `between` that is due to the cases: what a training does with a case, beside what
    all trainings of its method do with it."""
    cases: float
    """The variance by what all trainings of a method do with the cases that were drawn."""
    clusters: int
    """Independent groups of cases."""
    third: float
    """The third central moment of the mean, as the trainings' means show it."""

    def variance(self, trainings: float = 1, cases: float = 1) -> float:
        """Of the mean, with this many times the trainings, and times the cases."""
        return sum(self._parts(trainings, cases)) + self.cases / cases

    def _parts(self, trainings: float, cases: float) -> list[float]:
        return [
            (max(0.0, between - own) + min(own, between) / cases) / (k * trainings)
            for k, between, own in zip(self.trainings, self.between, self.own)
        ]

    def freedom(self, trainings: float = 1, cases: float = 1) -> float:
        """The degrees of freedom of that variance (Satterthwaite 1946; Welch 1947)."""
        total = self.variance(trainings, cases)
        shares = [
            part * part / max(1.0, k * trainings - 1)
            for part, k in zip(self._parts(trainings, cases), self.trainings)
        ]
        shares.append((self.cases / cases) ** 2 / max(1.0, self.clusters * cases - 1))
        return total * total / sum(shares) if sum(shares) > 0 else 1.0

    def distances(self, level: float) -> tuple[float, float]:
        """From the mean down to its lower bound at this level, and up to the upper one.

        With t of Student's distribution, S the standard error and g = third / S^3, that is t S, and
        more on the side of the long tail by 2 |g| (2 t^2 + 1) / 6 S: harness.stats.mean_of_scores
        says why twice the first term of Cornish and Fisher. Trainings' rates are often skewed.
        """
        reach, error = self.reach(level), math.sqrt(self.variance())
        if error == 0:
            return 0.0, 0.0
        longer = (2 * (reach / error) ** 2 + 1) / 3 * self.third / error**2
        return reach + max(0.0, -longer), reach + max(0.0, longer)

    def reach(self, level: float, trainings: float = 1, cases: float = 1) -> float:
        """Half of the width of the t interval at this level, as if nothing were skewed."""
        from scipy.special import stdtrit

        t = float(stdtrit(self.freedom(trainings, cases), (1 + level) / 2))
        return t * math.sqrt(self.variance(trainings, cases))

    def p(self, value: float) -> float:
        """The two-sided p-value of this mean if the true one is 0: at level 1 - p a bound is 0."""
        from scipy.special import stdtr

        error = math.sqrt(self.variance())
        if error == 0:
            return 1.0 if value == 0 else 0.0
        # The t at which t + a (2 t^2 + 1) is how many standard errors 0 is away.
        away = abs(value) / error
        a = max(0.0, -math.copysign(self.third, value * self.third)) / error**3 / 3
        if away <= a:
            return 1.0
        t = (math.sqrt(1 + 8 * a * (away - a)) - 1) / (4 * a) if a > 1e-9 else away
        return 2 * float(stdtr(self.freedom(), -t))


def spread_of(sides: Sequence[np.ndarray], crossed: CrossedCases) -> Spread:
    """The parts of the variance of the mean of the values of one method, or of two methods.

    sides: for each method values of shape (trainings, cases), whose mean over trainings is the
    same. Of two methods, the value of a training is its mean difference from all trainings of the
    other one. At least 2 trainings each.

    With S_m^2 the sample variance of the means of the k_m trainings, and E^2 the squared standard
    error of the mean of the cases' means over all trainings, clustered,

        variance = sum_m S_m^2 / k_m + max(0, E^2 - sum_m R_m^2 / k_m)

    where R_m^2 is that of what a training does with a case beside its method: S_m^2 has it already.
    """
    between, own, third = [], [], 0.0
    for values in sides:
        means, k = crossed.means(values), len(values)
        between.append(float(means.var(ddof=1)))
        if k > 2:
            third += float(((means - means.mean()) ** 3).sum()) / ((k - 1) * (k - 2) * k)
        apart = crossed.deviations(values)
        own.append(float(np.square(apart - apart.mean(0)).sum() / (len(values) - 1)))
    common = float(np.square(crossed.deviations(sides[0].mean(0))).sum())
    inside = sum(each / len(values) for each, values in zip(own, sides))
    return Spread(
        trainings=tuple(len(values) for values in sides),
        between=tuple(between),
        own=tuple(own),
        cases=max(0.0, common - inside),
        clusters=crossed.clusters,
        third=third,
    )


def mean_of_method(
    values: np.ndarray,
    crossed: CrossedCases,
    level: float = 0.95,
    design: float | np.ndarray = 1.0,
) -> Estimate:
    """The mean over tasks of a method's values in [0, 1], shape (trainings, cases).

    The bounds, of other trainings and other cases of these tasks, are those of spread_of, and never
    narrower than those of the cases alone (mean_of_shares, with this design effect), so that values
    that do not vary have bounds too. None below ENOUGH_TRAININGS.
    """
    shares = crossed.of_tasks(values.mean(0))
    alone = mean_of_shares(shares, level, design)
    if len(values) < ENOUGH_TRAININGS:
        return Estimate(alone.value, None, None)
    down, up = spread_of([values], crossed).distances(level)
    return Interval(
        alone.value,
        max(0.0, min(alone.low, alone.value - down)),
        min(1.0, max(alone.high, alone.value + up)),
    )


def difference_of_methods(
    base: np.ndarray,
    new: np.ndarray,
    crossed: CrossedCases,
    level: float = 0.95,
    design: float | np.ndarray = 1.0,
) -> tuple[Estimate, float | None]:
    """The mean difference of two methods, in [-1, 1], and the p-value of none.

    base, new: for each training of a method its mean differences from all trainings of the other
    one, new minus base, shape (trainings, cases); the mean over trainings is the same of both.
    Bounds and p as in mean_of_method, with paired_difference for the cases alone: neither is more
    certain than one of the two methods is.
    """
    tasks = crossed.of_tasks(base.mean(0))
    alone = paired_difference(tasks, level, design)
    if min(len(base), len(new)) < ENOUGH_TRAININGS:
        return Estimate(alone.value, None, None), None
    spread = spread_of([base, new], crossed)
    down, up = spread.distances(level)
    found = Interval(
        alone.value,
        max(-1.0, min(alone.low, alone.value - down)),
        min(1.0, max(alone.high, alone.value + up)),
    )
    return found, max(paired_p(tasks, design), spread.p(alone.value))


def spread_between_trainings(
    values: np.ndarray, crossed: CrossedCases, level: float = 0.95
) -> Estimate:
    """The standard deviation of a method's true means between its trainings.

    values: shape (trainings, cases). The bounds are those of the variance of the observed means by
    the chi-square distribution, less what the cases add to it (Williams 1962, Biometrika 49:278),
    and 0 at least. They take trainings' means for normal. None below ENOUGH_TRAININGS.
    """
    from scipy.special import chdtri

    found = spread_of([values], crossed)
    between, own, freedom = found.between[0], found.own[0], len(values) - 1
    value = math.sqrt(max(0.0, between - own))
    if len(values) < ENOUGH_TRAININGS:
        return Estimate(value, None, None)
    ends = (
        freedom * between / float(chdtri(freedom, tail)) - own
        for tail in ((1 - level) / 2, (1 + level) / 2)
    )
    low, high = (math.sqrt(max(0.0, each)) for each in ends)
    return Interval(value, min(value, low), max(value, high))
