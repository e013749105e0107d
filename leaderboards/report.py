"""From the evidence of a run to the figures of its report: one pass over the episodes, then tasks, suites, domains and the whole."""

from __future__ import annotations

import math
import os
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from harness.compare.saved_runs import open_run
from harness.core import DOMAINS, Result
from harness.records.plan import CaseIndex, Plan, PlanItem
from harness.records.stored_run import load_run
from harness.stats import Interval, aggregates, anytime_rate, iqm, mean_of_rates, mean_score, wilson
from leaderboards.perturbed_results import CaseArrays, read
from leaderboards.robustness import robustness
from leaderboards.schema import Group, Report, Scores, TaskRow

__all__ = ["build", "load", "missing", "summary"]

MAX_DRAWS = 10_000_000
"""Scores drawn by one bootstrap, at most: it is repeated 2,000 times, less often where there are many scores, at least 100 times."""


def load(path: str | os.PathLike[str], baseline: str | None = None) -> Report:
    """The report of a run directory.

    `baseline` names the perturbed run that its corruption errors relate to, as
    harness.compare.saved_runs.open_run takes it. Raises UserError when the directory is no run,
    or when its lines do not fit its plan.
    """
    run = load_run(path)
    if baseline is None:
        return build(run.description, run.plan, run.cases())
    with open_run(baseline) as base:
        return build(run.description, run.plan, run.cases(), read(base))


def build(
    run: Mapping[str, Any],
    plan: Plan,
    cases: Iterable[tuple[CaseIndex, Result]],
    baseline: CaseArrays | None = None,
) -> Report:
    """The report from run.json, the plan that counts, and the result of each case, in any order."""
    # A run that could stop for what it saw needs intervals that allow for it.
    anytime = bool(run.get("stopped")) or str(run.get("stopping", "")).startswith("until")
    tallies = [_Tally(item, anytime) for item in plan.items]
    outcomes = CaseArrays(plan) if plan.perturbations else None
    for index, result in cases:
        if outcomes is not None:
            outcomes.add(index, result)
        if index.condition == 0:
            tallies[index.item].add(result)
    absent = {row.task for row in plan.not_run if row.perturbation is None}
    tallies = [tally for tally in tallies if tally.n or tally.item.task.id not in absent]
    scored = {tally.item.task.id for tally in tallies}
    rows = [(tally, tally.row()) for tally in tallies]
    suites = dict.fromkeys(
        [tally.item.suite for tally in tallies] + [row.suite for row in plan.not_run]
    )
    gather = _Gatherer(rows)
    return Report(
        run=_head(run, plan, tuple(suites)),
        overall=gather.group(),
        domains=tuple(gather.group(domain=domain) for domain in DOMAINS),
        suites=tuple(gather.group(suite=suite) for suite in suites),
        tasks=tuple(row for _, row in rows),
        not_run=tuple(
            row for row in plan.not_run if row.task not in scored and row.perturbation is None
        ),
        perturbations=() if outcomes is None else robustness(outcomes, baseline),
        not_applicable=tuple(row for row in plan.not_run if row.perturbation is not None),
    )


def summary(report: Report) -> str:
    """The few lines that close a run."""
    total = report.overall
    lines = [
        f"{report.run['agent']['name']}: {total.n} of {total.planned} episodes scored, {total.tasks_with_result} of {total.tasks} tasks"
    ]
    if total.successes is not None and total.success_rate is not None:
        trials = sum(row.n for row in report.tasks if row.successes is not None)
        interval = f"[{100 * (total.ci_low or 0):.1f}, {100 * (total.ci_high or 0):.1f}]"
        lines.append(
            f"{total.successes} of {trials} succeeded; mean of task rates {100 * total.success_rate:.1f} % {interval}"
        )
    if total.normalised is not None and any(row.successes is None for row in report.tasks):
        lines.append(f"mean of task rates and normalised scores {total.normalised:.3f}")
    if total.ended.get("horizon"):
        lines.append(f"{total.ended['horizon']} of {total.n} hit the horizon")
    if total.agent_errors:
        lines.append(f"{total.agent_errors} ended in an error of the agent: they count as failures")
    if total.partial:
        lines.append(f"partial: {missing(total)}")
    if report.not_run:
        lines.append(
            f"{_count(len(report.not_run), 'task')} cannot run here: the report names the remedies"
        )
    return "\n".join(lines)


