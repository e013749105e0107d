"""The funnel of stages and the failure modes as text, Markdown, LaTeX or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.core import UserError
from harness.core.failure_modes import FAILURE_MODES
from harness.core.grammar import counted
from leaderboards.data_formats import json_page
from leaderboards.flatten import flatten
from leaderboards.stages import Funnel, ModesOfDomain, StageReport
from leaderboards.tables import (
    FULL_WIDTH,
    WIDTH,
    Column,
    Lines,
    Table,
    latex_page,
    markdown_page,
    percent,
    range_of,
    text_page,
)

__all__ = ["render_stages", "stage_sentences", "stage_tables", "tasks_of", "without_lines"]

SCHEMA = 1
MOST_REASONS = 5
"""Reasons that are told why episodes are not known."""


def render_stages(
    report: StageReport, format: str, *, full: bool = False, width: int = WIDTH
) -> str:
    """As `text`, `markdown`, `latex` or `json`, without a newline at its end. Raises UserError."""
    if format == "json":
        fields: Mapping[str, Any] = flatten(report, {})
        return json_page({"schema": SCHEMA, **fields}).rstrip("\n")
    title, tables = f"{report.agent}, {report.run}", stage_tables(report)
    if format in ("markdown", "latex"):
        page = markdown_page if format == "markdown" else latex_page
        return page([title, *stage_sentences(report)], tables).rstrip("\n")
    if format != "text":
        raise UserError(f"--stages has no {format}: choose text, markdown, latex, json, html")
    header = [title, _named(report)]
    parts: list[Table | Lines] = [*tables, Lines("notes", tuple(_notes(report)))]
    width = max(width, FULL_WIDTH) if full else width
    return text_page(header, parts, width=width, whole_names=full).rstrip("\n")


def stage_tables(report: StageReport, *, repeat: bool = False) -> list[Table]:
    """The funnels, then the modes. repeat: each row has its domain, so that rows can be sorted."""
    return [*_funnel_table(report.funnels, repeat), *_mode_table(report.modes, repeat)]


def stage_sentences(report: StageReport) -> list[str]:
    """What to bear in mind, and what the modes in the tables mean."""
    return [_named(report), *_notes(report)]


def _named(report: StageReport) -> str:
    """Which failure modes are sure to be frequent, or why that is not said."""
    if report.no_interval:
        return report.no_interval
    named = [
        f"{domain.domain}: {row.mode}, {percent(row.share.value)} % of episodes "
        f"({range_of(row.share, percent)})"
        for domain in report.modes
        for row in domain.modes
        if row.named
    ]
    twentieth = "in more than one episode of twenty"
    if not named:
        return f"named: no failure mode is for sure {twentieth}"
    return f"named, for sure {twentieth}: {'; '.join(named)}"


def _notes(report: StageReport) -> list[str]:
    told = [*without_lines(report.without), *_unknown_lines(report.unknown)]
    return [*told, *_meanings(report)]


def _funnel_table(funnels: Sequence[Funnel], repeat: bool) -> list[Table]:
    if not funnels:
        return []
    rows = [
        (
            *(
                (funnel.domain, tasks_of(funnel), str(funnel.n))
                if repeat or not number
                else ("", "", "")
            ),
            share.stage,
            percent(share.reached.value),
            range_of(share.reached, percent),
            str(funnel.unknown or "") if repeat or not number else "",
        )
        for funnel in funnels
        for number, share in enumerate(funnel.stages)
    ]
    names = ("domain", "tasks", "n", "stage", "reached %", "95 %", "unknown")
    kinds = ("name", "name", "figure", "prose", "figure", "figure", "figure")
    lead = (
        "Of all episodes, how many got as far as this; a later stage counts for those before it. "
        "Means over tasks that each weigh the same. The last stage is the success."
    )
    return [_table("stages", names, rows, kinds, lead)]


def tasks_of(funnel: Funnel) -> str:
    """Its task, or how many tasks of which families."""
    if len(funnel.tasks) == 1:
        return funnel.tasks[0]
    families = list(dict.fromkeys(task.partition("/")[0] for task in funnel.tasks))
    return f"{len(funnel.tasks)} of {', '.join(families)}"


def _mode_table(domains: Sequence[ModesOfDomain], repeat: bool) -> list[Table]:
    if not domains:
        return []
    rows = [
        (
            *((domain.domain, str(domain.n)) if repeat or not number else ("", "")),
            row.mode,
            percent(row.share.value),
            range_of(row.share, percent),
            str(row.episodes),
            str(row.also or ""),
            "" if row.tasks == domain.tasks else f"{row.tasks} of {domain.tasks}",
            str(domain.unknown or "") if repeat or not number else "",
        )
        for domain in domains
        for number, row in enumerate(domain.modes)
    ]
    names = (
        "domain", "n", "how it ended", "%", "95 %", "episodes", "also", "in tasks", "unknown",
    )  # fmt: skip
    kinds = ("name", "figure", "prose", *["figure"] * 4, "name", "figure")
    lead = (
        "Of all episodes. An episode with several modes counts under the first, in the order of "
        "docs/stages.md; the column also: in how many it is a further one."
    )
    return [_table("failure modes", names, rows, kinds, lead)]


def _table(
    title: str,
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    kinds: Sequence[str],
    lead: str,
) -> Table:
    columns = (Column(*each) for each in zip(names, zip(*rows), kinds))
    return Table(title, tuple(columns), lead)


def _meanings(report: StageReport) -> list[str]:
    """What the modes in the tables mean; and which were looked for and never found."""
    found = {row.mode for domain in report.modes for row in domain.modes}
    lines = [f"{mode}: {what}" for mode, what in FAILURE_MODES.items() if mode in found]
    never = [
        f"{domain.domain}: looked for and not found: {', '.join(domain.never)}"
        for domain in report.modes
        if domain.never
    ]
    return [*lines, *never]


def without_lines(without: Mapping[str, int]) -> list[str]:
    """Which families tell no stages."""
    if not without:
        return []
    told = ", ".join(f"{family} ({counted(n, 'task')})" for family, n in without.items())
    return [f"no stages: {told}; their failures have the modes that every family has, alone"]


def _unknown_lines(unknown: Mapping[str, int]) -> list[str]:
    lines = [
        f"unknown, {counted(count, 'episode')}: {why}"
        for why, count in list(unknown.items())[:MOST_REASONS]
    ]
    more = len(unknown) - MOST_REASONS
    return [*lines, *([f"and {counted(more, 'further reason')}"] if more > 0 else [])]
