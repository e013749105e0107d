"""`bench report` of a probe: what it found, printed again from its probe.json."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.core import UserError
from harness.probes.result import Section, sections_text
from harness.probes.result_file import NAME, ProbeFile, probe_file, read_probe
from leaderboards.data_formats import json_page
from leaderboards.tables import WIDTH, Column, Table, latex_page, markdown_page

__all__ = ["probe_lines", "probe_report", "probe_tables"]

MOST_ABOVE = 3
"""Folders above a run in which a probe may have written: OUT/runs/NAME/seed-1."""


def probe_report(told: ProbeFile, format: str, width: int = WIDTH) -> str:
    """What a probe found as text, Markdown, LaTeX or JSON. Raises UserError for other formats."""
    if format == "json":
        return json_page(told.values)
    if format in ("markdown", "latex"):
        header, tables = probe_tables(told.sections)
        page = markdown_page if format == "markdown" else latex_page
        return page([told.title, f"bench probe {told.probe}", *_made_by(told), *header], tables)
    if format != "text":
        raise UserError(
            f"a probe has no {format}: choose text, markdown, latex, json or html; json holds "
            "every figure"
        )
    title = sections_text([Section(title=told.title)], width)
    return f"{title}\n\n{sections_text(told.sections, width)}"


def probe_tables(sections: Sequence[Section]) -> tuple[list[str], list[Table]]:
    """(sentences that belong to no table, the tables)."""
    header: list[str] = []
    tables: list[Table] = []
    for each in sections:
        if not each.head:
            lines = [*each.before, *each.after]
            header += [f"{each.title} {line.strip()}" if each.title else line.strip()
                       for line in lines]  # fmt: skip
            continue
        columns = tuple(
            Column(name, tuple(row[place] for row in each.rows), _kind(each.rows, place))
            for place, name in enumerate(each.head)
        )
        lead = _joined([line.strip() for line in (*each.before, *each.after)])
        tables.append(Table(each.title, columns, lead))
    return header, tables


def _joined(lines: Sequence[str]) -> str:
    """Sentences in one paragraph; what ends without a full stop is set apart."""
    parts = [line if line.endswith(".") else f"{line};" for line in lines[:-1]]
    return " ".join([*parts, *lines[-1:]])


def _kind(rows: Sequence[Sequence[str]], place: int) -> str:
    """How a column is set: figures, also with intervals, begin with a digit or a sign."""
    cells = [row[place] for row in rows if row[place]]
    if cells and all(cell[0].isdigit() or (cell[0] in "+-<" and len(cell) > 1) for cell in cells):
        return "figure"
    return "prose" if any(" " in cell for cell in cells) else "name"


def _made_by(told: ProbeFile) -> list[str]:
    return [f"made by: {told.command} (bench {told.bench})"]


def probe_lines(run: Path) -> list[str]:
    """A sentence for each probe whose folder names this run."""
    found = []
    path = run.absolute()
    for folder in [*path.parents][:MOST_ABOVE]:
        file = folder / NAME
        if not file.is_file() or probe_file(folder) is None:
            continue
        try:
            told = read_probe(file)
        except UserError:
            continue  # a file of that name that no probe wrote
        if str(path.relative_to(folder)) in told.runs:
            shown = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
            found.append(
                f"it is part of bench probe {told.probe} ({told.title}): bench report {shown}"
            )
    return found
