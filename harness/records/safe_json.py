"""Reading JSON that a stranger may have made: bounded in size, depth and numbers."""

from __future__ import annotations

import json
import math
from typing import Any

__all__ = ["MOST_DEPTH", "parse", "shown"]

MOST_DEPTH = 64
MOST_VALUES = 4_000_000
"""Of a document: an empty list takes two bytes in the file and sixty in memory."""
MOST_DIGITS = 400


def parse(content: bytes | str) -> Any:
    """The value of a JSON document.

    Raises ValueError for anything else, and for a document with more than MOST_VALUES values, one
    nested more than MOST_DEPTH deep, a number that is not finite or has more than MOST_DIGITS
    digits, or an object that has a key twice.
    """
    text = content.decode() if isinstance(content, bytes) else content
    # Commas and brackets in texts count too: this is a bound, not a number.
    if sum(map(text.count, ",[{")) > MOST_VALUES:
        raise ValueError(f"it holds more than {MOST_VALUES} values")
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise ValueError(f"it is nested more than {MOST_DEPTH} deep") from None
    _check_depth(value)
    return value


def shown(value: object) -> str:
    """A wrong value as a message names it, in at most 80 characters."""
    if value is None or isinstance(value, (bool, float)):
        return str(value)
    if isinstance(value, int):
        return str(value) if abs(value) < 1 << 64 else "a huge number"
    if isinstance(value, str):
        return repr(value) if len(value) <= 60 else f"{value[:60]!r}..."
    kinds = {"dict": "a table", "list": "a list", "tuple": "a list"}
    return kinds.get(type(value).__name__, f"a {type(value).__name__}")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MOST_DEPTH):
        containers = [each for each in level if type(each) is dict or type(each) is list]
        if not containers:
            return
        level = [
            inner
            for each in containers
            for inner in (each.values() if type(each) is dict else each)
            if type(inner) is dict or type(inner) is list
        ]
    raise ValueError(f"it is nested more than {MOST_DEPTH} deep")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise ValueError(f"it has the key {twice[:60]!r} twice")
    return found


def _integer(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"it holds a number of {len(text)} digits")
    return int(text)


def _float(text: str) -> float:
    if len(text) > MOST_DIGITS or not math.isfinite(value := float(text)):
        raise ValueError("it holds a number that is not finite")
    return value


def _constant(text: str) -> Any:
    raise ValueError(f"it holds {text}, which is no number of JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_float,
    parse_constant=_constant,
)