def missing(row: TaskRow | Group) -> str:
    """Why a row is partial, in words."""
    unplayed = row.planned - row.n - row.errors
    parts = [
        _count(row.errors, "error") if row.errors else "",
        f"{unplayed} not played" if unplayed else "",
    ]
    return ", ".join(part for part in parts if part)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


class _Tally:
    """What is kept of a task's unperturbed episodes: counts, and the scores."""

    def __init__(self, item: PlanItem, anytime: bool = False) -> None:
        self.item = item
        self._rate = anytime_rate if anytime else wilson
        self.ended: Counter[str] = Counter()
        self.n = self.errors = self.agent_errors = self.successes = self.steps = 0
        self.scores = array("d")
        self.metrics: dict[str, array[float]] = {}
        self.simulator_s = self.agent_s = 0.0

    def add(self, result: Result) -> None:
        """Count the result of one of the task's cases."""
        if result.status == "error":
            self.errors += 1
            return
        self.n += 1
        self.ended[result.ended] += 1
        self.simulator_s += result.timing.get("simulator_s", 0.0)
        self.agent_s += result.timing.get("agent_s", 0.0)
        if result.status == "agent_error":
            self.agent_errors += 1
            normaliser = self.item.task.normaliser
            if self.item.task.success is None and normaliser is not None:
                self.scores.append(normaliser.low)
            return
        assert result.score is not None
        self.steps += result.steps
        self.successes += result.success is True
        self.scores.append(result.score)
        for name, value in result.metrics.items():
            self.metrics.setdefault(name, array("d")).append(value)

    def sorted_scores(self) -> np.ndarray:
        """All scores, sorted, so that no sum depends on which episode finished first."""
        return np.sort(np.asarray(self.scores, dtype=np.float64))

    def row(self) -> TaskRow:
        """The figures of the task."""
        task = self.item.task
        n, finished = self.n, self.n - self.agent_errors
        has_success = task.success is not None
        rate = self._rate(self.successes, n) if has_success and n else None
        scores = self.sorted_scores()
        mean = float(scores.mean()) if len(scores) else None
        # Equal scores say nothing of how much others would differ: an interval of no width would claim certainty.
        interval = (
            mean_score(scores)
            if len(scores) > 1 and scores[0] != scores[-1] and not has_success
            else None
        )
        if has_success:
            normalised = rate.value if rate else None
        else:
            normalised = task.normaliser(mean) if task.normaliser and mean is not None else None
        return TaskRow(
            task=task.id,
            domain=task.domain,
            suite=self.item.suite,
            rule=task.rule,
            planned=self.item.episodes,
            n=n,
            successes=self.successes if has_success else None,
            agent_errors=self.agent_errors,
            errors=self.errors,
            partial=n < self.item.episodes,
            success_rate=rate.value if rate else None,
            ci_low=rate.low if rate else None,
            ci_high=rate.high if rate else None,
            rate_if_missing_fail=self.successes / self.item.episodes if has_success else None,
            score_mean=mean,
            score_low=interval.low if interval else None,
            score_high=interval.high if interval else None,
            score_median=float(np.median(scores)) if len(scores) else None,
            normalised=normalised,
            steps_mean=self.steps / finished if finished else None,
            ended=dict(sorted(self.ended.items())),
            simulator_s=round(self.simulator_s, 3),
            agent_s=round(self.agent_s, 3),
            reference=task.references,
            metrics={
                name: math.fsum(values) / finished
                for name, values in sorted(self.metrics.items())
                if len(values) == finished
            },
        )


