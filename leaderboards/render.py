"""The report of a run as text, Markdown, LaTeX, CSV or JSON.

The first three show the same tables, with rounded figures; CSV and JSON keep every digit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from harness.core import UserError
from leaderboards.data_formats import csv_page, json_page
from leaderboards.flatten import columns_of, flatten
from leaderboards.report_tables import report_header, report_tables
from leaderboards.schema import ESTIMATES, PerturbationRow, Report, TaskRow, report_to_json
from leaderboards.short_report import full_text, short_text
from leaderboards.tables import WIDTH, latex_page, markdown_page

__all__ = ["FORMATS", "render", "task_records"]


def render(report: Report, format: str, *, full: bool = False, width: int = WIDTH) -> str:
    """The report in one of FORMATS, without a newline at its end. Raises UserError.

    full: of the text, whether nothing is folded or left out. The other formats are always whole.
    width: of the text, the columns of the terminal.
    """
    if format not in FORMATS:
        raise UserError(f"there is no format {format!r}: choose {', '.join(FORMATS)}")
    if format == "text":
        return (full_text if full else short_text)(report, width).rstrip("\n")
    return FORMATS[format](report).rstrip("\n")


def task_records(report: Report) -> list[dict[str, Any]]:
    """A row for each task, as plain JSON values under the names of the CSV's columns."""
    records: list[dict[str, Any]] = flatten(report.tasks, ESTIMATES)
    return records


def _text(report: Report) -> str:
    return short_text(report, WIDTH)


def _markdown(report: Report) -> str:
    return markdown_page(report_header(report), report_tables(report))


def _latex(report: Report) -> str:
    return latex_page(report_header(report), report_tables(report))


def _csv(report: Report) -> str:
    """The rows of the tasks, and below them those of the perturbations, with further columns."""
    tasks, perturbed = task_records(report), flatten(report.perturbations, ESTIMATES)
    names = columns_of(TaskRow, ESTIMATES, tasks)
    if perturbed:
        more = columns_of(PerturbationRow, ESTIMATES, perturbed)
        names += [each for each in more if each not in names]
    return csv_page(names, (*tasks, *perturbed))


def _json(report: Report) -> str:
    """report_to_json as text.

    Perturbations may have 200,000 rows: as dicts, all at once, they would take a gigabyte.
    """
    page = json_page(report_to_json(dataclasses.replace(report, perturbations=())))
    rows = [
        json_page(flatten(row, ESTIMATES)).replace("\n", "\n  ") for row in report.perturbations
    ]
    if not rows:
        return page
    # No text holds these characters: its line breaks and quotes are escaped.
    head, _, tail = page.partition('\n "perturbations": []')
    return "".join([head, '\n "perturbations": [\n  ', ",\n  ".join(rows), "\n ]", tail])


FORMATS: Mapping[str, Callable[[Report], str]] = {
    "text": _text,
    "markdown": _markdown,
    "latex": _latex,
    "csv": _csv,
    "json": _json,
}
"""`html` is not among them: a page needs the run directory, not only its figures."""
