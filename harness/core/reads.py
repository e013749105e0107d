"""How an entry of `Agent.reads` is written: `image`, `image?` or `image? unless dom`."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["ENTRY", "as_optional", "is_optional", "is_shown", "view_of"]

UNLESS = " unless "
_NAME = r"[A-Za-z0-9_./-]+"
ENTRY = rf"{_NAME}\??({UNLESS}{_NAME})?|\*"
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


def is_shown(entry: str, reads: Collection[str], offered: Collection[str]) -> bool:
    """Whether an agent with these `reads` is shown the view of `entry`, one of them, if it can be.

    Not beside the view behind `unless`, where that is `offered` and read as well.
    """
    other = entry.partition(UNLESS)[2]
    return other not in offered or other not in map(view_of, reads)
