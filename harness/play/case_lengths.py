"""How long the cases of a plan take, as far as that is known: long work begins first.

Two workers then end together, and none waits at the end for a long case that began last.
"""

from __future__ import annotations

from collections import Counter

from harness.core.nouns import LONGEST_EPISODE
from harness.records.plan import Plan

__all__ = ["CaseLengths"]


class CaseLengths:
    """Seconds of work that are left, by environment key. No figure of it changes a result."""

    def __init__(self, plan: Plan) -> None:
        self._limits = [item.task.max_steps or LONGEST_EPISODE for item in plan.items]
        self._left = [plan.count(number) for number in range(len(plan.items))]
        self._keys: dict[str, list[int]] = {}
        for number, item in enumerate(plan.items):
            self._keys.setdefault(item.env_key, []).append(number)
        self._seconds = [0.0] * len(plan.items)  # of the cases that are over
        self._over: Counter[int] = Counter()
        self._all_seconds = 0.0
        self._steps = 0  # the limits of these cases, summed

    def handed_out(self, item: int) -> None:
        """One case less is left of this item."""
        self._left[item] -= 1

    def took(self, item: int, seconds: float) -> None:
        """A case of this item is over, and took so many seconds."""
        self._seconds[item] += seconds
        self._all_seconds += seconds
        self._over[item] += 1
        self._steps += self._limits[item]

    def left(self, key: str) -> float:
        """The expected seconds of work that are left of an environment key.

        By the mean of the item's own cases; of an item without any, by its limit of steps and the
        pace of all others.
        """
        pace = self._all_seconds / self._steps if self._steps else 1.0
        return sum(
            max(0, self._left[item])
            * (
                self._seconds[item] / self._over[item]
                if self._over[item]
                else self._limits[item] * pace
            )
            for item in self._keys[key]
        )
