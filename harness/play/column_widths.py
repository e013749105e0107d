"""Columns of a table whose rows fit a terminal. Pure functions of texts without controls."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

__all__ = ["GAP", "WIDTH", "columns_of", "fitted", "laid_out", "least_width"]

WIDTH = 80
"""Characters of a row where nobody says how wide the terminal is."""
GAP = 2
"""Spaces between two columns."""
LEAST = {"name": 16, "prose": 16, "line": 16}
"""Characters that a column keeps at least, by its kind, if it needs as many."""
WHOLE = {**LEAST, "name": 40}
"""The same while there are columns that may be left out: names are rather left whole."""
_SEPARATORS = re.compile(r"[^A-Za-z0-9]+")
_SPACES = re.compile(r" +")


def fitted(
    columns: Sequence[Sequence[str]], kinds: Sequence[str], width: int
) -> tuple[list[list[str]], list[int]]:
    """The cells, broken into lines where that is needed, and the widths of the columns.

    columns: of each its heading and its cells, one line each.
    kinds: of each column:
        `figure`  never broken
        `name`    broken only if the prose has no room left to give
        `prose`   broken between words
        `line`    stays one line: cut, with `…` at its end
    width: of a whole row. The rows are wider if the figures alone are.
    """
    widths = [max(map(columns_of, column)) for column in columns]
    least = [min(wide, LEAST.get(kind, wide)) for wide, kind in zip(widths, kinds)]
    room = max(width - GAP * (len(columns) - 1), 1)
    for giving in (("prose", "line"), ("name",)):
        some = [number for number, kind in enumerate(kinds) if kind in giving]
        for number in some:
            widths[number] = max(least[number], min(widths[number], room))
        while sum(widths) > room and any(widths[number] > least[number] for number in some):
            # The widest one gives, so that narrow columns stay whole.
            widest = max(
                (number for number in some if widths[number] > least[number]),
                key=lambda number: widths[number],
            )
            widths[widest] -= 1
    cells = [
        [_broken(cell, kind, wide) for cell in column]
        for column, kind, wide in zip(columns, kinds, widths)
    ]
    return cells, widths


def least_width(columns: Sequence[Sequence[str]], kinds: Sequence[str]) -> int:
    """The width of a row whose columns are narrow, and most names whole."""
    widths = [max(map(columns_of, column)) for column in columns]
    least = (min(wide, WHOLE.get(kind, wide)) for wide, kind in zip(widths, kinds))
    return sum(least) + GAP * (len(columns) - 1)


def columns_of(text: str) -> int:
    """How many columns a terminal takes for a text: two for a wide character, as of Chinese."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "WF")
        for each in text
    )


def laid_out(rows: Sequence[Sequence[str]], widths: Sequence[int], right: Sequence[bool]) -> str:
    """Rows of cells, whose lines stand side by side; `right`: which columns are aligned right."""
    shown = []
    for row in rows:
        cells = [cell.split("\n") for cell in row]
        for number in range(max(map(len, cells))):
            parts = [lines[number] if number < len(lines) else "" for lines in cells]
            padded = (
                " " * (wide - columns_of(part)) + part
                if at_right
                else part + " " * (wide - columns_of(part))
                for part, wide, at_right in zip(parts, widths, right)
            )
            shown.append((" " * GAP).join(padded).rstrip())
    return "\n".join(shown)


def _broken(cell: str, kind: str, width: int) -> str:
    if columns_of(cell) <= width or kind == "figure":
        return cell
    if kind == "line":
        return cell[: _fitting(cell, width - 1)] + "…"
    return "\n".join(_lines(cell, width, name=kind == "name"))


def _lines(text: str, width: int, *, name: bool) -> list[str]:
    """Prose between words; a name behind a separator, where one is in the second half of a line.

    A hyphen in a command, as in `--no-deps`, is no place to break prose.
    """
    lines = []
    while columns_of(text) > width:
        end = room = _fitting(text, width)
        if name:
            ends = [found.end() for found in _SEPARATORS.finditer(text, room // 2, room)]
        else:
            ends = [found.end() for found in _SPACES.finditer(text, 0, room + 1) if found.start()]
        end = ends[-1] if ends else room
        lines.append(text[:end].rstrip())
        text = text[end:] if name else text[end:].lstrip()
    return [*lines, text]


def _fitting(text: str, width: int) -> int:
    """How many characters fit, one at least."""
    if text.isascii():
        return max(width, 1)
    taken = 0
    for number, each in enumerate(text):
        taken += columns_of(each)
        if taken > width:
            return max(number, 1)
    return len(text)
