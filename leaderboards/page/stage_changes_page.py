"""`bench compare BASE NEW --stages --format html`."""

from __future__ import annotations

from harness.probes.result import Plot, Point, Series, point_of
from harness.probes.stage_changes import StageChange, StageChanges
from leaderboards.page.finding_page import finding_page
from leaderboards.stage_compare import change_sentences, change_table

__all__ = ["stage_changes_page"]


def stage_changes_page(found: StageChanges) -> str:
    """The page of what moved between two runs. Raises UserError without jinja2."""
    domains = list(dict.fromkeys(row.domain for row in found.rows))
    parts = [
        (f"{domain}, {kind}s", rows)
        for domain in domains
        for kind in ("stage", "mode")
        if (rows := [row for row in found.rows if (row.domain, row.kind) == (domain, kind)])
    ]
    return finding_page(
        title=f"{found.new} against {found.base}",
        badge="stages and failure modes",
        sentences=change_sentences(found),
        plots=[
            plot for title, rows in parts for plot in (_shares(title, rows), _changes(title, rows))
        ],
        tables=[change_table(found)],
        facts=[("base", found.base), ("new", found.new)],
    )


def _shares(title: str, rows: list[StageChange]) -> Plot:
    base = tuple(Point(at=place, value=100 * row.base) for place, row in enumerate(rows))
    new = tuple(Point(at=place, value=100 * row.new) for place, row in enumerate(rows))
    return Plot(
        title=title,
        kind="rows",
        value="of all episodes, %",
        labels=tuple(row.name for row in rows),
        series=(Series(name="base", points=base), Series(name="new", points=new)),
        least=0,
        most=100,
    )


def _changes(title: str, rows: list[StageChange]) -> Plot:
    points = tuple(point_of(place, row.difference) for place, row in enumerate(rows))
    return Plot(
        title=f"differences: {title}",
        kind="rows",
        value="points of 100, new minus base",
        labels=tuple(row.name for row in rows),
        series=(Series(name="difference", points=points),),
        marks=(0.0,),
    )
