"""Tables with lines above them, as text for a terminal, Markdown or LaTeX; and their figures.

What the tables tell is up to the callers, who give texts as they are: a page escapes every one of
them, headings and titles too.
"""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.core.text import escape_latex, escape_markdown, printable, shorten
from harness.play.column_widths import WIDTH, fitted, laid_out, least_width
from harness.stats import Estimate

__all__ = [
    "FULL_WIDTH",
    "LINE",
    "WIDTH",
    "Column",
    "Lines",
    "Table",
    "fits",
    "latex_page",
    "markdown_line",
    "markdown_page",
    "narrowed",
    "number",
    "p_value",
    "one_decimal",
    "percent",
    "range_of",
    "share_of",
    "signed_points",
    "text_page",
    "three_decimals",
    "two_decimals",
]

FULL_WIDTH = 140
"""Characters of a row of a page that leaves nothing out, as far as the names in it allow."""
LINE = 96
"""Characters of a line above a table, at most."""
LONG_TABLE = 40
"""A LaTeX table with more rows than this may break over pages."""
LONGEST = {"figure": 200, "name": 500, "prose": 5000, "line": 500}
"""Characters of a cell at most, by the kind of its column: a longer one would widen every row."""
LONGEST_LINE = 50_000
"""Characters of a line above a table."""


@dataclass(frozen=True)
class Column:
    """A heading and its cells, not escaped. A column whose cells are all empty is not shown."""

    name: str
    cells: tuple[str, ...]
    kind: str = "figure"
    """`figure`: aligned right. The others are aligned left. `name`: whole where there is room, so
    that it can be copied. `prose`: broken into lines where that is needed to fit a terminal.
    `line`: cut there instead."""
    spare: int = 0
    """0: always shown. Of the others, those with the highest number are the first that `narrowed`
    leaves out, together."""


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


@dataclass(frozen=True)
class Lines:
    """A titled list of sentences, where a page for a terminal has no table."""

    title: str
    lines: tuple[str, ...]


def text_page(
    header: Sequence[str],
    parts: Sequence[Table | Lines],
    *,
    width: int = WIDTH,
    whole_names: bool = False,
) -> str:
    """Lines and tables for a terminal of `width` columns.

    `whole_names`: no name is broken, however wide it makes its row.
    """
    shown = [_filled(header, width)] if header else []
    for part in parts:
        if isinstance(part, Lines):
            body = _filled(part.lines, width)
        else:
            lead = [_filled([part.lead], width, indent="")] if part.lead else []
            body = "\n".join([*lead, _text_table(part, width, whole_names=whole_names)])
        title = _filled([part.title.upper()], width)
        shown.append("\n".join(filter(None, [title, body])))
    return "\n\n".join(shown)


def _filled(lines: Sequence[str], width: int, indent: str = "  ") -> str:
    return "\n".join(
        textwrap.fill(line, min(width, LINE), subsequent_indent=indent, break_on_hyphens=False)
        for line in map(_line, lines)
    )


def _text_table(table: Table, width: int, *, whole_names: bool) -> str:
    columns = _escaped(table, printable)
    if not columns:
        return ""
    cells, widths = fitted(
        [[column.name, *column.cells] for column in columns],
        ["figure" if whole_names and column.kind == "name" else column.kind for column in columns],
        width,
    )
    ruler = ["-" * wide for wide in widths]
    rows = [list(row) for row in zip(*cells)]
    rows.insert(1, ruler)
    if table.total:
        rows.insert(-1, ruler)
    return laid_out(rows, widths, [column.kind == "figure" for column in columns])


def narrowed(table: Table, width: int) -> tuple[Table, list[str]]:
    """The table without as many of its spare columns as it takes to fit; and the names of those."""
    columns, left_out = table.shown(), list[str]()
    while _least(table, columns) > width:
        most = max((column.spare for column in columns), default=0)
        if not most:
            break
        left_out[:0] = [column.name for column in columns if column.spare == most]
        columns = [column for column in columns if column.spare != most]
    return dataclasses.replace(table, columns=tuple(columns)), left_out


