"""Which of a task's episodes are the same one, and which part of its plan they are."""

from __future__ import annotations

from array import array
from collections.abc import Callable

import numpy as np

from harness.core import Result
from harness.core.safety import names_of_bits, violation_bits
from harness.stats import Interval

__all__ = ["SAFE_SUCCESS", "SUCCESS", "VIOLATION", "TaskEpisodes"]

SUCCESS, VIOLATION, SAFE_SUCCESS = "success", "violation", "safe_success"
"""What a rate is of: a success, at least one violation, a success without any."""
_BITS = (1 << 64) - 1


class TaskEpisodes:
    """The episodes of a task that have a result: 31 bytes each, as a run may have millions.

    Two episodes with the same start and the same digest took the same course: they are one.
    """

    def __init__(self) -> None:
        self.n = self.errors = 0
        self._last = -1
        self._numbers, self._starts, self._courses = array("i"), array("Q"), array("Q")
        self._won, self._scores = array("b"), array("d")
        self._measured, self._broken = array("B"), array("B")
        """Which of VIOLATIONS an episode measured, and which were above 0, a bit each."""
        self._common: int | None = None
        """Those that every finished episode measured."""
        self._all_known = True
        self._chosen_of: tuple[int, np.ndarray] | None = None
        """(of how many episodes, their first ones), once it was asked for."""

    def add(self, episode: int, result: Result, score: float | None) -> None:
        """Count an episode by its number in the plan; its score is None where it has none."""
        self.n += 1
        self._last = max(self._last, episode)
        self._all_known = self._all_known and bool(result.start)
        # Hashes of texts: a list of the texts would take ten times the memory.
        self._starts.append(hash(result.start) & _BITS)
        self._courses.append(hash((result.start, result.digest)) & _BITS)
        self._numbers.append(episode)
        self._won.append(result.success is True)
        self._scores.append(np.nan if score is None else score)
        measured, broken = violation_bits(result.metrics)
        self._measured.append(measured)
        self._broken.append(broken)
        if result.status == "finished":
            self._common = measured if self._common is None else measured & self._common

    def add_error(self, episode: int) -> None:
        """Count an episode that was tried and has no result."""
        self.errors += 1
        self._last = max(self._last, episode)

    @property
    def is_prefix(self) -> bool:
        """Whether those with a result and those that were tried are the first of the plan.

        Otherwise those may be missing that take long, which is no random part.
        """
        return self._last + 1 == self.n + self.errors

    @property
    def violation_metrics(self) -> tuple[str, ...]:
        """The violations that every finished episode measured: the others are in no rate."""
        return names_of_bits(self._common or 0)

    def count(self, what: str = SUCCESS) -> tuple[int, int]:
        """(of how many episodes it is known, how many of these it is true of)."""
        values = self._values(what)
        return int((values >= 0).sum()), int((values > 0).sum())

    def distinct(self, what: str = SUCCESS) -> tuple[int, int]:
        """The same, of the different episodes that have a result.

        Where a start is not known, as in old lines, every episode counts as another one.
        """
        values = self._values(what)[self._chosen()]
        return int((values >= 0).sum()), int((values > 0).sum())

    def unknown(self, what: str = SUCCESS) -> int:
        """Of how many different episodes it is not known, with those that have no result."""
        return self.errors + int((self._values(what)[self._chosen()] < 0).sum())

    def outcomes(self, what: str = SUCCESS) -> tuple[np.ndarray, np.ndarray]:
        """(the number in the plan, 1 or 0) of each different episode, in one order."""
        numbers, values = (
            each[self._chosen()] for each in (np.asarray(self._numbers), self._values(what))
        )
        order = np.argsort(numbers)
        order = order[values[order] >= 0]
        return numbers[order], values[order].astype(np.float64)

    def _values(self, what: str) -> np.ndarray:
        """1 or 0 for each episode, and -1 where an agent's error left it unknown."""
        won = np.asarray(self._won)
        if what == SUCCESS:
            return won
        common = self._common or 0
        broken = (np.asarray(self._broken) & common) > 0
        known = broken | ((np.asarray(self._measured) & common) == common)
        if what == VIOLATION:
            return np.where(known, broken, -1)
        return np.where(won > 0, np.where(known, ~broken, -1), 0)

    def distinct_starts(self) -> int | None:
        """How many different starts there are; None where one is not known."""
        return len(np.unique(np.asarray(self._starts))) if self._all_known else None

    def bounds(
        self, interval: Callable[[int, int], Interval], what: str = SUCCESS
    ) -> tuple[float, float]:
        """The bounds of a rate over different episodes, by a method for (k, n).

        An episode without a result may have been either: it counts as 0 for the lower bound and as
        1 for the upper one.
        """
        different, won = self.distinct(what)
        unknown = self.unknown(what)
        tried = different + unknown
        return interval(won, tried).low, interval(won + unknown, tried).high

    def scores(self) -> np.ndarray:
        """All scores, shape (scores,), sorted: no sum depends on which episode finished first."""
        return _sorted(np.asarray(self._scores))

    def scores_by_number(self) -> tuple[np.ndarray, np.ndarray]:
        """(the number in the plan, the score) of each episode that has one, by number."""
        numbers, scores = np.asarray(self._numbers), np.asarray(self._scores)
        order = np.argsort(numbers)
        order = order[np.isfinite(scores[order])]
        return numbers[order], scores[order]

    def distinct_scores(self) -> np.ndarray:
        """The scores of the different episodes, as `scores`."""
        return _sorted(np.asarray(self._scores)[self._chosen()])

    def _chosen(self) -> np.ndarray | slice:
        """The index of the first of equal episodes, for each."""
        if not self._all_known:
            return slice(None)
        if self._chosen_of is None or self._chosen_of[0] != self.n:
            _, chosen = np.unique(np.asarray(self._courses), return_index=True)
            self._chosen_of = self.n, np.asarray(chosen)
        return self._chosen_of[1]


def _sorted(scores: np.ndarray) -> np.ndarray:
    return np.sort(scores[np.isfinite(scores)])
