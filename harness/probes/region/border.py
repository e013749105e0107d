r"""Where along one axis success falls below a rate: an interval that needs no shape of the curve.

A hypothesis is a set S of places in which the chance of success is at least `rate`, and at most
`rate` elsewhere. It is tested by betting (Shafer 2021; Waudby-Smith and Ramdas 2024): before an
episode at place x is played, a forecast q(x) is made from the episodes before it. In S it is
lowered to `rate` at most, elsewhere raised to `rate` at least, and the outcome y multiplies the
capital by

    (q / rate)^y ((1 - q) / (1 - rate))^(1 - y).

If S is true, no outcome is expected to make the capital grow, however the places were chosen: its
mean stays at most 1, so that it reaches 1 / alpha with a chance of at most alpha (Ville). The sets
whose capital stays below that hold the true one with a chance of 1 - alpha. The sets considered are
those with at most two borders: everything, nothing, and all that lies inside or outside of an
interval. So success need not be monotone, and adaptive sampling biases nothing.

The forecasts decide only how narrow the interval becomes. They are those of a mixture of curves
that rise, fall, or do both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

__all__ = ["Border", "Borders", "Forecaster", "borders_of"]

ALPHA = 0.05
WIDTHS = (0.004, 0.02, 0.05, 0.1, 0.2)
"""Widths of the curves: a logistic one goes from 27 % to 73 % of its height in two of them."""
HEIGHTS = ((0.99, 0.01), (0.97, 0.25), (0.9, 0.1), (0.9, 0.3), (0.75, 0.03), (0.75, 0.25))
"""(most, least) chance of success along a curve."""


class Forecaster:
    """The chance of success at a place, by a mixture of curves that the outcomes weigh."""

    def __init__(self) -> None:
        ends = np.linspace(-0.1, 1.1, 49)
        single = np.array([(end, 9.0, width) for end in ends for width in WIDTHS])
        first, last = np.triu_indices(17, 1)
        inner = np.linspace(0.02, 0.98, 17)
        double = np.array(
            [
                (low, high, width)
                for low, high in zip(inner[first], inner[last])
                for width in (0.01, 0.06)
            ]
        )
        self._low, self._high, self._width = np.concatenate([single, double]).T
        share = np.repeat([0.8 / len(single), 0.2 / len(double)], [len(single), len(double)])
        self._most, self._least = np.array([*HEIGHTS, *((b, a) for a, b in HEIGHTS)]).T
        self._weight = np.log(np.outer(1 / len(self._most) * np.ones(len(self._most)), share))

    def chance(self, place: float) -> float:
        """What is expected at a place, 0 to 1, before its outcome is known."""
        weight = np.exp(self._weight - self._weight.max())
        return float((weight * self._curves(place)).sum() / weight.sum())

    def learn(self, place: float, success: bool) -> None:
        """Take an outcome."""
        chance = self._curves(place)
        self._weight += np.log(chance if success else 1 - chance)

    def _curves(self, place: float) -> np.ndarray:
        """The chance at a place by each curve, shape (heights, curves)."""
        shape = expit((place - self._low) / self._width) * expit((self._high - place) / self._width)
        chance: np.ndarray = (
            self._least[:, None] + (self._most - self._least)[:, None] * shape[None, :]
        )
        return chance


@dataclass(frozen=True)
class Border:
    """Where success crosses the rate: the interval, as places from 0 to 1."""

    low: float
    high: float


@dataclass(frozen=True)
class Borders:
    """What is known of the borders along an axis, at 95 % for all of it together."""

    rising: Border | None
    """Success is below the rate under it and above the rate over it. None: not shown to exist."""
    falling: Border | None
    above: bool
    """Whether success may be at least the rate everywhere."""
    below: bool
    """Whether it may be at most the rate everywhere."""


def borders_of(
    places: Sequence[float], successes: Sequence[bool], rate: float, alpha: float = ALPHA
) -> Borders:
    """The borders that these episodes show, in the order in which they were played.

    `places`: 0 to 1, each chosen without knowledge of its own outcome. `rate`: above 0 and below 1.
    """
    forecaster = Forecaster()
    inside, outside = np.zeros(len(places)), np.zeros(len(places))
    for number, (place, success) in enumerate(zip(places, successes)):
        chance = forecaster.chance(place)
        forecaster.learn(place, success)
        inside[number] = _growth(min(chance, rate), rate, success)
        outside[number] = _growth(max(chance, rate), rate, success)
    known, which = np.unique(np.asarray(places, np.float64), return_inverse=True)
    count = len(known)
    sums = [np.zeros(count + 1), np.zeros(count + 1)]
    for total, each in zip(sums, (inside, outside)):
        np.add.at(total, which + 1, each)
    within, beyond = (np.cumsum(each) for each in sums)
    # A set holds the places from number `first` up to, and without, number `last`; or all others.
    first, last = np.triu_indices(count + 1, 1)
    into, out = within[last] - within[first], beyond[last] - beyond[first]
    limit = np.log(1 / alpha)
    held = into + beyond[-1] - out < limit
    lacking = out + within[-1] - into < limit
    none = -1
    starts, ends = np.where(first > 0, first, none), np.where(last < count, last, none)
    rising = np.concatenate([starts[held], ends[lacking]])
    falling = np.concatenate([ends[held], starts[lacking]])
    whole = (first == 0) & (last == count)
    return Borders(
        rising=_hull(rising, known),
        falling=_hull(falling, known),
        above=bool(held[whole][0]),
        below=bool(lacking[whole][0]),
    )


def _growth(chance: float, rate: float, success: bool) -> float:
    return float(np.log(chance / rate) if success else np.log((1 - chance) / (1 - rate)))


def _hull(cuts: np.ndarray, known: np.ndarray) -> Border | None:
    """The interval of a border that every set left has. Cut k lies between places k - 1 and k."""
    if not len(cuts) or (cuts < 0).any():
        return None
    return Border(float(known[cuts.min() - 1]), float(known[cuts.max()]))
