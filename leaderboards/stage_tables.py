"""The funnel of stages and the failure modes as text, Markdown or JSON."""

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
    markdown_page,
    percent,
    range_of,
    text_page,
)

__all__ = ["render_stages", "without_lines"]

SCHEMA = 1
MOST_REASONS = 5
"""Reasons that are told why episodes are not known."""


def render_stages(
    report: StageReport, format: str, *, full: bool = False, width: int = WIDTH
) -> str:
    """As `text`, `markdown` or `json`, without a newline at its end. Raises UserError."""
    if format == "json":
        fields: Mapping[str, Any] = flatten(report, {})
        return json_page({"schema": SCHEMA, **fields}).rstrip("\n")
    header = [f"{report.agent}, {report.run}", *([report.no_interval] * bool(report.no_interval))]
    notes = [*without_lines(report.without), *_unknown_lines(report.unknown)]
    tables = [*_funnel_table(report.funnels), *_mode_table(report.modes)]
    if format == "markdown":
        return markdown_page([*header, *notes, *_meanings(report)], tables).rstrip("\n")
    if format != "text":
        raise UserError(f"--stages has no {format}: choose text, markdown, json")
    parts: list[Table | Lines] = [*tables, Lines("notes", (*notes, *_meanings(report)))]
    width = max(width, FULL_WIDTH) if full else width
    return text_page(header, parts, width=width, whole_names=full).rstrip("\n")


def _funnel_table(funnels: Sequence[Funnel]) -> list[Table]:
    if not funnels:
        return []
    rows = [
        (
            *((funnel.domain, _tasks(funnel), str(funnel.n)) if not number else ("", "", "")),
            share.stage,
            percent(share.reached.value),
            range_of(share.reached, percent),
            str(funnel.unknown or "") if not number else "",
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


def _tasks(funnel: Funnel) -> str:
    if len(funnel.tasks) == 1:
        return funnel.tasks[0]
    families = list(dict.fromkeys(task.partition("/")[0] for task in funnel.tasks))
    return f"{len(funnel.tasks)} of {', '.join(families)}"


def _mode_table(domains: Sequence[ModesOfDomain]) -> list[Table]:
    if not domains:
        return []
    rows = [
        (
            *((domain.domain, str(domain.n)) if not number else ("", "")),
            row.mode,
            percent(row.share.value),
            range_of(row.share, percent),
            str(row.episodes),
            str(row.also or ""),
            "" if row.tasks == domain.tasks else f"{row.tasks} of {domain.tasks}",
            str(domain.unknown or "") if not number else "",
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
        "`docs/stages.md`; `also` counts it where it is a further one."
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
