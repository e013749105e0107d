"""Tables of the commands, for a terminal or as Markdown: every cell is escaped before layout.

No other module of harness lays out tables, so that no text of a stranger is printed as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from harness.core.text import escape_markdown, printable, shorten
from harness.play.column_widths import WIDTH, fitted, laid_out

__all__ = ["WHOLE", "markdown_table", "text_table"]

LONGEST = 2000
"""Characters of a cell; longer ones are cut, so that no cell fills the memory with its column."""
WHOLE = 1_000_000
"""The width of a table of which nothing is broken."""

_FIGURE = re.compile(r"[-+]?[0-9]{1,20}(\.[0-9]{1,20})?|")


def text_table(
    head: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    width: int = WIDTH,
    figures: bool = False,
) -> str:
    """A table for a terminal of `width` columns; columns without content are left out.

    Texts are broken into lines where that is needed: first those with spaces, between words, then
    names. `figures`: columns that hold numbers only are aligned right, and never broken.
    """
    shown = [k for k in range(len(head)) if any(str(row[k]) for row in rows)]
    shown = shown or list(range(len(head)))
    head = [head[number] for number in shown]
    rows = [[row[number] for number in shown] for row in rows]
    columns = [_cells(name, rows, number, printable) for number, name in enumerate(head)]
    right = _right(head, rows) if figures else [False] * len(head)
    kinds = ["figure" if at_right else _kind(column) for at_right, column in zip(right, columns)]
    cells, widths = fitted(columns, kinds, width)
    told = [list(row) for row in zip(*cells)]
    told.insert(1, ["-" * wide for wide in widths])
    return laid_out(told, widths, right)


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table of Markdown; columns that hold numbers only are aligned right."""
    from tabulate import tabulate

    columns = [_cells(name, rows, number, escape_markdown) for number, name in enumerate(head)]
    aligned = ["right" if each else "left" for each in _right(head, rows)]
    return str(
        tabulate(
            [list(row) for row in zip(*(column[1:] for column in columns))],
            [column[0] for column in columns],
            tablefmt="github",
            disable_numparse=True,
            colalign=aligned if rows else None,
        )
    )


def _cells(
    name: str, rows: Sequence[Sequence[object]], number: int, escape: Callable[[str], str]
) -> list[str]:
    """The heading and the cells of a column."""
    return [
        escape(shorten(str(value), LONGEST)) for value in (name, *(row[number] for row in rows))
    ]


def _right(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[bool]:
    """Which columns hold numbers only."""
    return [
        bool(rows) and all(_FIGURE.fullmatch(str(row[number])) for row in rows)
        for number in range(len(head))
    ]


def _kind(column: Sequence[str]) -> str:
    """Names have no spaces."""
    return "prose" if any(" " in cell.strip() for cell in column[1:]) else "name"
