"""Methods on the board: entries that whoever builds it names as the trainings of one method.

An entry is a checkpoint. Which entries are trainings of one method nobody can read from them, and a
submitter's word could put a bad training into another's method: so the builder says it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.compare.methods import CommonCases
from harness.core import UserError
from leaderboards.board.model import Board, Row, SuiteBoard
from leaderboards.board.outcomes import TaskOutcomes
from leaderboards.board.ranking import ALPHA, shared_by_all
from leaderboards.compare_methods import MethodRow, method_contrasts, method_rows

__all__ = ["MethodsOfSuite", "methods_of_suite", "refuse_no_methods"]


@dataclass(frozen=True, kw_only=True)
class MethodsOfSuite:
    """The methods of a suite, on the cases that all of their entries share."""

    rows: tuple[MethodRow, ...]
    cases: int
    left_out: tuple[str, ...]
    """Methods with fewer than two ranked entries of this suite."""


def refuse_no_methods(board: Board, methods: Mapping[str, Sequence[str]]) -> None:
    """Raises UserError for an entry that the board has not, or a training that is named twice."""
    known = {entry.id: entry for entry in board.entries}
    seen: dict[tuple[str, str], str] = {}
    for name, entries in methods.items():
        for each in entries:
            if each not in known:
                raise UserError(f"--method {name}: the board has no entry {each}")
            for part in known[each].parts:
                place = part.suite, known[each].fingerprint
                if place in seen:
                    raise UserError(
                        f"--method {name}: {each} and {seen[place]} are one agent on {part.suite}: "
                        "one training, not two"
                    )
                seen[place] = each


def methods_of_suite(
    suite: SuiteBoard, methods: Mapping[str, Sequence[str]]
) -> MethodsOfSuite | None:
    """The methods by their ranked entries of this suite; None where there is none to show."""
    ranked = {row.entry.id: row for row in suite.ranked}
    members = {
        name: [ranked[each] for each in entries if each in ranked]
        for name, entries in methods.items()
    }
    left_out = tuple(name for name, rows in members.items() if len(rows) == 1)
    members = {name: rows for name, rows in members.items() if len(rows) > 1}
    if not members:
        return None
    places, values, families = shared_by_all(
        list(suite.suite.tasks), [*_outcomes(row for rows in members.values() for row in rows)]
    )
    if len(np.unique(places[:, 0])) < len(suite.suite.tasks):
        return MethodsOfSuite(rows=(), cases=0, left_out=(*left_out, *members))
    ends = np.cumsum([len(rows) for rows in members.values()])[:-1]
    split = dict(zip(members, np.split(values, ends)))
    common = CommonCases(list(suite.suite.tasks), families, places, split)
    contrasts = method_contrasts(list(members), common, ALPHA)
    told = {
        name: (tuple(row.entry.id for row in rows), tuple(row.entry.name for row in rows))
        for name, rows in members.items()
    }
    return MethodsOfSuite(
        rows=method_rows(told, common, contrasts, ALPHA), cases=len(places), left_out=left_out
    )


def _outcomes(rows: Iterator[Row]) -> Iterator[Mapping[str, TaskOutcomes]]:
    for row in rows:
        assert row.part is not None
        yield row.part.outcomes
