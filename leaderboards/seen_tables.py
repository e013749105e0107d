"""What was seen in training and what was new, as text, Markdown, LaTeX or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.core import UserError
from harness.core.factors import AXES
from harness.core.grammar import counted
from leaderboards.data_formats import json_page
from leaderboards.flatten import flatten
from leaderboards.seen import AxisCount, SeenReport, TaskSeen
from leaderboards.seen_gap import Gap
from leaderboards.tables import (
    FULL_WIDTH,
    WIDTH,
    Column,
    Lines,
    Table,
    latex_page,
    markdown_page,
    narrowed,
    percent,
    range_of,
    signed_points,
    text_page,
)

__all__ = ["render_seen", "seen_lines", "seen_sentences", "seen_tables"]

SCHEMA = 1
MOST_REASONS = 5
MOST_TASKS = 20
"""Rows of tasks in a terminal."""


def render_seen(report: SeenReport, format: str, *, full: bool = False, width: int = WIDTH) -> str:
    """As `text`, `markdown`, `latex` or `json`, without a newline at its end. Raises UserError."""
    if format == "json":
        fields: Mapping[str, Any] = flatten(report, {})
        return json_page({"schema": SCHEMA, **fields}).rstrip("\n")
    if format in ("markdown", "latex"):
        page = markdown_page if format == "markdown" else latex_page
        header = [f"{report.agent}, {report.run}", *seen_sentences(report)]
        return page(header, seen_tables(report)).rstrip("\n")
    if format != "text":
        raise UserError(f"--seen has no {format}: choose text, markdown, latex, json, html")
    told, notes = seen_lines(report), _notes(report)
    tables = seen_tables(report, whole=full)
    width = max(width, FULL_WIDTH) if full else width
    parts: list[Table | Lines] = [
        *(table if full else narrowed(table, width)[0] for table in tables),
        *([Lines("notes", tuple(notes))] if notes else []),
        *([Lines("seen", tuple(told))] if told else []),
    ]
    header = [f"{report.agent}, {report.run}", _trained_on(report)]
    return text_page(header, parts, width=width, whole_names=full).rstrip("\n")


def seen_tables(report: SeenReport, *, whole: bool = True) -> list[Table]:
    """Axis by axis of each task, then success on both kinds; not `whole`: of the first tasks."""
    return [
        *_task_table(report.tasks, whole=whole),
        *_gap_table(
            report.gaps,
            "seen against unseen",
            ("seen %", "unseen %"),
            "Success in %, within the tasks that have both kinds of episodes, each of which weighs "
            "the same; equal episodes count once. An interval is for its axis alone.",
        ),
        *_gap_table(
            [] if report.resampled is None else [report.resampled],
            "prescribed against resampled starts",
            ("prescribed %", "resampled %"),
            "Success in %, within the tasks that were played from both, each of which weighs the "
            "same; other episodes, not compared in pairs.",
        ),
    ]


def seen_sentences(report: SeenReport) -> list[str]:
    """What was trained on, what was found, and what to bear in mind."""
    return [_trained_on(report), *seen_lines(report), *_notes(report)]


def _trained_on(report: SeenReport) -> str:
    if report.description is None:
        return (
            "what it was trained on: unknown. It does not say, so nothing is claimed of seen and "
            "unseen: name it with --training-data, or in `Agent.training_data` before the run"
        )
    return f"trained on, as its maker says: {report.description}"


def seen_lines(report: SeenReport) -> list[str]:
    """What was found, as sentences: what leaked first, then each axis with a gap."""
    starts = [] if report.resampled is None else [_starts_sentence(report.resampled)]
    if report.description is None:
        return starts
    lines = []
    if report.starts:
        lines.append(
            f"{report.leaked} of {counted(report.starts, 'start')} "
            f"{'was' if report.leaked == 1 else 'were'} in the training data"
        )
    lines += [_sentence(gap) for gap in report.gaps]
    lines += [
        f"{each.axis}: no task has both, so there is no gap within tasks; success in "
        f"{percent(each.seen)} % of {each.n_seen} seen and {percent(each.unseen)} % of "
        f"{each.n_unseen} unseen episodes, of other tasks each"
        for each in report.between
    ]
    if not lines:
        lines.append("along no axis can seen and unseen episodes be told apart")
    return [*lines, *starts]


def _sentence(gap: Gap) -> str:
    verdict = (
        "better on what it had seen" if gap.better else "not clearly better on what it had seen"
    )
    return f"{gap.axis}: {verdict}: {_points(gap, 'seen against unseen')}"


def _starts_sentence(gap: Gap) -> str:
    verdict = "better from them" if gap.better else "not clearly better from them"
    return f"{gap.axis}: {verdict}: {_points(gap, 'these against resampled ones')}"


def _points(gap: Gap, what: str) -> str:
    """The gap and those of the other agents, with their intervals."""
    beside = "".join(
        f"; {each.agent} {signed_points(each.gap.value)}"
        + (f", {range_of(each.gap, signed_points)}" if each.gap.low is not None else "")
        for each in gap.controls
    )
    bounds = f", {range_of(gap.gap, signed_points)}" if gap.gap.low is not None else ""
    return f"{signed_points(gap.gap.value)} points on {what}{bounds}{beside}"


def _task_table(rows: Sequence[TaskSeen], *, whole: bool) -> list[Table]:
    axes = [axis for axis in AXES if any(each.axis == axis for row in rows for each in row.axes)]
    if not axes:
        return []
    shown = rows if whole else rows[:MOST_TASKS]
    lead = (
        "Of the episodes of a task, how many are seen along this axis; empty where that is not "
        "known, or not claimed."
    )
    if len(shown) < len(rows):
        lead += f" {len(shown)} of {counted(len(rows), 'task')}; `--full` has all."
    return [
        Table(
            "seen in training",
            (
                Column("task", tuple(row.task for row in shown), "name"),
                Column("n", tuple(str(row.n) for row in shown)),
                *(
                    Column(axis, tuple(_cell(row.axes, axis, row.n) for row in shown))
                    for axis in axes
                ),
            ),
            lead,
        )
    ]


def _cell(axes: Sequence[AxisCount], axis: str, n: int) -> str:
    found = next((each for each in axes if each.axis == axis), None)
    if found is None:
        return ""
    if found.seen in (0, found.known) and found.known == n:
        return "seen" if found.seen else "new"
    return f"{found.seen} of {found.known}"


def _gap_table(rows: Sequence[Gap], title: str, sides: tuple[str, str], lead: str) -> list[Table]:
    if not rows:
        return []
    names = list(dict.fromkeys(each.agent for row in rows for each in row.controls))

    def control(row: Gap, name: str) -> str:
        found = next((each for each in row.controls if each.agent == name), None)
        if found is None:
            return ""
        bounds = range_of(found.gap, signed_points)
        return f"{signed_points(found.gap.value)}{f' ({bounds})' if bounds else ''}"

    return [
        Table(
            title,
            (
                Column("axis", tuple(row.axis for row in rows), "name"),
                Column("tasks", tuple(str(row.tasks) for row in rows), spare=2),
                Column(sides[0], tuple(percent(row.seen) for row in rows)),
                Column("n", tuple(str(row.n_seen) for row in rows)),
                Column(sides[1], tuple(percent(row.unseen) for row in rows)),
                Column("n", tuple(str(row.n_unseen) for row in rows)),
                Column("gap", tuple(signed_points(row.gap.value) for row in rows)),
                Column("95 %", tuple(range_of(row.gap, signed_points) for row in rows)),
                *(
                    Column(f"gap of {name}", tuple(control(row, name) for row in rows), spare=1)
                    for name in names
                ),
            ),
            lead,
        )
    ]


def _notes(report: SeenReport) -> list[str]:
    lines = [report.no_interval] if report.no_interval else []
    gaps = [*report.gaps, *([] if report.resampled is None else [report.resampled])]
    if gaps and not any(gap.controls for gap in gaps):
        some = "seen episodes" if report.gaps else "prescribed starts"
        lines.append(
            f"{some} may simply be easier: --expert RUN and --floor RUN print the gap of the "
            "expert and of an agent that acts at random over the same episodes"
        )
    for families, why in (
        (report.continuous, "the places at a start are real numbers, so none is called unseen"),
        (report.uncovered, "a digest does not cover all of a start, so nothing is said of starts"),
    ):
        if families:
            lines.append(f"{', '.join(families[:5])}{', ...' * (len(families) > 5)}: {why}")
    told = list(report.unknown.items())
    for reason, count in told[:MOST_REASONS]:
        lines.append(f"{counted(count, 'episode')} not known: {reason}")
    if len(told) > MOST_REASONS:
        lines.append(f"and {counted(len(told) - MOST_REASONS, 'further reason')}")
    return lines
