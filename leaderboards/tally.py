"""From the results of a task's unperturbed episodes to its row in the report."""

from __future__ import annotations

import math
from array import array
from collections import Counter

import numpy as np

from harness.core import Result
from harness.records.plan import PlanItem
from harness.stats import Estimate, Interval, anytime_rate, mean_score, wilson
from leaderboards.schema import TaskRow

__all__ = ["TaskTally"]


class TaskTally:
    """What is kept of a task's unperturbed episodes: counts, scores and metrics."""

    def __init__(self, item: PlanItem, *, anytime: bool) -> None:
        """anytime: whether the rate needs bounds that hold at every look."""
        self.item = item
        self.n = 0
        self._rate_with_bounds = anytime_rate if anytime else wilson
        self._errors = self._agent_errors = self._successes = self._steps = 0
        self._ended: Counter[str] = Counter()
        # Eight bytes for each score: a run may have millions of episodes.
        self._scores = array("d")
        self._metrics: dict[str, array[float]] = {}
        self._simulator_s = self._agent_s = 0.0

    def add(self, result: Result) -> None:
        """Count the result of one of the task's cases."""
        if result.status == "error":
            self._errors += 1
            return
        self.n += 1
        self._ended[result.ended] += 1
        self._simulator_s += result.timing.get("simulator_s", 0.0)
        self._agent_s += result.timing.get("agent_s", 0.0)
        if result.status == "agent_error":
            self._agent_errors += 1
            normaliser = self.item.task.normaliser
            if self.item.task.success is None and normaliser is not None:
                self._scores.append(normaliser.low)
            return
        assert result.score is not None
        self._steps += result.steps
        self._successes += result.success is True
        self._scores.append(result.score)
        for name, value in result.metrics.items():
            self._metrics.setdefault(name, array("d")).append(value)

    def sorted_scores(self) -> np.ndarray:
        """All scores, shape (scores,), sorted: no sum depends on which episode finished first."""
        return np.sort(np.asarray(self._scores, dtype=np.float64))

    def row(self) -> TaskRow:
        """The figures of the task."""
        task, n, planned = self.item.task, self.n, self.item.episodes
        finished = n - self._agent_errors
        has_success = task.success is not None
        rate = self._rate_with_bounds(self._successes, n) if has_success and n else None
        scores = self.sorted_scores()
        return TaskRow(
            task=task.id,
            domain=task.domain,
            suite=self.item.suite,
            rule=task.rule,
            planned=planned,
            n=n,
            successes=self._successes if has_success else None,
            agent_errors=self._agent_errors,
            errors=self._errors,
            partial=n < planned,
            interval=rate,
            rate_if_missing_fail=self._successes / planned if has_success else None,
            score=_mean_with_bounds(scores, bounded=not has_success),
            score_median=float(np.median(scores)) if len(scores) else None,
            normalised=self._normalised(rate, scores),
            steps_mean=self._steps / finished if finished else None,
            ended=dict(sorted(self._ended.items())),
            simulator_s=round(self._simulator_s, 3),
            agent_s=round(self._agent_s, 3),
            reference=task.references,
            metrics={
                name: math.fsum(values) / finished
                for name, values in sorted(self._metrics.items())
                if len(values) == finished
            },
        )

    def _normalised(self, rate: Interval | None, scores: np.ndarray) -> float | None:
        task = self.item.task
        if task.success is not None:
            return rate.value if rate else None
        return task.normaliser(float(scores.mean())) if task.normaliser and len(scores) else None


def _mean_with_bounds(scores: np.ndarray, *, bounded: bool) -> Estimate | None:
    """The mean of sorted scores, with bounds where they are asked for and the scores differ."""
    if not len(scores):
        return None
    # Equal scores say nothing of how much others would differ: an interval of no width would claim
    # certainty.
    if bounded and scores[0] != scores[-1]:
        return mean_score(scores)
    return Estimate(float(scores.mean()), None, None)
