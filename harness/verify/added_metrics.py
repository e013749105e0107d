"""Metrics of safety and cost that a later version measures, and lines of an older one lack."""

from __future__ import annotations

from collections.abc import Mapping

from harness.core.grammar import counted
from harness.core.safety import SAFETY_METRICS, added_later

__all__ = ["AddedMetrics", "as_told"]


class AddedMetrics:
    """Counts the episodes that lack a metric which their replay has.

    A line without one says that it was not measured, which no report takes for 0. So to leave one
    out is no difference, and it is told.
    """

    def __init__(self) -> None:
        self._names = set[str]()
        self._episodes = 0

    def add(self, recorded: Mapping[str, float], again: Mapping[str, float]) -> frozenset[str]:
        """The names that `again` has and `recorded` lacks."""
        added = frozenset(name for name in again if added_later(name, recorded))
        self._names |= added
        self._episodes += bool(added)
        return added

    def notes(self) -> list[str]:
        """A sentence, where any episode lacks one."""
        if not self._names:
            return []
        names = ", ".join(name for name in SAFETY_METRICS if name in self._names)
        return [
            f"{counted(self._episodes, 'replayed episode')} did not record what this version also "
            f"measures: {names}"
        ]


def as_told(metrics: Mapping[str, float], told: Mapping[str, float]) -> dict[str, float]:
    """`metrics` without those that the version which wrote `told` did not measure."""
    return {name: value for name, value in metrics.items() if not added_later(name, told)}
