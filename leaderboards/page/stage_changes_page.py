"""`bench compare BASE NEW --stages --format html`."""

from __future__ import annotations

from harness.probes.result import Plot
from harness.probes.stage_changes import StageChange, StageChanges
from leaderboards.page.finding_page import finding_page
from leaderboards.page.row_plots import differences, shares
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
        plots=[plot for title, rows in parts for plot in _plots(title, rows)],
        tables=[change_table(found)],
        facts=[("base", found.base), ("new", found.new)],
    )


def _plots(title: str, rows: list[StageChange]) -> list[Plot]:
    names = [row.name for row in rows]
    both = {"base": [row.base for row in rows], "new": [row.new for row in rows]}
    moved = {"difference": [row.difference for row in rows]}
    return [
        shares(title, "of all episodes, %", names, both),
        differences(f"differences: {title}", "points of 100, new minus base", names, moved),
    ]
