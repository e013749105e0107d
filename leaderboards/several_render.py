"""A comparison of three runs or more as text, Markdown or JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.core import UserError
from harness.core.grammar import counted
from leaderboards.compare_several import Contrast, Several
from leaderboards.data_formats import json_page
from leaderboards.flatten import EstimateNames, flatten
from leaderboards.tables import (
    FULL_WIDTH,
    WIDTH,
    Column,
    Lines,
    Table,
    markdown_page,
    narrowed,
    p_value,
    percent,
    range_of,
    signed_points,
    text_page,
)

__all__ = ["render_several", "several_header", "several_tables", "several_to_json"]

SCHEMA = 1
ESTIMATES: EstimateNames = {Contrast: {"difference": ("difference", "low", "high")}}


def render_several(several: Several, format: str, *, full: bool = False, width: int = WIDTH) -> str:
    """As `text`, `markdown` or `json`, without a newline at its end. Raises UserError.

    full, width: of the text; see leaderboards.render.render. The runs stand last there.
    """
    if format == "json":
        return json_page(several_to_json(several)).rstrip("\n")
    if format == "markdown":
        return markdown_page(several_header(several), several_tables(several)).rstrip("\n")
    if format != "text":
        raise UserError(f"there is no format {format!r}: choose text, markdown, json")
    runs, pairs = several_tables(several)
    what, *notes = several_header(several)
    if full:
        width = max(width, FULL_WIDTH)
    else:
        pairs, left_out = narrowed(pairs, width)
        if left_out:
            notes.append(f"`--full` has more: columns {', '.join(left_out)}")
    parts: list[Table | Lines] = [pairs, Lines("notes", tuple(notes)), runs]
    return text_page([what], parts, width=width, whole_names=full).rstrip("\n")


def several_to_json(several: Several) -> dict[str, Any]:
    """Plain JSON values: schema, and the fields of Several."""
    fields: Mapping[str, Any] = flatten(several, ESTIMATES)
    return {"schema": SCHEMA, **fields}


def several_header(several: Several) -> list[str]:
    """What was compared, whether the agents differ at all, and how to read the tables."""
    found = several.q
    lines = [
        f"{counted(len(several.runs), 'run')} on {counted(several.cases, 'case')} of "
        f"{counted(several.tasks, 'task')} that all of them have a score of; alpha "
        f"{several.alpha:g}; a verdict is for two",
    ]
    if found is not None:
        says = (
            "the agents do not all succeed equally often"
            if found.p <= several.alpha
            else "nothing shows that the agents do not succeed equally often"
        )
        lines.append(
            f"{says}: Cochran's Q {found.q:.2f} ({found.df} df), p {p_value(found.p)} by "
            f"exchanging agents within a seed; {p_value(found.p_chi2)} by chi-square, as if all "
            "cases were independent"
        )
    lines.append(
        "runs that share a letter cannot be told apart: each pair is tested as `bench compare` "
        "tests two runs, with Holm's correction over the pairs. Rank: all ranks lie in their "
        f"bounds with a chance of {100 * (1 - several.alpha):g} % or more"
    )
    return [*lines, *several.notes]


def several_tables(several: Several) -> list[Table]:
    """The runs from the best to the worst, then all pairs."""
    runs, contrasts = several.runs, several.contrasts
    return [
        Table(
            "runs",
            (
                Column("run", tuple(row.run for row in runs), "name"),
                Column("agent", tuple(row.agent for row in runs), "name"),
                Column("success %", tuple(percent(row.rate) for row in runs)),
                Column("letters", tuple(row.letters for row in runs), "name"),
                Column("rank", tuple(_ranks(row.rank_low, row.rank_high) for row in runs)),
            ),
            "From the best to the worst as they were seen. Means over tasks, each weighing the "
            "same.",
        ),
        Table(
            "pairs",
            (
                Column("base", tuple(row.base for row in contrasts), "name"),
                Column("new", tuple(row.new for row in contrasts), "name"),
                Column(
                    "difference", tuple(signed_points(row.difference.value) for row in contrasts)
                ),
                Column(
                    "interval", tuple(range_of(row.difference, signed_points) for row in contrasts)
                ),
                Column("p", tuple(p_value(row.p) for row in contrasts), spare=2),
                Column("corrected", tuple(p_value(row.adjusted) for row in contrasts), spare=1),
                Column("", tuple("differ" if row.differ else "" for row in contrasts), "name"),
            ),
            "In points of 100, new minus base. An interval is for its pair alone.",
        ),
    ]


def _ranks(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low} to {high}"
