"""`bench report FOLDER --format html` of a probe."""

from __future__ import annotations

from pathlib import Path

from harness.probes.result_file import ProbeFile
from leaderboards.page.finding_page import finding_page
from leaderboards.probe_report import probe_tables

__all__ = ["probe_page"]


def probe_page(told: ProbeFile, file: Path) -> str:
    """The page of what a probe found, which was read from `file`.

    Raises UserError without jinja2.
    """
    sentences, tables = probe_tables(told.sections)
    facts = [
        ("probe", told.probe),
        ("command", told.command),
        ("bench", told.bench),
        ("file", str(file)),
        ("runs", ", ".join(told.runs)),
    ]
    return finding_page(
        title=told.title,
        badge=f"bench probe {told.probe}",
        sentences=sentences,
        plots=told.plots,
        tables=tables,
        facts=facts,
    )
