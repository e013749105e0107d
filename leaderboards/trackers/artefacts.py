"""The files of a run that a tracker keeps beside its figures."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from harness.core import UserError
from harness.records.safe_files import open_inside
from leaderboards.render import render
from leaderboards.schema import Report

__all__ = ["write_artefacts"]

MOST_RESULTS = 100 << 20
"""Bytes of episodes.jsonl; a longer one stays where it is."""
FORMATS = {"report.md": "markdown", "report.csv": "csv", "report.json": "json"}


def write_artefacts(run: Path, report: Report, folder: Path) -> None:
    """run.json, episodes.jsonl and the report, as texts and as a page where jinja2 is installed.

    Traces and videos stay where they are.
    """
    for name in ("run.json", "episodes.jsonl"):
        try:
            with (
                open_inside(run, name, MOST_RESULTS) as source,
                open(folder / name, "wb") as target,
            ):
                shutil.copyfileobj(source, target)
        except UserError as refused:
            (folder / f"{name}.txt").write_text(f"not kept: {refused}\n", encoding="utf-8")
    for name, text in _reports(run, report):
        (folder / name).write_text(text + "\n", encoding="utf-8")


def _reports(run: Path, report: Report) -> Iterator[tuple[str, str]]:
    for name, format in FORMATS.items():
        yield name, render(report, format)
    from leaderboards.page.run_page import run_page

    try:
        yield "report.html", run_page(run)
    except UserError as lacking:
        yield "report.html.txt", f"no page: {lacking}"
