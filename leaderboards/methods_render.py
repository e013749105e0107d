"""A comparison of methods as text, Markdown or JSON."""

from __future__ import annotations

from typing import Any

from harness.core import UserError
from harness.core.grammar import counted
from harness.stats import Estimate
from leaderboards.compare_methods import (
    MethodContrast,
    MethodRow,
    MethodsCompared,
    MethodTask,
)
from leaderboards.data_formats import json_page
from leaderboards.flatten import EstimateNames, bounds_of, flatten
from leaderboards.tables import (
    FULL_WIDTH,
    WIDTH,
    Column,
    Lines,
    Table,
    markdown_line,
    markdown_page,
    narrowed,
    p_value,
    percent,
    range_of,
    signed_points,
    text_page,
)

__all__ = ["method_sentences", "method_tables", "methods_to_json", "ranks_of", "render_methods"]

SCHEMA = 1
_DIFFERENCE = {"difference": ("difference", "low", "high")}
ESTIMATES: EstimateNames = {
    MethodContrast: _DIFFERENCE,
    MethodTask: _DIFFERENCE,
    MethodRow: bounds_of("rate", "between"),
}
SIGNS = {"pass": "✅", "regress": "❌", "inconclusive": "❔", "none": "⚠️"}


def render_methods(
    found: MethodsCompared, format: str, *, full: bool = False, width: int = WIDTH
) -> str:
    """As `text`, `markdown` or `json`, without a newline at its end. Raises UserError.

    full, width: of the text; see leaderboards.render.render.
    """
    if format == "json":
        return json_page(methods_to_json(found)).rstrip("\n")
    tables = method_tables(found)
    if format == "markdown":
        title = "" if found.verdict is None else f"### {_headline(found, SIGNS[found.verdict])}\n\n"
        return title + markdown_page(_reading(found), tables).rstrip("\n")
    if format != "text":
        raise UserError(f"methods have no format {format!r}: choose text, markdown, json")
    notes = _reading(found)
    if full:
        width = max(width, FULL_WIDTH)
    else:
        shown = [narrowed(table, width) for table in tables]
        tables = [table for table, _ in shown]
        lost = list(dict.fromkeys(name for _, names in shown for name in names))
        if lost:
            notes.append(f"`--full` has more: columns {', '.join(lost)}")
    parts: list[Table | Lines] = [*tables[:-2], Lines("notes", tuple(notes)), *tables[-2:]]
    if found.verdict is not None:
        parts.append(Lines("verdict", (_headline(found), _speaks_of(found))))
    return text_page([], parts, width=width, whole_names=full).rstrip("\n")


def method_tables(found: MethodsCompared) -> list[Table]:
    """The tasks where two methods are compared, then the methods and their differences."""
    return [*_task_tables(found), _method_table(found), _difference_table(found)]


def method_sentences(found: MethodsCompared) -> list[str]:
    """The verdict, if there is one, and how to read the figures."""
    verdict = [] if found.verdict is None else [_headline(found), _speaks_of(found)]
    return [*verdict, *_reading(found)]


def methods_to_json(found: MethodsCompared) -> dict[str, Any]:
    """Plain JSON values: schema, what it speaks of, and the fields of MethodsCompared."""
    fields = flatten(found, ESTIMATES)
    return {"schema": SCHEMA, "scope": "method", "exit_code": found.exit_code, **fields}


def _headline(found: MethodsCompared, sign: str = "") -> str:
    verdict = "no verdict" if found.verdict == "none" else found.verdict
    line = f"{verdict}: {found.why}"
    return markdown_line(f"{sign} {line}") if sign else line


def _speaks_of(found: MethodsCompared) -> str:
    base, new = found.methods
    return (
        f"of the methods: by {counted(len(base.runs), 'training')} of {base.method} and "
        f"{len(new.runs)} of {new.method} on the same {counted(found.cases, 'case')}"
    )


