"""The report of a run as text, Markdown, LaTeX, CSV or JSON.

The first three show the same tables, with rounded figures; CSV and JSON keep every digit.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from typing import Any

from harness.core import UserError
from leaderboards.flatten import columns_of, flatten
from leaderboards.report_tables import report_header, report_tables
from leaderboards.schema import ESTIMATES, PerturbationRow, Report, TaskRow, report_to_json
from leaderboards.tables import latex_page, markdown_page, text_page

__all__ = ["FORMATS", "render", "task_records"]

NESTED = ("ended", "reference", "metrics", "scores")
"""Fields that are JSON in the cells of the CSV."""


def render(report: Report, format: str) -> str:
    """The report in one of FORMATS, without a newline at its end. Raises UserError."""
    if format not in FORMATS:
        raise UserError(f"there is no format {format!r}: choose {', '.join(FORMATS)}")
    return FORMATS[format](report).rstrip("\n")


def task_records(report: Report) -> list[dict[str, Any]]:
    """A row for each task, as plain JSON values under the names of the CSV's columns."""
    records: list[dict[str, Any]] = flatten(report.tasks, ESTIMATES)
    return records


def _text(report: Report) -> str:
    return text_page(report_header(report), report_tables(report))


def _markdown(report: Report) -> str:
    return markdown_page(report_header(report), report_tables(report))


def _latex(report: Report) -> str:
    return latex_page(report_header(report), report_tables(report))


def _csv(report: Report) -> str:
    """The rows of the tasks, and below them those of the perturbations, with further columns."""
    out = io.StringIO()
    names = columns_of(TaskRow, ESTIMATES)
    if report.perturbations:
        names += [each for each in columns_of(PerturbationRow, ESTIMATES) if each not in names]
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    for row in (*task_records(report), *flatten(report.perturbations, ESTIMATES)):
        nested = {name: json.dumps(row[name]) for name in NESTED if row.get(name) is not None}
        writer.writerow({**row, **nested})
    return out.getvalue()


def _json(report: Report) -> str:
    return json.dumps(report_to_json(report), indent=1, allow_nan=False)


FORMATS: Mapping[str, Callable[[Report], str]] = {
    "text": _text,
    "markdown": _markdown,
    "latex": _latex,
    "csv": _csv,
    "json": _json,
}
