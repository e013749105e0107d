"""How far the chances can be trusted that an agent gives itself: forecasts of a yes or no.

A forecast is calibrated if, of the episodes with a chance of 70 %, 70 % succeed. Forecasts are kept
as counts on a grid of GRID steps, so that ten million of them take no more memory than ten; their
sums are exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.stats.intervals import Estimate, wilson, z_of

__all__ = ["ENOUGH", "CalibrationError", "Coverage", "Forecasts"]

GRID = 1000
BINS = 10
DRAWS = 999
ENOUGH = 5
"""Successes, and failures, below which `discrimination` has no bounds, which would not cover."""


class CalibrationError(NamedTuple):
    """The expected calibration error over bins of about the same number of episodes.

    Guo et al. 2017, arXiv 1706.04599, with bins of equal mass. It is above 0 by luck alone, the
    more so the fewer the episodes (Kumar et al. 2019, arXiv 1909.10155). So it stands beside what
    outcomes drawn by the forecasts themselves give (consistency resampling: Broecker and Smith
    2007, Weather and Forecasting 22:651).
    """

    error: float
    by_luck: float
    """What 95 % of calibrated agents with these forecasts stay below or at."""
    p: float
    """How often a calibrated agent would have an error of at least this one."""


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """The episodes of which the agent was surest."""

    share: float
    """Of all episodes; those with equal forecasts are kept together."""
    above: float
    """The lowest of their forecasts."""
    success: Estimate
    """Of these episodes, with Wilson's interval."""


class Forecasts:
    """Counts of forecasts in [0, 1] and of what came of them, added one by one."""

    def __init__(self) -> None:
        self._n = np.zeros(GRID + 1, np.int64)
        self._won = np.zeros(GRID + 1, np.int64)
        self._sum = np.zeros(GRID + 1)
        self._squares = 0.0

    def add(self, chance: float, success: bool) -> None:
        """Take one forecast, in [0, 1]."""
        cell = round(chance * GRID)
        self._n[cell] += 1
        self._won[cell] += success
        self._sum[cell] += chance
        self._squares += (chance - success) ** 2

    @property
    def n(self) -> int:
        """How many there are."""
        return int(self._n.sum())

    @property
    def said(self) -> float:
        """The mean forecast."""
        return float(self._sum.sum()) / self.n

    @property
    def brier(self) -> float:
        """The mean squared distance of forecast and outcome; 0 is best, 0.25 is always 50 %."""
        return self._squares / self.n

    def succeeded(self, level: float = 0.95) -> Estimate:
        """The share that succeeded, with Wilson's interval.

        Given the forecasts, the episodes have chances of their own, so that their mean varies less
        than that of n equal ones: the interval covers at least as often as it says, and a mean
        forecast outside it is over- or underconfident.
        """
        won = int(self._won.sum())
        bounds = wilson(won, self.n, level)
        return Estimate(won / self.n, bounds.low, bounds.high)

    def calibration_error(self) -> CalibrationError:
        """The error with what luck alone gives. The draws have a fixed seed."""
        cells = np.flatnonzero(self._n)
        n, sums = self._n[cells], self._sum[cells]
        # The bin of a cell is that of the middle of its episodes.
        bins = np.minimum(((np.cumsum(n) - n / 2) * BINS / n.sum()).astype(int), BINS - 1)
        edges = np.flatnonzero(np.diff(bins, prepend=-1))
        drawn = np.random.default_rng(0).binomial(n, np.clip(sums / n, 0, 1), (DRAWS, len(cells)))
        errors = (
            np.abs(np.add.reduceat(np.vstack([self._won[cells], drawn]) - sums, edges, axis=1)).sum(
                axis=1
            )
            / n.sum()
        )
        # Equal sums in another order differ in their last digits.
        luckier = int((errors[1:] >= errors[0] - 1e-12).sum())
        by_luck = float(np.sort(errors[1:])[math.ceil(0.95 * DRAWS) - 1])
        return CalibrationError(float(errors[0]), by_luck, (luckier + 1) / (DRAWS + 1))

    def discrimination(self, level: float = 0.95) -> Estimate | None:
        """The chance that a success had a higher forecast than a failure (ties count half).

        0.5: the forecasts do not know which episodes succeed. None where nothing succeeded, nothing
        failed, or all forecasts are equal. Bounds by the variance of DeLong et al. 1988 (Biometrics
        44:837) on the logit scale; none where it is 0 or 1, or where there are fewer than ENOUGH of
        either.
        """
        won, lost = self._won.astype(float), (self._n - self._won).astype(float)
        m, k = won.sum(), lost.sum()
        if not m or not k or np.count_nonzero(self._n) == 1:
            return None
        below = (np.cumsum(lost) - lost / 2) / k
        above = (m - np.cumsum(won) + won / 2) / m
        area = float((won * below).sum() / m)
        if min(m, k) < ENOUGH or not 0.0 < area < 1.0:
            return Estimate(area, None, None)
        variance = float((won * (below - area) ** 2).sum()) / (m - 1) / m
        variance += float((lost * (above - area) ** 2).sum()) / (k - 1) / k
        middle = math.log(area / (1 - area))
        wide = z_of(level) * math.sqrt(variance) / (area * (1 - area))
        low, high = (1 / (1 + math.exp(-middle - side * wide)) for side in (-1, 1))
        return Estimate(area, low, high)

    def surest(self, share: float) -> Coverage:
        """At least this share of the episodes, those with the highest forecasts."""
        cells = np.flatnonzero(self._n)[::-1]
        counts = np.cumsum(self._n[cells])
        last = int(np.searchsorted(counts, share * self.n - 1e-9))
        won, n = int(self._won[cells[: last + 1]].sum()), int(counts[last])
        bounds = wilson(won, n)
        lowest = float(self._sum[cells[last]] / self._n[cells[last]])
        success = Estimate(won / n, bounds.low, bounds.high)
        return Coverage(share=n / self.n, above=lowest, success=success)
