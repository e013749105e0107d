"""Which episodes a file beside a run speaks of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from harness.core import Result
from harness.records.plan import CaseIndex

__all__ = ["spoken_of"]

Line = TypeVar("Line")


def spoken_of(
    results: Mapping[CaseIndex, Result],
    lines: Mapping[str, Line],
    same: Callable[[Line, Result], bool],
) -> dict[CaseIndex, Result]:
    """Those of these episodes that have a line of their own.

    lines: case id -> line. same: whether a line is of this very episode. A line that tells of
    another one, or of none, counts nowhere and is no difference.
    """
    return {
        index: result
        for index, result in results.items()
        if result.case in lines and same(lines[result.case], result)
    }
