"""The table of the errors in which the cases of a run ended."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.grammar import counted
from harness.records.error_kinds import ErrorKind
from leaderboards.tables import Column, Table

__all__ = ["error_table"]

MOST_KINDS = 20
"""Rows of the table."""


def error_table(kinds: Sequence[ErrorKind]) -> list[Table]:
    """A row for each kind, with its number of episodes and its first case; no table without any."""
    if not kinds:
        return []
    shown, left = kinds[:MOST_KINDS], kinds[MOST_KINDS:]
    lead = "`bench show RUN --failures` lists the episodes."
    if left:
        lead += (
            f" {counted(len(left), 'more kind')}, of "
            f"{counted(sum(kind.count for kind in left), 'episode')}, "
            f"{'is' if len(left) == 1 else 'are'} in the JSON format."
        )
    columns = (
        Column("status", tuple(kind.status for kind in shown), "name"),
        Column("episodes", tuple(str(kind.count) for kind in shown)),
        Column("error", tuple(kind.error for kind in shown), "prose"),
        Column("first case", tuple(map(_first_case, shown)), "prose"),
    )
    return [Table("errors", columns, lead)]


def _first_case(kind: ErrorKind) -> str:
    return " ".join((kind.task, "seed", str(kind.seed), *kind.perturbations))
