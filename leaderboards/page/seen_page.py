"""`bench report RUN --seen --format html`."""

from __future__ import annotations

from harness.probes.result import Plot
from leaderboards.page.finding_page import finding_page
from leaderboards.page.row_plots import differences, shares
from leaderboards.seen import SeenReport
from leaderboards.seen_gap import Gap
from leaderboards.seen_tables import seen_sentences, seen_tables

__all__ = ["seen_page"]


def seen_page(report: SeenReport) -> str:
    """The page of what was new to the agent of a run. Raises UserError without jinja2."""
    gaps = [*report.gaps, *([] if report.resampled is None else [report.resampled])]
    return finding_page(
        title=f"What {report.agent} had seen",
        badge="seen or unseen",
        sentences=seen_sentences(report),
        plots=[_rates(gaps), _gaps(gaps)] if gaps else [],
        tables=seen_tables(report),
        facts=[
            ("agent", report.agent),
            ("trained on", report.description or ""),
            ("run", report.run),
        ],
    )


def _rates(gaps: list[Gap]) -> Plot:
    return shares(
        "success on what was seen, and on what was not",
        "success %",
        [gap.axis for gap in gaps],
        {"seen": [gap.seen for gap in gaps], "unseen": [gap.unseen for gap in gaps]},
    )


def _gaps(gaps: list[Gap]) -> Plot:
    """The gap of the agent along each axis, and that of the agents beside it."""
    beside = list(dict.fromkeys(each.agent for gap in gaps for each in gap.controls))
    controls = [{each.agent: each.gap for each in gap.controls} for gap in gaps]
    return differences(
        "gaps",
        "points of 100, seen minus unseen",
        [gap.axis for gap in gaps],
        {
            "gap": [gap.gap for gap in gaps],
            **{f"gap of {name}": [each.get(name) for each in controls] for name in beside},
        },
    )
