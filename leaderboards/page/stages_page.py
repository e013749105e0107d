"""`bench report RUN --stages --format html`."""

from __future__ import annotations

from harness.core.grammar import counted
from harness.probes.result import Plot, Series, point_of
from leaderboards.page.finding_page import finding_page
from leaderboards.stage_tables import stage_sentences, stage_tables, tasks_of
from leaderboards.stages import ModesOfDomain, StageReport
from leaderboards.tables import percent

__all__ = ["stages_page"]


def stages_page(report: StageReport) -> str:
    """The page of how far episodes came and how they failed. Raises UserError without jinja2."""
    return finding_page(
        title=f"How far {report.agent} came",
        badge="stages and failure modes",
        sentences=[*map(_headline, report.modes), *stage_sentences(report)],
        plots=[*_funnels(report), *_modes(report)],
        tables=stage_tables(report, repeat=True),
        facts=[("agent", report.agent), ("run", report.run)],
    )


def _headline(domain: ModesOfDomain) -> str:
    """How many succeeded, and how most of the others ended."""
    success, *failures = domain.modes
    told = (
        f"{domain.domain}: {percent(success.share.value)} % of {counted(domain.n, 'episode')} "
        "succeeded"
    )
    if not failures:
        return told
    most = max(failures, key=lambda row: row.share.value)
    return f"{told}; most others: {most.mode}, {percent(most.share.value)} %"


def _funnels(report: StageReport) -> list[Plot]:
    return [
        Plot(
            title=f"stages: {funnel.domain}, {tasks_of(funnel)}",
            kind="rows",
            value="of all episodes, %",
            labels=tuple(share.stage for share in funnel.stages),
            series=(
                Series(
                    name="reached %",
                    points=tuple(
                        point_of(place, share.reached) for place, share in enumerate(funnel.stages)
                    ),
                ),
            ),
            least=0,
            most=100,
        )
        for funnel in report.funnels
    ]


def _modes(report: StageReport) -> list[Plot]:
    return [
        Plot(
            title=f"how they ended: {domain.domain}",
            kind="rows",
            value="of all episodes, %",
            labels=tuple(row.mode for row in domain.modes),
            series=(
                Series(
                    name="%",
                    points=tuple(
                        point_of(place, row.share) for place, row in enumerate(domain.modes)
                    ),
                ),
            ),
            least=0,
            most=100,
        )
        for domain in report.modes
    ]
