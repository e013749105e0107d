"""Which stages and modes changed between two runs, as text, Markdown or JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.core import UserError
from harness.core.grammar import counted
from harness.probes.stage_changes import StageChange, StageChanges
from leaderboards.data_formats import json_page
from leaderboards.flatten import EstimateNames, flatten
from leaderboards.tables import (
    FULL_WIDTH,
    WIDTH,
    Column,
    Table,
    markdown_page,
    narrowed,
    p_value,
    percent,
    range_of,
    signed_points,
    text_page,
)

__all__ = ["change_sentences", "change_table", "render_changes"]

SCHEMA = 1
ESTIMATES: EstimateNames = {StageChange: {"difference": ("difference", "low", "high")}}


def render_changes(
    found: StageChanges, format: str, *, full: bool = False, width: int = WIDTH
) -> str:
    """As `text`, `markdown` or `json`, without a newline at its end. Raises UserError."""
    if format == "json":
        fields: Mapping[str, Any] = flatten(found, ESTIMATES)
        return json_page({"schema": SCHEMA, **fields}).rstrip("\n")
    header, table = change_sentences(found), change_table(found)
    if format == "markdown":
        return markdown_page(header, [table]).rstrip("\n")
    if format != "text":
        raise UserError(f"--stages has no {format}: choose text, markdown, json, html")
    if full:
        width = max(width, FULL_WIDTH)
    else:
        table, left_out = narrowed(table, width)
        if left_out:
            header.append(f"`--full` has more: columns {', '.join(left_out)}")
    return text_page(header, [table], width=width, whole_names=full).rstrip("\n")


def change_sentences(found: StageChanges) -> list[str]:
    """What moved, and what is to be borne in mind."""
    moved = [row for row in found.rows if row.moved]
    told = "; ".join(
        f"{row.domain}: {row.kind} {row.name} {signed_points(row.difference.value)} points"
        for row in moved
    )
    looked = f"{len(found.rows)} stages and modes looked at"
    lines = [
        f"base {found.base}, new {found.new}; alpha {found.alpha:g}",
        f"moved: {told} ({looked})" if moved else f"nothing clearly moved ({looked})",
    ]
    if found.unknown:
        lines.append(f"{counted(found.unknown, 'episode')} of the pairs not known, and left out")
    return [*lines, *found.notes]


def change_table(found: StageChanges) -> Table:
    """A row for each stage and mode."""
    rows = found.rows
    return Table(
        "stages and failure modes",
        (
            Column("domain", tuple(row.domain for row in rows), "name"),
            Column("kind", tuple(row.kind for row in rows), "name"),
            Column("name", tuple(row.name for row in rows), "prose"),
            Column("base %", tuple(percent(row.base) for row in rows), spare=2),
            Column("new %", tuple(percent(row.new) for row in rows), spare=2),
            Column("difference", tuple(signed_points(row.difference.value) for row in rows)),
            Column("interval", tuple(range_of(row.difference, signed_points) for row in rows)),
            Column("corrected", tuple(p_value(row.adjusted) for row in rows)),
            Column("pairs", tuple(str(row.pairs) for row in rows), spare=1),
            Column("verdict", tuple("moved" if row.moved else "" for row in rows), "name"),
        ),
        "Shares of episodes, in points of 100, new minus base, on the same cases; a stage: those "
        "that reached it; a mode: those that failed so first. An interval is for its row alone, "
        "the p-values are corrected by Holm for all rows.",
    )
