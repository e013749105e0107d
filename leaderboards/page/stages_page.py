"""`bench report RUN --stages --format html`."""

from __future__ import annotations

from harness.core.grammar import counted
from harness.probes.result import Plot
from leaderboards.page.finding_page import finding_page
from leaderboards.page.row_plots import shares
from leaderboards.stage_tables import stage_sentences, stage_tables, tasks_of
from leaderboards.stages import ModesOfDomain, StageReport
from leaderboards.tables import percent

__all__ = ["stages_page"]

OF_ALL = "of all episodes, %"


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
        shares(
            f"stages: {funnel.domain}, {tasks_of(funnel)}",
            OF_ALL,
            [share.stage for share in funnel.stages],
            {"reached %": [share.reached for share in funnel.stages]},
        )
        for funnel in report.funnels
    ]


def _modes(report: StageReport) -> list[Plot]:
    return [
        shares(
            f"how they ended: {domain.domain}",
            OF_ALL,
            [row.mode for row in domain.modes],
            {"%": [row.share for row in domain.modes]},
        )
        for domain in report.modes
    ]
