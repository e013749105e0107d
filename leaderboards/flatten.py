"""Rows as plain JSON values, in which an estimate stands as three fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from harness.stats import Estimate

__all__ = ["EstimateNames", "bounds_of", "columns_of", "flatten"]

EstimateNames = Mapping[type, Mapping[str, tuple[str, str, str]]]
"""For a class of rows and each field that holds an Estimate or None: what the JSON calls its value,
its lower bound and its upper bound."""


def bounds_of(*fields: str) -> dict[str, tuple[str, str, str]]:
    """The usual names: `mean`, `mean_low` and `mean_high` of a field `mean`."""
    return {name: (name, f"{name}_low", f"{name}_high") for name in fields}


def flatten(value: Any, names: EstimateNames) -> Any:
    """Plain JSON values: rows become dicts of their fields, in order, and tuples become lists.

    An estimate becomes three fields, all of them null where there is none. Where `names` does not
    list its field, it stays an object of `value`, `low` and `high`.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        row: dict[str, Any] = {}
        for field in dataclasses.fields(value):
            found = getattr(value, field.name)
            parts = names.get(type(value), {}).get(field.name)
            if parts is None:
                row[field.name] = flatten(found, names)
            else:
                row.update(zip(parts, _three(found)))
        return row
    if isinstance(value, Mapping):
        return {name: flatten(each, names) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [flatten(each, names) for each in value]
    return value


def columns_of(kind: type, names: EstimateNames) -> list[str]:
    """The names of the fields that a row of this class has in JSON and CSV."""
    parts = names.get(kind, {})
    return [
        column
        for field in dataclasses.fields(kind)
        for column in parts.get(field.name, (field.name,))
    ]


def _three(found: Estimate | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if found is None else (found.value, found.low, found.high)
