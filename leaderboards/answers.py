"""What the report says of what answers took: tokens, their price, and answers that were no action.

The lines of a run say it under `timing.agent`; they may be a stranger's: what is malformed there is
left out. Which figures there are is up to the agent (`Answer.figures`); the table shows those of
chat models, the JSON all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.core import Result
from harness.core.text import shorten
from leaderboards.tables import Column, Table

__all__ = ["AnswersRow", "AnswersTally", "answers_table"]

MOST_NAMES = 64
"""Figures of one task."""
_MOST = 1e18


@dataclass(frozen=True, kw_only=True)
class AnswersRow:
    """One task, or the whole run (`task` None): sums over the episodes that told something."""

    task: str | None
    episodes: int
    figures: Mapping[str, float]


class AnswersTally:
    """Takes the lines of a run."""

    def __init__(self) -> None:
        self._episodes: dict[str | None, int] = {}
        self._sums: dict[str | None, dict[str, float]] = {}

    def add(self, result: Result) -> None:
        """Take what the line of an episode says. An episode that ended in an error was paid too."""
        told = result.timing.get("agent")
        if not isinstance(told, Mapping):
            return
        figures = {
            shorten(name, 80): float(value)
            for name, value in told.items()
            if isinstance(name, str)
            and type(value) in (int, float)
            and abs(value) <= _MOST  # which no NaN is; an int may be too large for a float
        }
        if not figures:
            return
        for key in (result.task, None):
            self._episodes[key] = self._episodes.get(key, 0) + 1
            sums = self._sums.setdefault(key, {})
            for name, value in figures.items():
                if name in sums or len(sums) < MOST_NAMES:
                    sums[name] = sums.get(name, 0.0) + value

    def rows(self) -> tuple[AnswersRow, ...]:
        """The tasks by name, then the whole run."""
        keys = sorted(self._sums, key=lambda each: (each is None, each or ""))
        return tuple(
            AnswersRow(task=key, episodes=self._episodes[key], figures=self._sums[key])
            for key in keys
        )


def answers_table(rows: Sequence[AnswersRow]) -> list[Table]:
    """The table, if anything was told that it has a column for."""
    shown = {"invalid", "usd", *(name for _, name in _COUNTS)}
    if not any(shown & row.figures.keys() for row in rows):
        return []
    columns = [
        Column("", tuple(row.task or "overall" for row in rows), "name"),
        Column("episodes", tuple(str(row.episodes) for row in rows), spare=1),
    ]
    for head, name in _COUNTS:
        if any(name in row.figures for row in rows):
            cells = tuple(_count(row, name) for row in rows)
            columns.append(Column(head, cells, spare=_SPARE.get(name, 0)))
    if any("invalid" in row.figures for row in rows):
        columns.insert(3, Column("valid %", tuple(map(_valid, rows))))
    if any("usd" in row.figures for row in rows):
        columns.append(Column("US $", tuple(f"{row.figures.get('usd', 0.0):.4f}" for row in rows)))
    lead = (
        "valid: of the answers those that were an action at once; repaired: those that were one "
        "after a correction; cached: replies that were known already, which cost nothing; tokens: "
        "of all replies, known ones too"
    )
    return [Table("answers", tuple(columns), lead, total=True)]


_COUNTS = (
    ("answers", "answers"),
    ("repaired", "repaired"),
    ("impossible", "impossible"),
    ("refusals", "refusals"),
    ("requests", "requests"),
    ("cached", "cached"),
    ("tokens in", "tokens_in"),
    ("tokens out", "tokens_out"),
)


_SPARE = {"cached": 1, "requests": 2, "refusals": 3, "impossible": 3, "repaired": 4}
"""Which columns are left out first where there is no room."""


def _count(row: AnswersRow, name: str) -> str:
    return f"{row.figures[name]:,.0f}" if name in row.figures else ""


def _valid(row: AnswersRow) -> str:
    answers, invalid = row.figures.get("answers", 0.0), row.figures.get("invalid")
    if invalid is None or answers <= 0:
        return ""
    return f"{100 * (1 - min(max(invalid / answers, 0.0), 1.0)):.1f}"
