"""`bench report RUN --seen --format html`."""

from __future__ import annotations

from harness.probes.result import Plot, Point, Series, point_of
from leaderboards.page.finding_page import finding_page
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
    seen = tuple(Point(at=k, value=100 * gap.seen) for k, gap in enumerate(gaps))
    unseen = tuple(Point(at=k, value=100 * gap.unseen) for k, gap in enumerate(gaps))
    return Plot(
        title="success on what was seen, and on what was not",
        kind="rows",
        value="success %",
        labels=tuple(gap.axis for gap in gaps),
        series=(Series(name="seen", points=seen), Series(name="unseen", points=unseen)),
        least=0,
        most=100,
    )


def _gaps(gaps: list[Gap]) -> Plot:
    """The gap of the agent along each axis, and that of the agents beside it."""
    beside = list(dict.fromkeys(each.agent for gap in gaps for each in gap.controls))
    return Plot(
        title="gaps",
        kind="rows",
        value="points of 100, seen minus unseen",
        labels=tuple(gap.axis for gap in gaps),
        series=(
            Series(name="gap", points=tuple(point_of(k, gap.gap) for k, gap in enumerate(gaps))),
            *(
                Series(
                    name=f"gap of {name}",
                    points=tuple(
                        point_of(k, each.gap)
                        for k, gap in enumerate(gaps)
                        for each in gap.controls
                        if each.agent == name
                    ),
                )
                for name in beside
            ),
        ),
        marks=(0.0,),
    )
