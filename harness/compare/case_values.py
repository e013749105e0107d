"""A result as the number by which cases are compared, and how two such numbers differ."""

from __future__ import annotations

import math

from harness.core import Result, Task

__all__ = ["LEAST", "measure_of", "value_difference", "value_of_case"]

LEAST = 1e-9
"""By how much an agent's error is worse than a normalised score of 0 or less."""


def measure_of(task: Task) -> str:
    """What a task is compared by.

    `success`: 1 or 0. `normalised`: the normalised score, which may lie outside of [0, 1]. `sign`:
    which of the two raw scores is higher, where a task has neither.
    """
    return "success" if task.success is not None else "normalised" if task.normaliser else "sign"


def value_of_case(task: Task, result: Result) -> float | None:
    """A result as a number, by the task's measure: success, normalised score or raw score.

    None: it has no score. An agent's error is a failure; of scores it is -inf, below all others.
    """
    if result.status == "error":
        return None
    kind = measure_of(task)
    if kind == "success":
        return float(result.success is True)
    if result.status == "agent_error":
        return float("-inf")
    assert result.score is not None
    if kind == "normalised":
        assert task.normaliser is not None
        return task.normaliser(result.score)
    return float(result.score)


def value_difference(base: float, new: float, measure: str) -> float:
    """New minus base, in [-1, 1], below 0 whenever new did worse.

    Of raw scores it is the sign of that. Of normalised scores it is their difference where both lie
    on the scale from 0 to 1, else their difference divided by the larger of the two sizes, and -1
    or 1 at most: a fall from 9.5 to 1.9 is -0.8. An agent's error counts as 0, or as just below a
    score that is no higher than 0.
    """
    if base == new:
        return 0.0
    if measure == "sign":
        return 1.0 if new > base else -1.0
    if measure == "success":
        return new - base
    base, new = _score_or_least(base, new), _score_or_least(new, base)
    return min(1.0, max(-1.0, (new - base) / max(1.0, abs(base), abs(new))))


def _score_or_least(score: float, other: float) -> float:
    """The normalised score, or what an agent's error counts as beside the other score."""
    if math.isfinite(score):
        return score
    return 0.0 if other > 0 else other - LEAST
