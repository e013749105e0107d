"""How wide the columns of a table are, so that its rows fit a terminal. Pure functions."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from harness.core.text import shorten

__all__ = ["GAP", "WIDTH", "fitted", "least_width"]

WIDTH = 80
"""Characters of a row where nobody says how wide the terminal is."""
GAP = 2
"""Spaces between two columns."""
LEAST = {"name": 16, "prose": 16, "line": 16}
"""Characters that a column keeps at least, by its kind, if it needs as many."""
WHOLE = {**LEAST, "name": 40}
"""The same while there are columns that may be left out: names are rather left whole."""
_SEPARATORS = re.compile(r"[^A-Za-z0-9]+")


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
    widths = [max(map(len, column)) for column in columns]
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
    widths = [max(map(len, column)) for column in columns]
    least = (min(wide, WHOLE.get(kind, wide)) for wide, kind in zip(widths, kinds))
    return sum(least) + GAP * (len(columns) - 1)


def _broken(cell: str, kind: str, width: int) -> str:
    if len(cell) <= width or kind == "figure":
        return cell
    if kind == "line":
        return shorten(cell, width)
    if kind == "name":
        return "\n".join(_name_lines(cell, width))
    # A hyphen in a command, as in `--no-deps`, is no place to break it.
    return "\n".join(textwrap.wrap(cell, width, break_on_hyphens=False))


def _name_lines(name: str, width: int) -> list[str]:
    """A long name, broken behind a separator where one is in the second half of a line."""
    lines = []
    while len(name) > width:
        ends = [found.end() for found in _SEPARATORS.finditer(name, width // 2, width)]
        end = ends[-1] if ends else width
        lines.append(name[:end])
        name = name[end:]
    return [*lines, name]
