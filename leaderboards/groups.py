"""From the rows of tasks to those of suites, domains and the whole run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from harness.core.safety import VIOLATIONS
from harness.stats import Estimate, aggregates, are_enough, design_effects, iqm
from leaderboards.episodes import SAFE_SUCCESS, SUCCESS, VIOLATION
from leaderboards.floors import mean_floor
from leaderboards.mean_rates import mean_of_tasks, rate_of
from leaderboards.no_interval import FEW_SCORES, FEW_SCORES_OF_SEVERAL, REPEATED
from leaderboards.privilege import privileged_group
from leaderboards.schema import Group, Scores, TaskRow
from leaderboards.tally import TaskTally

__all__ = ["Grouping"]

MAX_DRAWS = 10_000_000
"""How many scores one bootstrap draws at most: it has 2,000 repeats, fewer where there are many
scores, and at least 100."""


class Grouping:
    """Sums up the rows of tasks."""

    def __init__(self, rows: Sequence[tuple[TaskTally, TaskRow]]) -> None:
        self._rows = rows
        # A domain is often one suite: what takes long is computed once for a set of tasks.
        self._scores: dict[tuple[str, ...], Scores] = {}
        self._means: dict[tuple[str, tuple[str, ...]], tuple[Estimate | None, str]] = {}

    def group(self, *, suite: str | None = None, domain: str | None = None) -> Group:
        """The tasks of a suite or a domain, or all."""
        chosen = [
            (tally, row)
            for tally, row in self._rows
            if suite in (None, row.suite) and domain in (None, row.domain)
        ]
        rows = [row for _, row in chosen]
        rated = [row for row in rows if row.successes is not None]
        seen = [(tally, row) for tally, row in chosen if row.successes is not None and row.n]
        interval, no_interval = self._mean_of(seen, SUCCESS)
        measured = [(tally, row) for tally, row in chosen if row.violation is not None]
        worst = [row.rate_if_missing_fail or 0 for row in rated]
        normalised = [row.normalised for row in rows if row.normalised is not None]
        ended: Counter[str] = Counter()
        for row in rows:
            ended.update(row.ended)
        planned, n = sum(row.planned for row in rows), sum(row.n for row in rows)
        with_result = sum(row.n > 0 for row in rows)
        scored = [
            tally for tally, row in chosen if row.successes is None and row.normalised is not None
        ]
        return Group(
            suite=suite,
            domain=domain,
            tasks=len(rows),
            tasks_with_result=with_result,
            planned=planned,
            n=n,
            successes=sum(row.successes or 0 for row in rated) if rated else None,
            agent_errors=sum(row.agent_errors for row in rows),
            errors=sum(row.errors for row in rows),
            partial=n < planned,
            interval=interval,
            rate_if_missing_fail=sum(worst) / len(worst) if worst else None,
            normalised=sum(normalised) / len(normalised) if normalised else None,
            ended=dict(sorted(ended.items())),
            simulator_s=round(sum(row.simulator_s for row in rows), 3),
            agent_s=round(sum(row.agent_s for row in rows), 3),
            scores=self._scores_of(scored),
            tasks_in_rate=len(seen) if 0 < len(seen) < with_result else None,
            tasks_in_normalised=len(normalised) if 0 < len(normalised) < with_result else None,
            no_interval=no_interval or _why_no_interval(scored) or _few_scores(scored),
            privileged=privileged_group(rows),
            floor=mean_floor(row.floors for _, row in seen) if seen else None,
            violation=self._mean_of(measured, VIOLATION)[0],
            safe_success=self._mean_of(measured, SAFE_SUCCESS)[0],
            violation_metrics=tuple(
                name
                for name in VIOLATIONS
                if any(name in row.violation_metrics for _, row in measured)
            ),
            tasks_in_violation=len(measured) if 0 < len(measured) < with_result else None,
        )

    def _mean_of(
        self, seen: Sequence[tuple[TaskTally, TaskRow]], what: str
    ) -> tuple[Estimate | None, str]:
        rated = [(tally, row) for tally, row in seen if rate_of(row, what) is not None]
        key = what, tuple(row.task for _, row in rated)
        if key not in self._means:
            self._means[key] = mean_of_tasks(rated, what)
        return self._means[key]

    def _scores_of(self, tallies: Sequence[TaskTally]) -> Scores | None:
        if not tallies:
            return None
        key = tuple(tally.item.task.id for tally in tallies)
        if key not in self._scores:
            self._scores[key] = _scores(tallies)
        return self._scores[key]


def _why_no_interval(tallies: Sequence[TaskTally]) -> str:
    """Why the scores of these tasks have no bounds; empty where they have some."""
    why = [tally.no_interval or (REPEATED if tally.repeats else "") for tally in tallies]
    return next(filter(None, why), "")


def _few_scores(tallies: Sequence[TaskTally]) -> str:
    """Why the mean of these tasks' scores has no bounds, where there are too few of them."""
    if not tallies or are_enough(np.array([len(each.episodes.scores()) for each in tallies])):
        return ""
    return FEW_SCORES if len(tallies) == 1 else FEW_SCORES_OF_SEVERAL


def _scores(tallies: Sequence[TaskTally]) -> Scores:
    columns: list[np.ndarray] = []
    seeds: list[np.ndarray] = []
    bounded = not _why_no_interval(tallies)
    lows, highs = set[str](), set[str]()
    for tally in tallies:
        normaliser = tally.item.task.normaliser
        assert normaliser is not None
        numbers, scores = tally.episodes.scores_by_number()
        columns.append((scores - normaliser.low) / (normaliser.high - normaliser.low))
        seeds.append(tally.item.task.first_seed + numbers)
        lows.add(normaliser.low_name)
        highs.add(normaliser.high_name)
    counts = {len(column) for column in columns}
    episodes = counts.pop() if len(counts) == 1 else None
    design = design_effects(columns, seeds, [tally.item.family for tally in tallies])
    mean, median, middle, gap = _aggregates(columns, episodes, design, bounded=bounded)
    return Scores(
        tasks=len(tallies),
        episodes=episodes,
        low_name=" or ".join(sorted(lows)),
        high_name=" or ".join(sorted(highs)),
        mean=mean,
        median=median,
        iqm=middle,
        optimality_gap=gap,
    )


def _aggregates(
    columns: Sequence[np.ndarray], episodes: int | None, design: np.ndarray, *, bounded: bool
) -> tuple[Estimate, Estimate, Estimate | None, Estimate]:
    """Mean, median, IQM and optimality gap of the tasks' scores, an array for each task.

    episodes: how many scores every task has, None where they differ. design: the design effect of
    each task. bounded: whether the scores are a sample that has an interval.
    """
    if bounded and episodes is not None and episodes > 1:
        scores = np.stack(columns, axis=1)
        repeats = min(2000, max(100, MAX_DRAWS // scores.size))
        found = aggregates(scores, repeats=repeats, design=design)
        return found.mean, found.median, found.iqm, found.optimality_gap
    middle = None if episodes is None else float(iqm(np.stack(columns, axis=1)))
    means = [column.mean() for column in columns]
    gaps = [1 - np.minimum(column, 1).mean() for column in columns]
    return (
        _without_bounds(float(np.mean(means))),
        _without_bounds(float(np.median(means))),
        None if middle is None else _without_bounds(middle),
        _without_bounds(float(np.mean(gaps))),
    )


def _without_bounds(value: float) -> Estimate:
    return Estimate(value, None, None)
