"""Panels with a row for each of several names: shares beside one another, and differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.probes.result import Plot, Series, point_of
from harness.stats import Estimate

__all__ = ["differences", "shares"]

Values = Mapping[str, Sequence[float | Estimate | None]]
"""Name in the legend -> a value for each row, in parts of one; None: it has none there."""


def shares(title: str, value: str, rows: Sequence[str], values: Values) -> Plot:
    """Shares or rates, drawn from 0 to 100 %. value: what they are, with the unit."""
    return Plot(
        title=title,
        kind="rows",
        value=value,
        labels=tuple(rows),
        series=_series(values),
        least=0,
        most=100,
    )


def differences(title: str, value: str, rows: Sequence[str], values: Values) -> Plot:
    """Differences, drawn in points of 100 on either side of a line at 0."""
    return Plot(
        title=title,
        kind="rows",
        value=value,
        labels=tuple(rows),
        series=_series(values),
        marks=(0.0,),
    )


def _series(values: Values) -> tuple[Series, ...]:
    return tuple(
        Series(
            name=name,
            points=tuple(
                point_of(row, each if isinstance(each, Estimate) else Estimate(each, None, None))
                for row, each in enumerate(found)
                if each is not None
            ),
        )
        for name, found in values.items()
    )
