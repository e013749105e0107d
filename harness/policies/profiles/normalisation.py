"""Normalisation of a policy's numbers, and the files that hold its statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.core import UserError
from harness.core.errors import suggest
from harness.records.safe_files import read_regular
from harness.records.safe_json import parse

__all__ = ["METHODS", "Normalisation", "read_statistics"]

Array = np.ndarray[Any, Any]
METHODS: Mapping[str, tuple[str, str]] = {
    "mean_std": ("mean", "std"),
    "min_max": ("min", "max"),
    "quantiles": ("q01", "q99"),
}
"""Method -> the two rows of statistics that it needs."""
MOST_BYTES = 16 << 20
MOST_NUMBERS = 10_000


@dataclass(frozen=True)
class Normalisation:
    """How numbers outside a policy become those inside, and back.

    `mean_std`: inside = (x - mean) / std. `min_max` and `quantiles`: inside = 2 (x - low) / (high -
    low) - 1, with the least and largest number, or the quantiles of 1 % and 99 %. `none`: the same.
    Elements that `mask` leaves out stay as they are (OpenVLA's statistics have one).
    """

    method: str
    """`none`, one of METHODS, or empty where nothing is said."""
    rows: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    """Mean and deviation, or low and high; None where they are missing."""
    mask: tuple[bool, ...] = ()

    @property
    def problem(self) -> str | None:
        """Why it cannot be applied, or None."""
        if not self.method:
            return "nothing says whether its numbers are normalised"
        if self.method == "none":
            return None
        if self.rows is None:
            return f"{self.method} without {' and '.join(METHODS[self.method])}"
        low, high = map(np.asarray, self.rows)
        spread = high if self.method == "mean_std" else high - low
        used = np.asarray(self.mask or [True] * len(low))
        empty = np.flatnonzero((spread <= 0) & used)
        return f"no spread in element {empty[0]}" if empty.size else None

    @property
    def size(self) -> int | None:
        """How many elements the statistics have, or None."""
        return None if self.rows is None else len(self.rows[0])

    def inside(self, values: Array) -> Array:
        """What the policy sees of these numbers, (..., size)."""
        if self.rows is None:
            return values
        low, high = map(np.asarray, self.rows)
        if self.method == "mean_std":
            return self._masked((values - low) / high, values)
        return self._masked(2.0 * (values - low) / (high - low) - 1.0, values)

    def outside(self, values: Array) -> Array:
        """What the policy means by these numbers, (..., size)."""
        if self.rows is None:
            return values
        low, high = map(np.asarray, self.rows)
        if self.method == "mean_std":
            return self._masked(values * high + low, values)
        return self._masked((values + 1.0) / 2.0 * (high - low) + low, values)

    def _masked(self, changed: Array, same: Array) -> Array:
        return np.where(np.asarray(self.mask), changed, same) if self.mask else changed


def read_statistics(file: Path, key: str) -> Mapping[str, Any]:
    """The rows of statistics in a JSON file: those below `key`, whose parts dots separate.

    openpi's norm_stats.json has them under `norm_stats.actions`, LeRobot's stats.json under
    `action`, OpenVLA's dataset_statistics.json under `DATASET.action`.

    Raises UserError where the file cannot be read or the key does not exist.
    """
    try:
        found: Any = parse(read_regular(file, MOST_BYTES))
    except OSError as fault:
        raise UserError(f"{file}: {fault.strerror or fault}") from None
    except (ValueError, RecursionError) as fault:
        raise UserError(f"{file} holds no statistics: {fault}") from None
    for part in filter(None, key.split(".")):
        if not isinstance(found, dict) or part not in found:
            names = [str(name) for name in found] if isinstance(found, dict) else []
            hint = suggest(part, names) or f"it has {', '.join(names[:10]) or 'no tables'}"
            raise UserError(f"{file} has no {part!r} of the key {key!r}; {hint}")
        found = found[part]
    if not isinstance(found, dict):
        raise UserError(f"{file}: {key!r} is no table of statistics")
    return found


def numbers(value: Any, place: str) -> tuple[float, ...]:
    """A row of statistics: a list of finite numbers, or one in another. Raises ValueError."""
    while isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    if (
        not isinstance(value, list)
        or not 0 < len(value) <= MOST_NUMBERS
        or not all(type(each) in (int, float) for each in value)
        or not np.isfinite(np.asarray(value, np.float64)).all()
    ):
        raise ValueError(f"{place} is not a list of numbers")
    return tuple(map(float, value))
