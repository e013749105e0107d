"""Tables as the templates of pages take them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

from harness.core.text import printable, shorten
from leaderboards.tables import LONGEST, Column, Table

__all__ = ["HtmlCell", "HtmlTable", "html_tables"]

_LEADING = re.compile(r"[^\d+-]{0,2}([+-]?\d[\d,]*(?:\.\d+)?)")
TAKEN = (
    "answer-time", "by-score", "by-severity", "by-task", "cases", "conditions", "data",
    "differences", "failures", "left-out", "main", "not-run", "protocols", "provenance", "ranks",
    "reading", "time", "tokens",
)  # fmt: skip
"""Ids of the pages' other parts."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HtmlCell:
    """A cell, its kind, and the number by which its column is sorted; None: by its text."""

    text: str
    kind: str
    order: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class HtmlTable:
    """A table of the report for the template."""

    id: str
    title: str
    lead: str
    head: tuple[tuple[str, str], ...]
    """(heading, kind of the column)."""
    rows: tuple[tuple[HtmlCell, ...], ...]
    total: tuple[HtmlCell, ...] | None
    """The row that is set apart, which stays below all others."""


def html_tables(tables: Iterable[Table]) -> list[HtmlTable]:
    """The tables as the template takes them, without empty columns; all texts as they are."""
    found, used = [], set(TAKEN)
    for table in tables:
        columns = table.shown()
        rows = [
            tuple(_cell(column, number) for column in columns)
            for number in range(len(columns[0].cells) if columns else 0)
        ]
        name = re.sub(r"[^a-z0-9]+", "-", table.title.lower()).strip("-") or "table"
        while name in used:
            name += "-more"
        used.add(name)
        found.append(
            HtmlTable(
                id=name,
                title=printable(table.title),
                lead=printable(table.lead),
                head=tuple((printable(column.name), column.kind) for column in columns),
                rows=tuple(rows[:-1] if table.total else rows),
                total=rows[-1] if table.total and rows else None,
            )
        )
    return found


def _cell(column: Column, number: int) -> HtmlCell:
    text = printable(shorten(column.cells[number], LONGEST[column.kind]))
    order = None
    if column.kind == "figure":
        leading = _LEADING.match(text)
        # What has no figure stands below all that has one.
        order = float(leading[1].replace(",", "")) if leading else -1e300
    return HtmlCell(text=text, kind=column.kind, order=order)
