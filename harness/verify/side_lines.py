"""Which episodes a file beside a run speaks of, and what it says otherwise than a replay."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from harness.core import Result
from harness.records.plan import CaseIndex
from harness.verify.difference import Difference

__all__ = ["differences", "spoken_of"]

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


def differences(
    result: Result, file: str, recorded: Mapping[str, str], replayed: Mapping[str, str], none: str
) -> Iterator[Difference]:
    """What a line of a file says of an episode otherwise than its replay, both by name.

    none: what stands for a name that one of the two does not have.
    """
    for name in {**recorded, **replayed}:
        if recorded.get(name) != replayed.get(name):
            both = recorded.get(name, none), replayed.get(name, none)
            yield Difference.of(result, f"{file}: {name}", *both)
