"""Fields of known types from JSON values that a stranger may have written.

A check takes a value and the name of its place, as `plan.items[3].episodes`, and returns the value
as the program holds it. It raises ValueError with that name where the value is anything else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from harness.records.safe_json import MOST_DEPTH, MOST_DIGITS, shown

__all__ = [
    "Check", "boolean", "fields_of", "is_number", "json_table", "list_of", "number", "one_of",
    "optional", "table_of", "text", "whole",
]  # fmt: skip

Value = TypeVar("Value")
Check = Callable[[Any, str], Any]
LARGEST = 1e60
"""Sums of millions of rewards stay below it, and their squares stay finite."""
MOST_TEXT = 100_000
"""Characters of a text."""


def _wrong(place: str, value: object, wanted: str) -> ValueError:
    return ValueError(f"{place} is {shown(value)}, not {wanted}")


def text(value: Any, place: str) -> str:
    """A text of at most MOST_TEXT characters."""
    if type(value) is not str:
        raise _wrong(place, value, "a text")
    if len(value) > MOST_TEXT:
        raise ValueError(f"{place} is a text of {len(value)} characters; {MOST_TEXT} are allowed")
    return value


def boolean(value: Any, place: str) -> bool:
    """True or false."""
    if type(value) is not bool:
        raise _wrong(place, value, "true or false")
    return value


def whole(low: int, high: int) -> Check:
    """A whole number from `low` to `high`."""

    def check(value: Any, place: str) -> int:
        if type(value) is not int or not low <= value <= high:
            raise _wrong(place, value, f"a whole number from {low} to {high}")
        return value

    return check


def number(value: Any, place: str) -> float:
    """A finite number, small enough that reports can square it; a whole one fits in a float."""
    if not is_number(value):
        raise _wrong(place, value, "a finite number")
    return value  # type: ignore[no-any-return]


def is_number(value: object) -> bool:
    """Whether this is a finite number as `number` takes it."""
    if type(value) is float:
        return abs(value) <= LARGEST
    return type(value) is int and abs(value) <= 1 << 53


def one_of(*values: str) -> Check:
    """One of these texts."""

    def check(value: Any, place: str) -> str:
        if type(value) is not str or value not in values:
            raise _wrong(place, value, f"one of {', '.join(values)}")
        return value

    return check


def optional(check: Check) -> Check:
    """What `check` allows, or null."""
    return lambda value, place: None if value is None else check(value, place)


def list_of(check: Check, most: int) -> Check:
    """A list of at most `most` values, as a tuple."""

    def checked(value: Any, place: str) -> tuple[Any, ...]:
        if type(value) not in (list, tuple):
            raise _wrong(place, value, "a list")
        if len(value) > most:
            raise ValueError(f"{place} has {len(value)} entries; {most} are allowed")
        return tuple(check(each, f"{place}[{number}]") for number, each in enumerate(value))

    return checked


def table_of(check: Check, most: int) -> Check:
    """A table from texts to values, with at most `most` entries."""

    def checked(value: Any, place: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise _wrong(place, value, "a table")
        if len(value) > most:
            raise ValueError(f"{place} has {len(value)} entries; {most} are allowed")
        for name in value:
            if type(name) is not str:
                raise _wrong(f"a key of {place}", name, "a text")
        return {name: check(each, f"{place}.{name[:60]}") for name, each in value.items()}

    return checked


def json_table(value: Any, place: str) -> Mapping[str, Any]:
    """A table of JSON values of any kind, as it is."""
    if not isinstance(value, Mapping):
        raise _wrong(place, value, "a table")
    _check_json(value, place, 0)
    return value


def _check_json(value: Any, place: str, depth: int) -> None:
    if depth > MOST_DEPTH:
        raise ValueError(f"{place} is nested more than {MOST_DEPTH} deep")
    if isinstance(value, Mapping):
        for name, each in value.items():
            if type(name) is not str:
                raise _wrong(f"a key of {place}", name, "a text")
            _check_json(each, f"{place}.{name[:60]}" if depth < 4 else place, depth + 1)
    elif type(value) in (list, tuple):
        for each in value:
            _check_json(each, place, depth + 1)
    elif type(value) is int:
        if abs(value) >= 10**MOST_DIGITS:
            raise _wrong(place, value, f"a number of at most {MOST_DIGITS} digits")
    elif type(value) is float and not math.isfinite(value):
        raise _wrong(place, value, "a finite number")
    elif type(value) not in (float, str, bool, type(None)):
        raise _wrong(place, value, "a JSON value")


def fields_of(
    value: Any,
    place: str,
    checks: Mapping[str, Check],
    may_lack: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """The checked fields of a table: those of `checks`, and no other one.

    Those of `may_lack` may be absent, and are left out then.
    """
    if not isinstance(value, Mapping):
        raise _wrong(place, value, "a table")
    found: dict[str, Any] = {}
    prefix = f"{place}." if place else ""
    for name, each in value.items():
        if name not in checks:
            raise ValueError(f"{prefix}{str(name)[:60]} is unknown: there is {', '.join(checks)}")
        found[name] = checks[name](each, f"{prefix}{name}")
    for name in checks:
        if name not in found and name not in may_lack:
            raise ValueError(f"{prefix}{name} is missing")
    return found
