"""A small number for every case of a plan, such as whether it has a result."""

from __future__ import annotations

from harness.records.plan import CaseIndex, Plan

__all__ = ["CaseStates"]


class CaseStates:
    """A small number for every case of a plan: one byte each, all 0 at first."""

    def __init__(self, plan: Plan) -> None:
        count = range(len(plan.conditions))
        self._bytes = [[bytearray(item.episodes) for _ in count] for item in plan.items]

    def __getitem__(self, index: CaseIndex) -> int:
        item, condition, episode = index
        return self._bytes[item][condition][episode]

    def __setitem__(self, index: CaseIndex, state: int) -> None:
        item, condition, episode = index
        self._bytes[item][condition][episode] = state

    def of(self, item: int, condition: int) -> bytearray:
        """The states of the episodes of one item in one condition."""
        return self._bytes[item][condition]