class _Gatherer:
    """Makes groups of rows."""

    def __init__(self, rows: Sequence[tuple[_Tally, TaskRow]]) -> None:
        self._rows = rows
        self._scores: dict[tuple[str, ...], Scores] = {}

    def group(self, *, suite: str | None = None, domain: str | None = None) -> Group:
        """The rows of a suite or a domain, or all."""
        chosen = [
            (tally, row)
            for tally, row in self._rows
            if suite in (None, row.suite) and domain in (None, row.domain)
        ]
        rows = [row for _, row in chosen]
        rated = [row for row in rows if row.successes is not None]
        seen = [row for row in rated if row.n]
        rate = (
            mean_of_rates([row.successes or 0 for row in seen], [row.n for row in seen])
            if seen
            else None
        )
        normalised = [row.normalised for row in rows if row.normalised is not None]
        ended: Counter[str] = Counter()
        for row in rows:
            ended.update(row.ended)
        planned, n = sum(row.planned for row in rows), sum(row.n for row in rows)
        return Group(
            suite=suite,
            domain=domain,
            tasks=len(rows),
            tasks_with_result=sum(row.n > 0 for row in rows),
            planned=planned,
            n=n,
            successes=sum(row.successes or 0 for row in rated) if rated else None,
            agent_errors=sum(row.agent_errors for row in rows),
            errors=sum(row.errors for row in rows),
            partial=n < planned,
            success_rate=rate.value if rate else None,
            ci_low=rate.low if rate else None,
            ci_high=rate.high if rate else None,
            rate_if_missing_fail=sum(row.rate_if_missing_fail or 0 for row in rated) / len(rated)
            if rated
            else None,
            normalised=sum(normalised) / len(normalised) if normalised else None,
            ended=dict(sorted(ended.items())),
            simulator_s=round(sum(row.simulator_s for row in rows), 3),
            agent_s=round(sum(row.agent_s for row in rows), 3),
            scores=self._scores_of(
                [
                    tally
                    for tally, row in chosen
                    if row.successes is None and row.normalised is not None
                ]
            ),
        )

    def _scores_of(self, tallies: Sequence[_Tally]) -> Scores | None:
        if not tallies:
            return None
        key = tuple(tally.item.task.id for tally in tallies)
        if key not in self._scores:  # a domain is often one suite: the bootstrap is drawn once
            self._scores[key] = _scores(tallies)
        return self._scores[key]


def _scores(tallies: Sequence[_Tally]) -> Scores:
    columns: list[np.ndarray] = []
    lows, highs = set[str](), set[str]()
    for tally in tallies:
        normaliser = tally.item.task.normaliser
        assert normaliser is not None
        columns.append(
            (tally.sorted_scores() - normaliser.low) / (normaliser.high - normaliser.low)
        )
        lows.add(normaliser.low_name)
        highs.add(normaliser.high_name)
    counts = {len(column) for column in columns}
    episodes = counts.pop() if len(counts) == 1 else None
    mean: Interval | float = float(np.mean([column.mean() for column in columns]))
    median: Interval | float = float(np.median([column.mean() for column in columns]))
    gap: Interval | float = float(np.mean([1 - np.minimum(column, 1).mean() for column in columns]))
    middle: Interval | float | None = None
    if episodes is not None:
        scores = np.stack(columns, axis=1)
        middle = float(iqm(scores))
        if episodes > 1:
            found = aggregates(scores, repeats=min(2000, max(100, MAX_DRAWS // scores.size)))
            mean, median, middle, gap = found.mean, found.median, found.iqm, found.optimality_gap
    return Scores(
        tasks=len(tallies),
        episodes=episodes,
        low_name=" or ".join(sorted(lows)),
        high_name=" or ".join(sorted(highs)),
        **_flat("mean", mean),
        **_flat("median", median),
        **_flat("iqm", middle),
        **_flat("optimality_gap", gap),
    )


def _flat(name: str, found: Interval | float | None) -> dict[str, Any]:
    if isinstance(found, Interval):
        return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
    return {name: found, f"{name}_low": None, f"{name}_high": None}


def _head(run: Mapping[str, Any], plan: Plan, suites: tuple[str, ...]) -> dict[str, Any]:
    packages: dict[str, set[str]] = {}
    for item in plan.items:
        for name, version in item.packages.items():
            packages.setdefault(name, set()).add(version)
    head = {name: value for name, value in run.items() if name not in ("schema", "plan")}
    return head | {
        "plan": {"hash": run["plan"]["hash"], "seed": plan.seed},
        "suites": list(suites),
        "packages": {
            name: ", ".join(sorted(versions)) for name, versions in sorted(packages.items())
        },
    }
