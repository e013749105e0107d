"""Rows as plain JSON values."""

from __future__ import annotations

from dataclasses import dataclass

from harness.stats import Estimate, Interval
from leaderboards.flatten import EstimateNames, bounds_of, columns_of, flatten


@dataclass(frozen=True, kw_only=True)
class Inner:
    mean: Estimate | None = None


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str = "a"
    rate: Interval | None = None
    kept: Interval | None = None
    inner: tuple[Inner, ...] = ()


NAMES: EstimateNames = {Outer: {"rate": ("rate", "low", "high")}, Inner: bounds_of("mean")}


def test_an_estimate_is_three_fields_where_its_row_says_so() -> None:
    found = Outer(
        rate=Interval(0.5, 0.4, 0.6),
        kept=Interval(1.0, 0.0, 2.0),
        inner=(Inner(mean=Estimate(3.0, None, 4.0)), Inner()),
    )
    assert flatten(found, NAMES) == {
        "name": "a",
        "rate": 0.5,
        "low": 0.4,
        "high": 0.6,
        "kept": {"value": 1.0, "low": 0.0, "high": 2.0},
        "inner": [
            {"mean": 3.0, "mean_low": None, "mean_high": 4.0},
            {"mean": None, "mean_low": None, "mean_high": None},
        ],
    }


def test_the_columns_are_the_fields_of_every_row() -> None:
    for row in (Outer(), Outer(rate=Interval(0.5, 0.4, 0.6))):
        assert list(flatten(row, NAMES)) == columns_of(Outer, NAMES)
