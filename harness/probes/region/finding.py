"""What came of `bench probe region`: the borders, the chance of success, and the cases played."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.probes.figures import percent
from harness.probes.region.axes import Axis
from harness.probes.region.border import Border, Borders, borders_of
from harness.probes.region.surface import Surface, surface_of
from harness.probes.result import Finding, Plot, Point, Section, Series
from harness.stats import Interval, wilson

__all__ = ["AxisBorder", "RegionProbe"]

TICKS = 13
"""Places along an axis in a table or figure of one axis."""
SIDE = 9
"""Places along each axis in a table of two: it fits 80 columns."""
FINE = 201
"""Places along an axis between which a border is found."""


@dataclass(frozen=True, kw_only=True)
class AxisBorder:
    """A border along one axis, with nothing changed in the others. Places from 0 to 1."""

    axis: int
    fails: str
    """`below` or `above`: on which side of it success is below the rate."""
    place: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class RegionProbe(Finding):
    """What came of the probe."""

    axes: tuple[Axis, ...]
    rate: float
    """Success below this is taken for broken; above 0 and below 1."""
    places: np.ndarray
    """Where each episode was played, shape (episodes, axes), 0 to 1, in their order."""
    successes: np.ndarray
    """Whether it succeeded, shape (episodes,), bool."""
    missing: int
    """Planned cases without a score."""

    @functools.cached_property
    def surface(self) -> Surface:
        """The chance of success over all places."""
        return surface_of(self.places, self.successes)

    @functools.cached_property
    def exact(self) -> Borders | None:
        """What the episodes show without any shape of the curve; of one axis only."""
        if len(self.axes) > 1:
            return None
        return borders_of(self.places[:, 0].tolist(), self.successes.tolist(), self.rate)

    @functools.cached_property
    def borders(self) -> tuple[AxisBorder, ...]:
        """The borders along each axis that are shown to exist."""
        if self.exact is None:
            return tuple(each for axis in range(len(self.axes)) for each in self._mapped(axis))
        found = (("below", self.exact.rising), ("above", self.exact.falling))
        return tuple(self._placed(fails, each) for fails, each in found if each is not None)

    @property
    def overall(self) -> Interval:
        """The success rate of all episodes, wherever they were played."""
        return wilson(int(self.successes.sum()), len(self.successes))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; documented in docs/probes/region.md."""
        return {
            "schema": 1,
            "rate": self.rate,
            "axes": [{"name": each.name, **dataclasses.asdict(each.range)} for each in self.axes],
            "borders": [
                {
                    "axis": self.axes[each.axis].name,
                    "fails": each.fails,
                    **{
                        name: self.axes[each.axis].value(place)
                        for name, place in (
                            ("value", each.place), ("low", each.low), ("high", each.high),
                        )
                    },
                }
                for each in self.borders
            ],
            "missing": self.missing,
            "episodes": [
                {
                    "values": [axis.value(at) for axis, at in zip(self.axes, place)],
                    "success": bool(success),
                }
                for place, success in zip(self.places.tolist(), self.successes)
            ],
        }  # fmt: skip

    def sections(self) -> list[Section]:
        """Tables and what they come to."""
        found = [self._table_of_one() if len(self.axes) == 1 else self._table_of_two()]
        if len(self.axes) > 1:
            found.append(self._table_of_axes())
        return [*found, Section(before=tuple(self._sentences()))]

    def plots(self) -> list[Plot]:
        """The border of two axes, with its band, where there is one; the chance along each axis."""
        edge = self._edge() if len(self.axes) > 1 else None
        curves = [self._curve(axis) for axis in range(len(self.axes))]
        return curves if edge is None else [edge, *curves]

    def _placed(self, fails: str, found: Border) -> AxisBorder:
        """With the place where the map crosses the rate, kept inside of the interval."""
        fine = np.linspace(found.low, found.high, FINE)
        above = self.surface.chance(fine[:, None])[0] >= self.rate
        wanted = above if fails == "below" else ~above
        # The place that splits it best: most of what lies under it on the one side, and over it
        # on the other.
        score = np.cumsum(np.where(wanted, -1, 1))
        place = float(fine[int(np.argmax(score))])
        return AxisBorder(axis=0, fails=fails, place=place, low=found.low, high=found.high)

    def _along(self, axis: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """(places along an axis, the whole places with nothing changed in the others)."""
        along = np.linspace(0, 1, count)
        places = np.tile([each.nominal for each in self.axes], (count, 1))
        places[:, axis] = along
        return along, places

    def _mapped(self, axis: int) -> Iterator[AxisBorder]:
        """Between a place that is surely above the rate and one that is surely below it."""
        along, places = self._along(axis, FINE)
        mean, low, high = self.surface.chance(places)
        yield from _crossings(axis, along, mean, low, high, self.rate)

    def _table_of_one(self) -> Section:
        axis = self.axes[0]
        along, places = self._along(0, TICKS)
        mean, low, high = self.surface.chance(places)
        half = (along[1] - along[0]) / 2
        rows = []
        for place, *chance in zip(along, mean, low, high):
            near = np.abs(self.places[:, 0] - place) <= half
            told = percent(Interval(*map(float, chance)))
            rows.append([axis.told(place), told, int(near.sum()), int(self.successes[near].sum())])
        head = [axis.name, "success (95 %)", "episodes near", "succeeded"]
        return Section.table(f"chance of success over {axis.name}, in %", head, rows)

    @functools.cached_property
    def _two(self) -> tuple[int, int]:
        """The two axes that matter most: along which the chance changes fastest."""
        order = np.argsort(self.surface.lengths(len(self.axes)), kind="stable")[:2]
        across, down = sorted(order.tolist())
        return across, down

    def _plane(self, columns: int, rows: int) -> np.ndarray:
        """Places of shape (rows, columns, axes) over the two axes that matter most."""
        across, down = self._two
        places = np.tile([each.nominal for each in self.axes], (rows, columns, 1))
        places[:, :, across] = np.linspace(0, 1, columns)[None, :]
        places[:, :, down] = np.linspace(1, 0, rows)[:, None]
        return places

    def _table_of_two(self) -> Section:
        across, down = (self.axes[each] for each in self._two)
        places = self._plane(SIDE, SIDE)
        chance = [each.reshape(SIDE, SIDE) for each in self._chance(places)]
        mean, low, high = chance
        rows = []
        for number in range(SIDE):
            cells = [
                f"{100 * mean[number, k]:.0f}{_mark(low[number, k], high[number, k], self.rate)}"
                for k in range(SIDE)
            ]
            rows.append([down.told(1 - number / (SIDE - 1)), *cells])
        head = [
            f"{down.name} \\ {across.name}",
            *(across.told(k / (SIDE - 1)) for k in range(SIDE)),
        ]
        others = [each.name for each in self.axes if each not in (across, down)]
        fixed = f"; nothing changed in {', '.join(others)}" if others else ""
        return Section.table(
            f"chance of success over {across.name} and {down.name}, in %{fixed}",
            head,
            rows,
            after=(
                f"+: at least {100 * self.rate:g} %, -: less, each with 97.5 % confidence; "
                "without a sign the border may be there.",
            ),
        )

    def _chance(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.surface.chance(places.reshape(-1, len(self.axes)))

    def _table_of_axes(self) -> Section:
        rows = []
        for number, axis in enumerate(self.axes):
            mine = [each for each in self.borders if each.axis == number]
            _, low, high = self.surface.chance(self._along(number, FINE)[1])
            told = "; ".join(f"{each.fails} {self._told(each)}" for each in mine)
            rows.append(
                [
                    axis.name,
                    told or "none shown",
                    f"{100 * low.min():.0f} to {100 * high.max():.0f}",
                ]
            )
        head = ["axis", f"success is less than {100 * self.rate:g} %", "success along it, %"]
        return Section.table("along each axis, nothing changed in the others", head, rows)

    def _told(self, border: AxisBorder) -> str:
        """`0.41 (0.36 to 0.47)`, with the unit."""
        axis = self.axes[border.axis]
        low, high = axis.told(border.low), axis.told(border.high)
        return f"{axis.told(border.place)} ({low} to {high})"

    def _share(self) -> str:
        """Of all episodes, as `54 % (42 to 65)`."""
        found = self.overall
        value, low, high = (f"{100 * each:.0f}" for each in (found.value, found.low, found.high))
        return f"{value} % ({low} to {high})"

    def _sentences(self) -> list[str]:
        played = f"{len(self.successes)} episodes"
        lines = []
        if self.exact is not None:
            lines += self._of_one(self.exact, played)
        else:
            lines.append(f"{self._share()} of {played} succeeded.")
        if self.missing:
            lines.append(f"{self.missing} planned cases have no score, and are left out.")
        return lines

    def _of_one(self, found: Borders, played: str) -> list[str]:
        axis, rate = self.axes[0], f"{100 * self.rate:g} %"
        between = f"between {axis.told(0)} and {axis.told(1)}"
        shown = f"{self._share()} of {played} succeeded"
        lines = [
            f"Success is less than {rate} where {axis.name} is {each.fails} {self._told(each)}."
            for each in self.borders
        ]
        if lines:
            return [*lines, f"{shown}, most of which were played near the border."]
        if found.above and found.below:
            return [f"Open: {shown}, too few to tell on which side of {rate} that is."]
        if found.above:
            return [f"No border {between}: {shown}."]
        if found.below:
            return [f"Success is nowhere shown to reach {rate} {between}: {shown}."]
        return [
            f"Success is at least {rate} in a part of the range and less in another, but where the "
            f"border lies is open: play more with --episodes. {shown}."
        ]

    def _curve(self, number: int) -> Plot:
        axis = self.axes[number]
        along, places = self._along(number, TICKS)
        chance = zip(*(100 * each for each in self.surface.chance(places)))
        points = [
            Point(at=at, value=float(mean), low=float(low), high=float(high))
            for at, (mean, low, high) in enumerate(chance)
        ]
        return Plot(
            title=f"chance of success over {axis.name}",
            kind="lines",
            at=f"{axis.name}, {axis.range.parameter}",
            value="success in %",
            labels=tuple(map(axis.told, along)),
            series=(Series(name="chance of success", points=tuple(points)),),
            least=0,
            most=100,
            marks=(100 * self.rate,),
        )

    def _edge(self) -> Plot | None:
        """For each place along one axis, where along the other one success crosses the rate."""
        across, down = (self.axes[each] for each in self._two)
        places = self._plane(TICKS, FINE)[::-1]
        mean, low, high = (each.reshape(FINE, TICKS) for each in self._chance(places))
        up = np.linspace(0, 1, FINE)
        points: dict[str, list[Point]] = {"below": [], "above": []}
        for column in range(TICKS):
            chance = mean[:, column], low[:, column], high[:, column]
            for border in _crossings(0, up, *chance, self.rate):
                value, least, most = map(down.value, (border.place, border.low, border.high))
                points[border.fails].append(Point(at=column, value=value, low=least, high=most))
        if not any(points.values()):
            return None
        return Plot(
            title=f"where success crosses {100 * self.rate:g} %",
            kind="dots",
            at=f"{across.name}, {across.range.parameter}",
            value=f"{down.name}, {down.range.parameter}",
            labels=tuple(across.told(place) for place in np.linspace(0, 1, TICKS)),
            series=tuple(
                Series(name=f"less {fails} it", points=tuple(each))
                for fails, each in points.items()
                if each
            ),
            least=None if down.range.logarithmic else down.range.low,
            most=None if down.range.logarithmic else down.range.high,
            logarithmic=down.range.logarithmic,
        )


def _mark(low: float, high: float, rate: float) -> str:
    return " +" if low >= rate else " -" if high < rate else ""


def _crossings(
    axis: int,
    along: np.ndarray,
    mean: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    rate: float,
) -> Iterator[AxisBorder]:
    """The borders between neighbours of which one is surely above the rate, one surely below."""
    sure: Sequence[int] = np.flatnonzero((low >= rate) | (high < rate)).tolist()
    for first, last in itertools.pairwise(sure):
        if (low[first] >= rate) != (low[last] >= rate):
            inside = (mean[first : last + 1] >= rate) == (mean[last] >= rate)
            yield AxisBorder(
                axis=axis,
                fails="above" if low[first] >= rate else "below",
                place=float(along[first + int(np.argmax(inside))]),
                low=float(along[first]),
                high=float(along[last]),
            )
