"""Tables of the commands, for a terminal or as Markdown: every cell is escaped before layout.

No other module of harness lays out tables, so that no text of a stranger is printed as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from harness.core.text import escape_markdown, printable, shorten

__all__ = ["markdown_table", "text_table"]

LONGEST = 2000
"""Characters of a cell; longer ones are cut, so that no cell fills the memory with its column."""

_FIGURE = re.compile(r"[-+]?[0-9]{1,20}(\.[0-9]{1,20})?|")


def text_table(
    head: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    widths: Sequence[int | None] | None = None,
    figures: bool = False,
) -> str:
    """A table for a terminal.

    `widths`: columns are broken into lines at this many characters. `figures`: columns that hold
    numbers only are aligned right.
    """
    return _table(head, rows, printable, "simple", figures, widths)


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table of Markdown; columns that hold numbers only are aligned right."""
    return _table(head, rows, escape_markdown, "github", True, None)


def _table(
    head: Sequence[str],
    rows: Sequence[Sequence[object]],
    escape: Callable[[str], str],
    style: str,
    figures: bool,
    widths: Sequence[int | None] | None,
) -> str:
    from tabulate import tabulate

    def cell(value: object) -> str:
        return escape(shorten(str(value), LONGEST))

    right = [
        figures and bool(rows) and all(_FIGURE.fullmatch(str(row[column])) for row in rows)
        for column in range(len(head))
    ]
    return str(
        tabulate(
            [[cell(value) for value in row] for row in rows],
            [cell(name) for name in head],
            tablefmt=style,
            disable_numparse=True,
            colalign=["right" if each else "left" for each in right] if rows else None,
            maxcolwidths=widths,
        )
    )
