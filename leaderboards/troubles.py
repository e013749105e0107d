"""The last lines of a report on a terminal: what is wrong, how often, and what to do."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.grammar import counted
from harness.core.text import printable, shorten
from harness.probes.wiring.passive import warnings
from harness.records.error_kinds import ErrorKind
from harness.records.plan import NotRun
from leaderboards.schema import Report
from leaderboards.tables import LINE, Lines

__all__ = ["MOST_LINES", "troubles"]

MOST_LINES = 10
"""Lines of a terminal."""
FAILURES = "bench show RUN --failures"
WIRING = "bench probe wiring --run RUN"


@dataclass(frozen=True)
class _Part:
    """Troubles of one kind, with the command that shows all of them."""

    head: str
    command: str
    lines: tuple[str, ...]


def troubles(report: Report, width: int, *, full: bool = False) -> list[Lines]:
    """Of errors, missing episodes, odd views and wires, tasks that cannot run; none without any.

    In full where that fits MOST_LINES lines of `width` characters, else a line for each kind.
    `full`: whether the page shows all of them above.
    """
    width = min(width, LINE)
    where = "see above" if full else "bench report RUN --full"
    parts = [*_errors(report.errors), *_missing(report), *_views(report.views, where)]
    parts += [_Part(each, WIRING, ()) for each in warnings(report.wiring)]
    parts += _not_run(report.not_run, where)
    if not parts:
        return []
    whole = [
        line for part in parts for line in (_head(part), *(f"  {each}" for each in part.lines))
    ]
    if sum(len(_wrapped(line, width)) for line in whole) > MOST_LINES:
        whole = _folded(parts, width)
    return [Lines("what is wrong, and what to do", tuple(whole))]


def _head(part: _Part) -> str:
    return f"{part.head}: {part.command}"


def _wrapped(line: str, width: int) -> list[str]:
    return textwrap.wrap(
        printable(line), width, subsequent_indent="  ", break_on_hyphens=False
    ) or [""]


def _folded(parts: Sequence[_Part], width: int) -> list[str]:
    """One line each, as many as there is room for; the heads always."""
    room = MOST_LINES - len(parts)
    lines = []
    for number, part in enumerate(parts):
        # Each part gets its share of the room, and what those before it left.
        share = room // (len(parts) - number)
        shown = part.lines if len(part.lines) <= share else part.lines[: max(share - 1, 0)]
        room -= len(shown)
        lines.append(shorten(printable(_head(part)), width))
        lines += [shorten(f"  {printable(line)}", width) for line in shown]
        left = len(part.lines) - len(shown)
        if left and share:
            lines.append(f"  {left} more")
            room -= 1
    return lines


def _errors(kinds: Sequence[ErrorKind]) -> list[_Part]:
    if not kinds:
        return []
    lines = tuple(
        f"{kind.count} {kind.status}: {kind.error}; first: {kind.task} seed {kind.seed}"
        + "".join(f" {each}" for each in kind.perturbations)
        for kind in kinds
    )
    count = sum(kind.count for kind in kinds)
    return [_Part(f"{counted(count, 'episode')} ended in errors", FAILURES, lines)]


def _missing(report: Report) -> list[_Part]:
    total = report.overall
    unplayed = total.planned - total.n - total.errors
    unplayed += sum(
        row.planned - row.n - row.errors
        for row in report.perturbations
        if row.task is not None and row.severity is not None
    )
    if unplayed <= 0:
        return []
    said = f"{counted(unplayed, 'episode')} {'was' if unplayed == 1 else 'were'} not played"
    return [_Part(said, "the same `bench run` goes on", ())]


def _views(remarks: Sequence[str], where: str) -> list[_Part]:
    if not remarks:
        return []
    return [_Part(f"odd views in {counted(len(remarks), 'task')}", where, tuple(remarks))]


def _not_run(rows: Sequence[NotRun], where: str) -> list[_Part]:
    """A line for each reason and remedy."""
    groups: dict[tuple[str, str], list[NotRun]] = {}
    for row in rows:
        groups.setdefault((row.reason, row.remedy), []).append(row)
    if not groups:
        return []
    lines = tuple(
        f"{_named(some)}: {reason}; {remedy}" for (reason, remedy), some in groups.items()
    )
    return [_Part(f"{counted(len(rows), 'task')} cannot run here", where, lines)]


def _named(rows: Sequence[NotRun]) -> str:
    """The tasks, or how many of which suites."""
    if len(rows) <= 2:
        return ", ".join(row.task for row in rows)
    suites = list(dict.fromkeys(row.suite for row in rows))
    more = f" and {len(suites) - 1} more suites" if len(suites) > 1 else ""
    return f"{len(rows)} of {suites[0]}{more}"
