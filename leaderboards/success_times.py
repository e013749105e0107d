"""When a task's episodes succeed: at any step, at the last one, and after how many steps."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.core import Result
from harness.core.nouns import LONGEST_EPISODE
from harness.core.reference import LATER

__all__ = ["SuccessTimes", "TimeToSuccess"]


@dataclass(frozen=True, kw_only=True)
class TimeToSuccess:
    """The restricted mean number of steps until the first success, over all n episodes.

    An episode without a success counts with `limit`, so that an agent does not get faster by
    failing more. With no success at all it is the limit.
    """

    steps: float
    limit: int
    """The horizon, or the longest episode of a task without one."""
    first: float | None = field(default=None, metadata=LATER)
    """The mean over the episodes that have a success."""


class SuccessTimes:
    """Counts of the n episodes of a task that has a success."""

    def __init__(self, horizon: int | None) -> None:
        # LONGEST_EPISODE stands for no horizon: the simulator's own limit is lower.
        self._horizon = None if horizon == LONGEST_EPISODE else horizon
        self._n = self._ever = self._end = self._steps = self._longest = 0
        self._all_known = True

    def add(self, result: Result) -> None:
        """Count an episode. Old lines do not say when it succeeded."""
        self._n += 1
        self._longest = max(self._longest, result.steps)
        if result.success_ever is None or result.success_end is None:
            self._all_known = False
            return
        self._end += result.success_end
        if result.first_success is not None:
            self._ever += 1
            self._steps += result.first_success

    @property
    def rates(self) -> tuple[float, float] | None:
        """(success at any step, success at the last step); None where they are not known."""
        known = self._n > 0 and self._all_known
        return (self._ever / self._n, self._end / self._n) if known else None

    def mean(self) -> TimeToSuccess | None:
        """The restricted mean; None where the steps are not known."""
        if not self._n or not self._all_known:
            return None
        limit = self._horizon or self._longest
        return TimeToSuccess(
            steps=(self._steps + (self._n - self._ever) * limit) / self._n,
            limit=limit,
            first=self._steps / self._ever if self._ever else None,
        )
