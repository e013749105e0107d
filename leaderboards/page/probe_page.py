"""`bench report FOLDER --format html` of a probe: one file, readable without a network."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from harness.core.text import printable, shorten
from harness.probes.result_file import ProbeFile
from leaderboards.page.embed import as_json, environment, policy, scripts, styles
from leaderboards.page.html_tables import html_tables
from leaderboards.probe_report import probe_tables

__all__ = ["probe_page"]

MOST_PLOTS = 60
LONGEST = 80
LONGEST_FACT = 2000


def probe_page(told: ProbeFile, file: Path) -> str:
    """The page of what a probe found, which was read from `file`.

    Raises UserError without jinja2.
    """
    header, tables = probe_tables(told.sections)
    plots = {f"plot-{k}": _plain(each) for k, each in enumerate(told.plots[:MOST_PLOTS])}
    used = scripts()
    facts = [
        ("probe", told.probe),
        ("command", told.command),
        ("bench", told.bench),
        ("file", str(file)),
        ("runs", ", ".join(told.runs)),
    ]
    page: str = (
        environment()
        .get_template("probe.html.j2")
        .render(
            title=printable(told.title),
            refresh=0,
            probe=printable(told.probe),
            sentences=[printable(each) for each in header],
            plots=plots,
            intervals=any(
                point.low is not None
                for plot in told.plots
                for series in plot.series
                for point in series.points
            ),
            tables=html_tables(tables),
            data=as_json(plots),
            facts=[(what, printable(shorten(text, LONGEST_FACT))) for what, text in facts if text],
            scripts=used,
            styles=styles(),
            policy=policy(used),
        )
    )
    return page


def _plain(value: Any) -> Any:
    """JSON values of a plot, every text of which can be shown."""
    if isinstance(value, str):
        return printable(shorten(value, LONGEST))
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if dataclasses.is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    return value
