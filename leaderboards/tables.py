"""Tables with lines above them, as text for a terminal, Markdown or LaTeX. Knows nothing of what they tell."""

from __future__ import annotations

import dataclasses
import html
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["WIDTH", "Column", "Table", "latex_page", "markdown_page", "text_page"]

WIDTH = 140
"""Columns of a terminal that the text fits, as far as its names allow."""
LONG_TABLE = 40
"""Rows from which a LaTeX table may break over pages."""


@dataclass(frozen=True)
class Column:
    """A column: its heading and its cells. Without any content it is not shown."""

    name: str
    cells: tuple[str, ...]
    kind: str = "figure"
    """`figure`: aligned right. `name`: left, in one piece, so that it can be copied. `prose`: left, broken into lines where it must be."""


@dataclass(frozen=True)
class Table:
    """A titled table; `lead` is a sentence above it; the last row stands apart where it is a total."""

    title: str
    columns: tuple[Column, ...]
    lead: str = ""
    total: bool = False

    def shown(self) -> list[Column]:
        """The columns that hold anything."""
        return [column for column in self.columns if any(column.cells)]


def text_page(header: Sequence[str], tables: Sequence[Table]) -> str:
    """Lines and tables for a terminal."""
    from tabulate import tabulate

    parts = [
        "\n".join(textwrap.fill(_clean(line), WIDTH, subsequent_indent="  ") for line in header)
    ]
    for table in tables:
        columns, widths = _fitted(table.shown())
        ruler = ["-" * width for width in widths]
        rows = [[column.name for column in columns], ruler, *_rows(columns)]
        if table.total:
            rows.insert(-1, ruler)
        body = tabulate(
            rows, tablefmt="plain", disable_numparse=True, colalign=_alignment(columns)
        )  # the other styles widen every heading
        lead = [textwrap.fill(_clean(table.lead), WIDTH)] if table.lead else []
        parts.append("\n".join([_clean(table.title).upper(), *lead, "", body]))
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
        rows = [[_clean(cell) for cell in row] for row in _rows(columns)]
        style = (
            "latex_longtable" if len(rows) > LONG_TABLE else "latex_booktabs"
        )  # tabulate escapes the cells of both
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
    """The columns, cleaned, prose broken into lines so that the whole fits WIDTH; and their widths."""
    fitted = [
        dataclasses.replace(column, cells=tuple(map(_clean, column.cells))) for column in columns
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
    for left, (width, k) in zip(
        range(len(prose), 0, -1), prose
    ):  # the narrow ones first: what they leave is for the others
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


def _clean(text: str) -> str:
    """One line without control characters: what came from a file must not steer a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def _escape_markdown(text: str) -> str:
    escaped = html.escape(_clean(text), quote=False)
    return re.sub(r"([\\`*\[\]|~#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))", r"\\\1", escaped)


def _escape_latex(text: str) -> str:
    from tabulate import LATEX_ESCAPE_RULES

    return "".join(LATEX_ESCAPE_RULES.get(character, character) for character in _clean(text))
