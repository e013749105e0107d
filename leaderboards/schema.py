"""What a report consists of, and its JSON form, schema 1: schema, run, overall, domains, suites, tasks, perturbations and not_run.

The rows are the dataclasses below, field by field; a value that does not exist is null. Rates lie in [0, 1].
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.core import Reference
from harness.records.plan import NotRun
from leaderboards.robustness import PerturbationRow

__all__ = ["SCHEMA", "Group", "Report", "Scores", "TaskRow", "to_json"]

SCHEMA = 1


@dataclass(frozen=True)
class TaskRow:
    """One task. n = finished + agent_error: an agent's error is a failed episode."""

    task: str
    domain: str
    suite: str
    rule: str
    planned: int
    n: int
    successes: int | None
    """None: the task has no success, only a score."""
    agent_errors: int
    errors: int
    """Planned cases whose last attempt ended in a fault that is not the agent's: no score."""
    partial: bool
    """n < planned."""
    success_rate: float | None
    ci_low: float | None
    """Wilson, 95 %; in a run that stopped by a rule one that holds at every look."""
    ci_high: float | None
    rate_if_missing_fail: float | None
    """successes / planned."""
    score_mean: float | None
    """Over finished episodes. Without a success an agent's error scores the normaliser's low, or nothing where there is no normaliser."""
    score_low: float | None
    """Student's t, 95 %, of a task without a success; from two different scores on."""
    score_high: float | None
    score_median: float | None
    normalised: float | None
    """The success rate where there is one, else the normalised mean score; an agent's error counts as 0."""
    steps_mean: float | None
    """Over finished episodes."""
    ended: Mapping[str, int]
    """How the n episodes ended: success, terminated, truncated, horizon, agent_error."""
    simulator_s: float
    """Seconds inside the simulator, all n episodes together."""
    agent_s: float
    reference: tuple[Reference, ...]
    metrics: Mapping[str, float] = field(default_factory=dict)
    """The means of those measures that every finished episode has, at its last step."""


@dataclass(frozen=True)
class Scores:
    """Normalised scores of the tasks of a group that have no success but a normaliser."""

    tasks: int
    episodes: int | None
    """Scores a task. None where tasks differ: then there is neither an IQM, which would weigh them unequally, nor an interval."""
    low_name: str
    """What 0 stands for."""
    high_name: str
    mean: float
    mean_low: float | None
    mean_high: float | None
    median: float
    """The median of the tasks' means."""
    median_low: float | None
    median_high: float | None
    iqm: float | None
    iqm_low: float | None
    iqm_high: float | None
    optimality_gap: float
    optimality_gap_low: float | None
    optimality_gap_high: float | None


@dataclass(frozen=True)
class Group:
    """A suite, a domain, or the whole run. Means are over tasks, each weighing the same; a task without any result is in none of them."""

    suite: str | None
    domain: str | None
    tasks: int
    tasks_with_result: int
    planned: int
    n: int
    successes: int | None
    agent_errors: int
    errors: int
    partial: bool
    success_rate: float | None
    """The mean over tasks that have a success."""
    ci_low: float | None
    """harness.stats.mean_of_rates, 95 %: other episodes of these tasks, not other tasks."""
    ci_high: float | None
    rate_if_missing_fail: float | None
    """The mean of successes / planned over all planned tasks that have a success."""
    normalised: float | None
    """The mean over tasks of their `normalised`, those without one left out."""
    ended: Mapping[str, int]
    simulator_s: float
    agent_s: float
    scores: Scores | None


@dataclass(frozen=True)
class Report:
    """All figures of a run."""

    run: Mapping[str, Any]
    """run.json without the tasks, and: suites, packages (name to version), total (planned cases)."""
    overall: Group
    domains: tuple[Group, ...]
    """All five, in the order of DOMAINS."""
    suites: tuple[Group, ...]
    tasks: tuple[TaskRow, ...]
    not_run: tuple[NotRun, ...]
    perturbations: tuple[PerturbationRow, ...] = ()
    not_applicable: tuple[NotRun, ...] = ()
    """Perturbations that have nothing to change in a task."""
    schema: int = SCHEMA


def to_json(report: Report) -> dict[str, Any]:
    """The report as plain JSON values, in the documented order."""
    fields = dataclasses.asdict(report)
    for row in fields["tasks"]:
        row["reference"] = list(row["reference"])
    for row in fields["perturbations"]:
        row["reference"] = list(row["reference"])
    for row in (*fields["not_run"], *fields["not_applicable"]):
        del row["references"]
    parts = {
        name: list(fields[name])
        for name in ("domains", "suites", "tasks", "perturbations", "not_run", "not_applicable")
    }
    return {
        "schema": report.schema,
        "run": fields["run"],
        "overall": fields["overall"],
        **{name: parts[name] for name in ("domains", "suites", "tasks")},
        "perturbations": parts["perturbations"],
        "not_run": parts["not_run"] + parts["not_applicable"],
    }
