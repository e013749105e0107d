"""A page of sentences, a figure and tables: one file, readable without a network."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from harness.core.text import printable, shorten
from harness.probes.result import Plot
from leaderboards.page.embed import as_json, environment, policy, scripts, styles
from leaderboards.page.html_tables import html_tables
from leaderboards.tables import Table

__all__ = ["finding_page"]

MOST_PLOTS = 60
MOST_POINTS = 2000
"""Labels and points of a plot; a longer one is no plot any more, and the tables have all."""
LONGEST = 80
LONGEST_FACT = 2000


def finding_page(
    *,
    title: str,
    badge: str,
    sentences: Sequence[str],
    plots: Sequence[Plot],
    tables: Sequence[Table],
    facts: Sequence[tuple[str, str]],
) -> str:
    """The page; texts may be a stranger's. Raises UserError without jinja2.

    facts: where it comes from, name and text; those without a text are left out.
    """
    plots = [each for each in plots if _size(each) <= MOST_POINTS][:MOST_PLOTS]
    drawn = {f"plot-{k}": _plain(each) for k, each in enumerate(plots)}
    used = scripts()
    page: str = (
        environment()
        .get_template("finding.html.j2")
        .render(
            title=printable(title),
            refresh=0,
            badge=printable(badge),
            sentences=[printable(each) for each in sentences],
            plots=drawn,
            intervals=any(
                point.low is not None
                for plot in plots
                for series in plot.series
                for point in series.points
            ),
            tables=html_tables(tables),
            data=as_json(drawn),
            facts=[(what, printable(shorten(text, LONGEST_FACT))) for what, text in facts if text],
            scripts=used,
            styles=styles(),
            policy=policy(used),
        )
    )
    return page


def _size(plot: Plot) -> int:
    return len(plot.labels) + sum(len(each.points) for each in plot.series)


def _plain(value: Any) -> Any:
    """JSON values of a plot, every text of which can be shown."""
    if isinstance(value, str):
        return printable(shorten(value, LONGEST))
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if dataclasses.is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    return value
