"""How an entry of `Agent.reads` is written: `image`, `image?`, `image? unless dom`, or
`dom? unless image 210x160 or 667x375`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["ENTRY", "as_optional", "is_optional", "is_shown", "view_of"]

UNLESS, OR = " unless ", " or "
_NAME = r"[A-Za-z0-9_./-]+"
_SIZE = r"[1-9][0-9]*x[1-9][0-9]*"
ENTRY = rf"{_NAME}\??({UNLESS}{_NAME}( {_SIZE}({OR}{_SIZE})*)?)?|\*"
"""A regular expression of all entries."""


def view_of(entry: str) -> str:
    """The name of the view: `view_of("image? unless dom") == "image"`."""
    return entry.partition(UNLESS)[0].rstrip("?")


def is_optional(entry: str) -> bool:
    """Whether the agent can do without the view where a task does not offer it."""
    return entry.partition(UNLESS)[0].endswith("?")


def as_optional(entry: str) -> str:
    """The same entry, of a view that can be done without."""
    _, unless, other = entry.partition(UNLESS)
    return f"{view_of(entry)}?{unless}{other}"


def is_shown(entry: str, reads: Sequence[str], offered: Mapping[str, Any]) -> bool:
    """Whether an agent with these `reads` is shown the view of `entry`, one of them, if it can be.

    Not beside the view behind `unless`, where that is `offered`, read as well, and of a size that
    the entry names, if it names any: rows x columns. If that view comes first in `reads`, and is
    itself not shown, it is in nobody's way.

    `offered`: the specs or the values of views, by name.
    """
    other, _, sizes = entry.partition(UNLESS)[2].partition(" ")
    names = [view_of(each) for each in reads]
    if other not in offered or other not in names:
        return True
    if sizes and _size(offered[other]) not in sizes.split(OR):
        return True
    place = names.index(other)
    return place < list(reads).index(entry) and not is_shown(reads[place], reads, offered)


def _size(view: Any) -> str:
    """Rows x columns of the spec or the value of a view; nothing if it has none."""
    shape: Sequence[int] = getattr(view, "shape", ())
    return "x".join(map(str, shape[:2])) if len(shape) >= 2 else ""
