"""Remarks on the rows of a page's tables, told once below them."""

from __future__ import annotations

import string
from collections.abc import Sequence

from harness.core.grammar import counted
from leaderboards.row_notes import Note

__all__ = ["Footnotes"]

MOST_DETAILS = 6
"""Rows of which a footnote tells what is different there; the others are counted."""


class Footnotes:
    """Gives signs to remarks: a letter for each kind, over all tables of a page."""

    def __init__(self) -> None:
        self._details: dict[str, dict[str, str]] = {}

    def signs(self, row: str, notes: Sequence[Note]) -> str:
        """What stands in the row: `a c`. `row`: its name, under which its details are told."""
        for note in notes:
            self._details.setdefault(note.kind, {})[row] = note.detail
        kinds = list(self._details)
        return " ".join(
            _sign(number) for number in sorted({kinds.index(each.kind) for each in notes})
        )

    def lines(self) -> list[str]:
        """A line for each sign, in the order in which they came up."""
        return [
            f"({_sign(number)}) {kind}{_told(details)}"
            for number, (kind, details) in enumerate(self._details.items())
        ]


def _sign(number: int) -> str:
    letters = string.ascii_lowercase
    before = number // len(letters)
    return (_sign(before - 1) if before else "") + letters[number % len(letters)]


def _told(details: dict[str, str]) -> str:
    different = set(details.values())
    if different == {""}:
        return ""
    if len(different) == 1:
        return f": {different.pop()}" + (" in each" if len(details) > 1 else "")
    shown = [f"{row} {detail}" for row, detail in details.items()]
    more = len(shown) - MOST_DETAILS
    if more > 1:
        shown[MOST_DETAILS:] = [f"{counted(more, 'more row')}: see --full"]
    return f": {'; '.join(shown)}"
