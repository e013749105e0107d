"""Rows as plain JSON values, in which an estimate stands as three fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
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
    list its field, it stays an object of `value`, `low` and `high`. A field that is marked `later`
    (harness.core.reference.LATER) is left out where it is empty, false or None.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        row: dict[str, Any] = {}
        for field in dataclasses.fields(value):
            found = getattr(value, field.name)
            parts = names.get(type(value), {}).get(field.name)
            if "later" in field.metadata and not found:
                continue
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


def columns_of(
    kind: type, names: EstimateNames, records: Iterable[Mapping[str, Any]] = ()
) -> list[str]:
    """The names of the fields that rows of this class have in JSON and CSV.

    Those that are marked `later` only where one of `records` has them.
    """
    parts = names.get(kind, {})
    told = {name for record in records for name in record}
    return [
        column
        for field in dataclasses.fields(kind)
        for column in parts.get(field.name, (field.name,))
        if "later" not in field.metadata or column in told
    ]


def _three(found: Estimate | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if found is None else (found.value, found.low, found.high)
