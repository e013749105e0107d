"""From the results of a task's unperturbed episodes to its row in the report."""

from __future__ import annotations

import math
from array import array
from collections import Counter

import numpy as np

from harness.core import Result
from harness.records.plan import PlanItem
from harness.stats import Estimate, anytime_rate, are_enough, mean_of_scores, wilson
from leaderboards.achievements import NAME, achievement_score
from leaderboards.episodes import SAFE_SUCCESS, SUCCESS, VIOLATION, TaskEpisodes
from leaderboards.no_interval import FEW_SCORES, NOT_FIRST, STOPPED, around
from leaderboards.schema import TaskRow
from leaderboards.success_times import SuccessTimes

__all__ = ["TaskTally"]

SHARES_OF_SUCCESS = frozenset({"optimality", "spl", "success", "success_at_end"})
"""Scores and metrics that are 0 where the agent failed."""
DECLARED_LIMITS = ("move_limit", "no_progress")
"""Params by which a task asks its simulator for another limit than that of steps."""


class TaskTally:
    """What is kept of a task's unperturbed episodes: counts, scores and metrics."""

    def __init__(self, item: PlanItem, *, anytime: bool) -> None:
        """anytime: whether the run could stop for what it saw.

        Then the rate needs bounds that hold at every look.
        """
        self.item = item
        self.anytime = anytime
        self.episodes = TaskEpisodes()
        self._times = SuccessTimes(item.task.max_steps)
        self._agent_errors = self._successes = self._steps = self._cut_short = 0
        self._ended: Counter[str] = Counter()
        self._metrics: dict[str, array[float]] = {}
        self._metrics_of_failed: dict[str, array[float]] = {}
        """Of the episodes that ended in an error of the agent."""
        self._simulator_s = self._agent_s = 0.0

    @property
    def n(self) -> int:
        """The number of episodes that have a result."""
        return self.episodes.n

    def add(self, episode: int, result: Result) -> None:
        """Count the result of one of the task's cases, by its number in the plan."""
        if result.status == "error":
            self.episodes.add_error(episode)
            return
        failed = result.status == "agent_error"
        self.episodes.add(
            episode, result, self._score_of_failed(result) if failed else result.score
        )
        self._times.add(result)
        self._ended[result.ended] += 1
        self._cut_short += self._is_cut_short(result)
        self._simulator_s += result.timing.get("simulator_s", 0.0)
        self._agent_s += result.timing.get("agent_s", 0.0)
        self._agent_errors += failed
        self._successes += result.success is True
        if not failed:
            self._steps += result.steps
        metrics = self._metrics_of_failed if failed else self._metrics
        for name, value in result.metrics.items():
            metrics.setdefault(name, array("d")).append(value)

    def _is_cut_short(self, result: Result) -> bool:
        """Whether the simulator truncated the episode before the horizon of its task."""
        task = self.item.task
        if result.ended != "truncated" or any(name in task.params for name in DECLARED_LIMITS):
            return False
        return task.max_steps is not None and result.steps < task.max_steps

    def _score_of_failed(self, result: Result) -> float | None:
        """What an episode scores that ended in an error of the agent; None where nobody knows."""
        task = self.item.task
        if task.success is None and task.normaliser is not None:
            return task.normaliser.low
        if task.score in SHARES_OF_SUCCESS:
            return 0.0
        return result.metrics.get(task.score)

    def row(self, privileged: tuple[str, ...] = ()) -> TaskRow:
        """The figures of the task. `privileged`: the views of that kind that the agent read."""
        task, n, planned = self.item.task, self.n, self.item.episodes
        finished = n - self._agent_errors
        has_success = task.success is not None
        rate, scores = self._rate(), self.episodes.scores()
        different, starts = self.episodes.distinct()[0], self.episodes.distinct_starts()
        metrics = self._metric_means(finished)
        means = {name: mean for name, (mean, _) in metrics.items()}
        unlocked = achievement_score(means)
        rates = self._times.rates if has_success else None
        violation = self._rate(VIOLATION)
        known = self.episodes.count(VIOLATION)[0]
        return TaskRow(
            task=task.id,
            domain=task.domain,
            suite=self.item.suite,
            rule=task.rule,
            planned=planned,
            n=n,
            successes=self._successes if has_success else None,
            agent_errors=self._agent_errors,
            errors=self.episodes.errors,
            partial=n < planned,
            interval=rate,
            rate_if_missing_fail=self._successes / planned if has_success else None,
            score=self._mean_score(scores),
            score_median=float(np.median(scores)) if len(scores) else None,
            normalised=self._normalised(rate, scores),
            steps_mean=self._steps / finished if finished else None,
            ended=dict(sorted(self._ended.items())),
            simulator_s=round(self._simulator_s, 3),
            agent_s=round(self._agent_s, 3),
            reference=task.references,
            privileged=privileged,
            cut_short=self._cut_short or None,
            horizon=task.max_steps if self._cut_short else None,
            metrics=means if unlocked is None else {NAME: unlocked, **means},
            distinct=different if different < n else None,
            distinct_starts=starts if starts is not None and starts < n else None,
            score_name=task.score
            if has_success and task.score not in ("return", "success")
            else "",
            scored=len(scores) if len(scores) < n else None,
            measured={name: of for name, (_, of) in metrics.items() if of < n} or None,
            no_interval=(self.no_interval or self._few_scores(scores)) if n else "",
            success_ever=rates[0] if rates else None,
            success_end=rates[1] if rates else None,
            time_to_success=self._times.mean() if has_success else None,
            violation=violation,
            safe_success=self._rate(SAFE_SUCCESS),
            violation_metrics=() if violation is None else self.episodes.violation_metrics,
            violation_known=known if violation is not None and known < n else None,
        )

    @property
    def no_interval(self) -> str:
        """Why its rate, or else its score, has no bounds; empty where it has some."""
        has_success = self.item.task.success is not None
        if not self.episodes.is_prefix or (self.episodes.errors and not has_success):
            return NOT_FIRST
        return STOPPED if self.anytime and not has_success else ""

    @property
    def repeats(self) -> bool:
        """Whether some of its episodes are the same."""
        return self.episodes.distinct()[0] < self.n

    def _rate(self, what: str = SUCCESS) -> Estimate | None:
        """A rate; with bounds if the episodes are the first of the plan."""
        if self.item.task.success is None and what != VIOLATION:
            return None
        if what != SUCCESS and not self.episodes.violation_metrics:
            return None
        known, count = self.episodes.count(what)
        if not known:
            return None
        value = count / known
        if not self.episodes.is_prefix:
            return Estimate(value, None, None)
        method = anytime_rate if self.anytime else wilson
        return around(value, *self.episodes.bounds(method, what))

    def _mean_score(self, scores: np.ndarray) -> Estimate | None:
        """The mean of sorted scores; with bounds in a task without a success."""
        if not len(scores):
            return None
        mean = float(scores.mean())
        different = self.episodes.distinct_scores()
        if self.item.task.success is None and not self.no_interval:
            found = mean_of_scores([different])
            if found.low is not None and found.high is not None:
                return around(mean, found.low, found.high)
        return Estimate(mean, None, None)

    def _few_scores(self, scores: np.ndarray) -> str:
        """Why the mean score has no bounds, where it lacks different episodes for that."""
        if self.item.task.success is not None or not len(scores):
            return ""
        return "" if are_enough(np.array([len(self.episodes.distinct_scores())])) else FEW_SCORES

    def _normalised(self, rate: Estimate | None, scores: np.ndarray) -> float | None:
        task = self.item.task
        if task.success is not None:
            return rate.value if rate else None
        return task.normaliser(float(scores.mean())) if task.normaliser and len(scores) else None

    def _metric_means(self, finished: int) -> dict[str, tuple[float, int]]:
        """(mean, number of episodes) of each metric that every finished episode has.

        An episode with an agent's error counts with what was measured until then.
        """
        found = {}
        for name, values in sorted(self._metrics.items()):
            if len(values) == finished:
                more = self._metrics_of_failed.get(name, array("d"))
                if name in SHARES_OF_SUCCESS:
                    more = array("d", [0.0] * self._agent_errors)
                count = finished + len(more)
                found[name] = math.fsum((*values, *more)) / count, count
        return found