def fits(table: Table, width: int) -> bool:
    """Whether its rows fit without breaking most names."""
    return _least(table, table.shown()) <= width


def _least(table: Table, columns: Sequence[Column]) -> int:
    shown = _escaped(dataclasses.replace(table, columns=tuple(columns)), printable)
    return least_width(
        [[column.name, *column.cells] for column in shown], [column.kind for column in shown]
    )


def markdown_page(header: Sequence[str], tables: Sequence[Table]) -> str:
    """Lines and tables as Markdown."""
    from tabulate import tabulate

    parts = ["\n".join(f"- {markdown_line(line)}" for line in header)]
    for table in tables:
        columns = _escaped(table, escape_markdown)
        body = tabulate(
            _rows(columns),
            [column.name for column in columns],
            "pipe",
            disable_numparse=True,
            colalign=_alignment(columns),
        )
        lines = [f"## {markdown_line(table.title)}", markdown_line(table.lead), body]
        parts.append("\n\n".join(filter(None, lines)))
    return "\n\n".join(parts)


def markdown_line(text: str) -> str:
    """A paragraph, an entry of a list or a title that shows exactly this text."""
    return escape_markdown(shorten(text, LONGEST_LINE), block=True)


def latex_page(header: Sequence[str], tables: Sequence[Table]) -> str:
    """Lines and tables as LaTeX."""
    lines = "\n\n".join(escape_latex(_line(line)) for line in header)
    parts = ["% needs \\usepackage{booktabs,longtable}", lines]
    for table in tables:
        title = f"\\paragraph{{{escape_latex(_line(table.title))}}}"
        lead = escape_latex(_line(table.lead))
        parts.append("\n\n".join(filter(None, [title, lead, _latex_table(table)])))
    return "\n\n".join(parts)


def _latex_table(table: Table) -> str:
    columns = _escaped(table, lambda text: printable(text).strip())
    widths = [max(len(each.name) + 2, *map(len, each.cells)) for each in columns]

    def row(cells: Sequence[str]) -> str:
        parts = []
        for column, width, cell in zip(columns, widths, cells):
            # The source is aligned by what is shown.
            room, shown = " " * (width - len(cell)), escape_latex(cell)
            parts.append(room + shown if column.kind == "figure" else shown + room)
        return f" {' & '.join(parts)} \\\\"

    rows = _rows(columns)
    long = len(rows) > LONG_TABLE
    name = "longtable" if long else "tabular"
    top, middle, bottom = ("hline",) * 3 if long else ("toprule", "midrule", "bottomrule")
    letters = "".join("r" if column.kind == "figure" else "l" for column in columns)
    lines = [f"\\begin{{{name}}}{{{letters}}}", f"\\{top}"]
    lines += [row([column.name for column in columns]), f"\\{middle}"]
    lines += ["\\endhead"] if long else []
    lines += [*map(row, rows), f"\\{bottom}", f"\\end{{{name}}}"]
    return "\n".join(lines)


def _line(text: str) -> str:
    return printable(shorten(text, LONGEST_LINE))


def _escaped(table: Table, escape: Callable[[str], str]) -> list[Column]:
    """The columns that are shown, names and cells escaped, none longer than its kind allows."""

    def cell(text: str, kind: str) -> str:
        return escape(shorten(text, LONGEST[kind]))

    return [
        dataclasses.replace(
            column,
            name=cell(column.name, column.kind),
            cells=tuple(cell(text, column.kind) for text in column.cells),
        )
        for column in table.shown()
    ]


def _rows(columns: Sequence[Column]) -> list[list[str]]:
    return [list(row) for row in zip(*(column.cells for column in columns))]


def _alignment(columns: Sequence[Column]) -> tuple[str, ...]:
    return tuple("right" if column.kind == "figure" else "left" for column in columns)


def percent(value: float | None) -> str:
    """A share of 1, in percent with one decimal."""
    return "" if value is None else f"{100 * value:.1f}"


def p_value(p: float) -> str:
    """As it is printed."""
    return "<0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.01 else f"{p:.2f}"


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
