"""Tables with lines above them, as text for a terminal, Markdown or LaTeX; and their figures.

What the tables tell is up to the callers.
"""

from __future__ import annotations

import dataclasses
import html
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.stats import Estimate

__all__ = [
    "WIDTH",
    "Column",
    "Table",
    "counted",
    "latex_page",
    "markdown_page",
    "number",
    "one_decimal",
    "percent",
    "printable",
    "range_of",
    "share_of",
    "signed_points",
    "text_page",
    "three_decimals",
    "two_decimals",
]

WIDTH = 140
"""Characters of a line of text, as far as the names in it allow."""
LONG_TABLE = 40
"""A LaTeX table with more rows than this may break over pages."""


@dataclass(frozen=True)
class Column:
    """A heading and its cells. A column whose cells are all empty is not shown."""

    name: str
    cells: tuple[str, ...]
    kind: str = "figure"
    """`figure`: aligned right. `name`: aligned left and never broken, so that it can be copied.
    `prose`: aligned left, broken into lines where that is needed to fit WIDTH."""


@dataclass(frozen=True)
class Table:
    """A titled table, with `lead` as a sentence above it."""

    title: str
    columns: tuple[Column, ...]
    lead: str = ""
    total: bool = False
    """Whether a line sets the last row apart."""

    def shown(self) -> list[Column]:
        """The columns that have a cell with content."""
        return [column for column in self.columns if any(column.cells)]


def text_page(header: Sequence[str], tables: Sequence[Table]) -> str:
    """Lines and tables for a terminal."""
    from tabulate import tabulate

    parts = [
        "\n".join(textwrap.fill(printable(line), WIDTH, subsequent_indent="  ") for line in header)
    ]
    for table in tables:
        columns, widths = _fitted(table.shown())
        ruler = ["-" * width for width in widths]
        rows = [[column.name for column in columns], ruler, *_rows(columns)]
        if table.total:
            rows.insert(-1, ruler)
        # The headings are rows here: every other style adds to their width.
        body = tabulate(rows, tablefmt="plain", disable_numparse=True, colalign=_alignment(columns))
        lead = [textwrap.fill(printable(table.lead), WIDTH)] if table.lead else []
        parts.append("\n".join([printable(table.title).upper(), *lead, "", body]))
    return "\n\n\n".join(parts)


def markdown_page(header: Sequence[str], tables: Sequence[Table]) -> str:
    """Lines and tables as Markdown."""
    from tabulate import tabulate

    parts = ["\n".join(f"- {_escape_markdown(line)}" for line in header)]
    for table in tables:
        columns = table.shown()
        rows = [[_escape_markdown(cell) for cell in row] for row in _rows(columns)]
        body = tabulate(
            rows,
            [column.name for column in columns],
            "pipe",
            disable_numparse=True,
            colalign=_alignment(columns),
        )
        parts.append(
            "\n\n".join(
                filter(
                    None,
                    [f"## {_escape_markdown(table.title)}", _escape_markdown(table.lead), body],
                )
            )
        )
    return "\n\n".join(parts)


def latex_page(header: Sequence[str], tables: Sequence[Table]) -> str:
    """Lines and tables as LaTeX."""
    from tabulate import tabulate

    parts = ["% needs \\usepackage{booktabs,longtable}", "\n\n".join(map(_escape_latex, header))]
    for table in tables:
        columns = table.shown()
        # tabulate escapes the cells of these two styles.
        rows = [[printable(cell) for cell in row] for row in _rows(columns)]
        style = "latex_longtable" if len(rows) > LONG_TABLE else "latex_booktabs"
        body = tabulate(
            rows,
            [column.name for column in columns],
            style,
            disable_numparse=True,
            colalign=_alignment(columns),
        )
        parts.append(
            "\n\n".join(
                filter(
                    None,
                    [
                        f"\\paragraph{{{_escape_latex(table.title)}}}",
                        _escape_latex(table.lead),
                        body,
                    ],
                )
            )
        )
    return "\n\n".join(parts)


def _fitted(columns: Sequence[Column]) -> tuple[list[Column], list[int]]:
    """The columns without control characters, prose broken to fit WIDTH, and their widths."""
    fitted = [
        dataclasses.replace(column, cells=tuple(map(printable, column.cells))) for column in columns
    ]
    widths = [max(map(len, (column.name, *column.cells))) for column in fitted]
    prose = sorted(
        (width, k)
        for k, (column, width) in enumerate(zip(fitted, widths))
        if column.kind == "prose"
    )
    room = (
        WIDTH
        - 2 * (len(fitted) - 1)
        - sum(width for column, width in zip(fitted, widths) if column.kind != "prose")
    )
    # The narrow ones first: the room that they leave is shared by the wider ones.
    for left, (width, k) in zip(range(len(prose), 0, -1), prose):
        widths[k] = min(width, max(16, room // left))
        room -= widths[k]
        fitted[k] = dataclasses.replace(
            fitted[k],
            cells=tuple("\n".join(textwrap.wrap(cell, widths[k])) for cell in fitted[k].cells),
        )
    return fitted, widths


def _rows(columns: Sequence[Column]) -> list[list[str]]:
    return [list(row) for row in zip(*(column.cells for column in columns))]


def _alignment(columns: Sequence[Column]) -> tuple[str, ...]:
    return tuple("right" if column.kind == "figure" else "left" for column in columns)


def printable(text: str) -> str:
    """One line without control characters: text from a file must not steer a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def _escape_markdown(text: str) -> str:
    escaped = html.escape(printable(text), quote=False)
    return re.sub(r"([\\`*\[\]|~#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))", r"\\\1", escaped)


def _escape_latex(text: str) -> str:
    from tabulate import LATEX_ESCAPE_RULES

    return "".join(LATEX_ESCAPE_RULES.get(character, character) for character in printable(text))


def percent(value: float | None) -> str:
    """A share of 1, in percent with one decimal."""
    return "" if value is None else f"{100 * value:.1f}"


def signed_points(difference: float) -> str:
    """A difference of shares, in points of 100 with its sign."""
    return f"{100 * difference:+.1f}"


def one_decimal(value: float | None) -> str:
    """As `12.3`."""
    return "" if value is None else f"{value:.1f}"


def two_decimals(value: float | None) -> str:
    """As `1.23`."""
    return "" if value is None else f"{value:.2f}"


def three_decimals(value: float | None) -> str:
    """As `0.123`: for values of about 0 to 1."""
    return "" if value is None else f"{value:.3f}"


def number(value: float | None) -> str:
    """Two decimals, from 100 on one: for scores of any size."""
    return "" if value is None else f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}"


def range_of(found: Estimate | None, write: Callable[[float], str]) -> str:
    """Both bounds, as in `1.2 to 3.4`; nothing where one is missing."""
    if found is None or found.low is None or found.high is None:
        return ""
    return f"{write(found.low)} to {write(found.high)}"


def share_of(some: int, whole: int) -> str:
    """`3 of 5`, or `5` for all of them."""
    return str(some) if some == whole else f"{some} of {whole}"


def counted(count: int, noun: str) -> str:
    """`1 task`, `2 tasks`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