def _reading(found: MethodsCompared) -> list[str]:
    """What was compared, and how to read the figures."""
    level = f"{100 * (1 - found.alpha):g} %"
    lines = [
        f"{counted(len(found.methods), 'method')}, each by a run of every training, on "
        f"{counted(found.cases, 'case')} that all runs have a score of; margin "
        f"{100 * found.margin:g} points, alpha {found.alpha:g}",
        f"intervals: {level}, for other trainings and other episodes of these tasks; t over "
        "trainings, correction: Holm. Methods that share a letter cannot be told apart; all ranks "
        f"lie in their bounds with a chance of {level} or more"
        + ("; a verdict is for two" if found.verdict is None else ""),
    ]
    if any(row.measure == "sign" for row in found.tasks):
        lines.append(
            "tasks with raw scores only: the difference is the share of cases won minus that lost; "
            "they have no rate"
        )
    return [*lines, *found.notes]


def _method_table(found: MethodsCompared) -> Table:
    rows = found.methods
    return Table(
        "methods",
        (
            Column("method", tuple(row.method for row in rows), "name"),
            Column("agents", tuple(", ".join(row.agents) for row in rows), "line", spare=2),
            Column("trainings", tuple(str(len(row.runs)) for row in rows)),
            Column("success %", tuple(_value(row.rate) for row in rows)),
            Column("interval", tuple(range_of(row.rate, percent) for row in rows)),
            Column("between trainings", tuple(_with_bounds(row.between) for row in rows), spare=1),
            Column("letters", tuple(row.letters for row in rows), "name"),
            Column("rank", tuple(ranks_of(row) for row in rows)),
        ),
        "Means over tasks, each weighing the same. Between trainings: the standard deviation, in "
        "points.",
    )


def _value(found: Estimate | None) -> str:
    return "" if found is None else percent(found.value)


def _with_bounds(found: Estimate | None) -> str:
    """Never one without the other: from few trainings the bounds are wide."""
    return "" if found is None else f"{percent(found.value)} ({range_of(found, percent)})"


def ranks_of(row: MethodRow) -> str:
    """The ranks that a method may have, as in `1 to 3`."""
    low, high = row.rank_low, row.rank_high
    return f"{low}" if low == high else f"{low} to {high}"


def _difference_table(found: MethodsCompared) -> Table:
    rows = found.contrasts
    return Table(
        "differences",
        (
            Column("base", tuple(row.base for row in rows), "name"),
            Column("new", tuple(row.new for row in rows), "name"),
            Column("difference", tuple(signed_points(row.difference.value) for row in rows)),
            Column("interval", tuple(range_of(row.difference, signed_points) for row in rows)),
            Column("p", tuple(_p(row.p) for row in rows)),
            Column(
                "corrected",
                tuple(_p(row.adjusted) if len(rows) > 1 else "" for row in rows),
            ),
            Column("", tuple("differ" if row.differ else "" for row in rows), "name"),
        ),
        "In points of 100, new minus base. An interval is for its pair alone.",
    )


def _task_tables(found: MethodsCompared) -> list[Table]:
    rows = found.tasks
    if not rows:
        return []
    return [
        Table(
            "tasks",
            (
                Column("task", tuple(row.task for row in rows), "name"),
                Column("base", tuple(percent(row.base) for row in rows)),
                Column("new", tuple(percent(row.new) for row in rows)),
                Column("change", tuple(signed_points(row.difference.value) for row in rows)),
                Column("interval", tuple(range_of(row.difference, signed_points) for row in rows)),
                Column("n", tuple(str(row.n) for row in rows)),
                Column("p", tuple(_p(row.p) for row in rows), spare=2),
                Column("corrected", tuple(_p(row.adjusted) for row in rows), spare=1),
                Column("verdict", tuple(row.verdict for row in rows), "name"),
            ),
            f"{found.methods[0].method} is the base, {found.methods[1].method} the new method; in "
            "points of 100. n: seeds that all trainings played.",
        )
    ]


def _p(value: float | None) -> str:
    return "" if value is None else p_value(value)
