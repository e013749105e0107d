"""What was seen in training and what was new, as text, Markdown or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.core import UserError
from harness.core.factors import AXES
from harness.core.grammar import counted
from leaderboards.data_formats import json_page
from leaderboards.flatten import flatten
from leaderboards.seen import AxisCount, Gap, SeenReport, TaskSeen
from leaderboards.tables import (
    FULL_WIDTH,
    WIDTH,
    Column,
    Lines,
    Table,
    markdown_page,
    narrowed,
    percent,
    range_of,
    signed_points,
    text_page,
)

__all__ = ["render_seen", "seen_lines"]

SCHEMA = 1
MOST_REASONS = 5
MOST_TASKS = 20
"""Rows of tasks in a terminal."""


def render_seen(report: SeenReport, format: str, *, full: bool = False, width: int = WIDTH) -> str:
    """As `text`, `markdown` or `json`, without a newline at its end. Raises UserError."""
    if format == "json":
        fields: Mapping[str, Any] = flatten(report, {})
        return json_page({"schema": SCHEMA, **fields}).rstrip("\n")
    if format not in ("text", "markdown"):
        raise UserError(f"--seen has no {format}: choose text, markdown, json")
    header = [f"{report.agent}, {report.run}"]
    if report.description is None:
        header.append(
            "what it was trained on: unknown. It does not say, so nothing is claimed: name it with "
            "--training-data, or in `Agent.training_data` before the run"
        )
    else:
        header.append(f"trained on, as its maker says: {report.description}")
    told, notes = seen_lines(report), _notes(report)
    tables = [*_task_table(report.tasks, whole=full or format == "markdown"), *_gap_table(report)]
    if format == "markdown":
        return markdown_page([*header, *told, *notes], tables).rstrip("\n")
    width = max(width, FULL_WIDTH) if full else width
    parts: list[Table | Lines] = [
        *(table if full else narrowed(table, width)[0] for table in tables),
        *([Lines("notes", tuple(notes))] if notes else []),
        *([Lines("seen", tuple(told))] if told else []),
    ]
    return text_page(header, parts, width=width, whole_names=full).rstrip("\n")


def seen_lines(report: SeenReport) -> list[str]:
    """What was found, as sentences: what leaked first, then each axis with a gap."""
    if report.description is None:
        return []
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
    return lines


def _sentence(gap: Gap) -> str:
    points = f"{signed_points(gap.gap.value)} points on seen against unseen" + (
        f", {range_of(gap.gap, signed_points)}" if gap.gap.low is not None else ""
    )
    beside = "".join(
        f"; {each.agent} {signed_points(each.gap.value)}"
        + (f", {range_of(each.gap, signed_points)}" if each.gap.low is not None else "")
        for each in gap.controls
    )
    verdict = (
        "better on what it had seen" if gap.better else "no better for sure on what it had seen"
    )
    return f"{gap.axis}: {verdict}: {points}{beside}"


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


def _gap_table(report: SeenReport) -> list[Table]:
    rows = report.gaps
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
            "seen against unseen",
            (
                Column("axis", tuple(row.axis for row in rows), "name"),
                Column("tasks", tuple(str(row.tasks) for row in rows), spare=2),
                Column("seen %", tuple(percent(row.seen) for row in rows)),
                Column("n", tuple(str(row.n_seen) for row in rows)),
                Column("unseen %", tuple(percent(row.unseen) for row in rows)),
                Column("n", tuple(str(row.n_unseen) for row in rows)),
                Column("gap", tuple(signed_points(row.gap.value) for row in rows)),
                Column("95 %", tuple(range_of(row.gap, signed_points) for row in rows)),
                *(
                    Column(f"gap of {name}", tuple(control(row, name) for row in rows), spare=1)
                    for name in names
                ),
            ),
            "Success in %, within the tasks that have both kinds of episodes, each of which weighs "
            "the same; equal episodes count once. An interval is for its axis alone.",
        )
    ]


def _notes(report: SeenReport) -> list[str]:
    lines = [report.no_interval] if report.no_interval else []
    if report.gaps and not any(gap.controls for gap in report.gaps):
        lines.append(
            "seen episodes may simply be easier: --expert RUN and --floor RUN print the gap of the "
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
