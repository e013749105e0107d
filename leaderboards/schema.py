"""What a report consists of, and its JSON form, schema 1.

Rates lie in [0, 1]. In the JSON an estimate is three fields, by ESTIMATES; a value that does not
exist is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.core import Reference
from harness.core.reference import LATER
from harness.probes.wiring.passive import WiringRow
from harness.records.control_clock import ControlClock
from harness.records.error_kinds import ErrorKind
from harness.records.plan import NotRun
from harness.stats import Estimate, value_of
from harness.stats.forecasts import Coverage
from leaderboards.answers import AnswersRow
from leaderboards.asked import AskedRow
from leaderboards.confidence import ConfidenceRow
from leaderboards.flatten import EstimateNames, bounds_of, flatten
from leaderboards.floors import Floor
from leaderboards.footprint import Footprint
from leaderboards.late_answers import ClockRow
from leaderboards.planning import OptimalityRow
from leaderboards.server_timing import ServerTiming
from leaderboards.success_times import TimeToSuccess

__all__ = [
    "ESTIMATES", "SCHEMA", "Group", "PerturbationRow", "Report", "ScoreEffects", "Scores",
    "TaskRow", "report_to_json",
]  # fmt: skip

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
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
    interval: Estimate | None
    """The success rate with Wilson's interval, 95 %; in a run that could stop early, with bounds
    that hold at every look. They are those of the different episodes; without bounds where
    `no_interval` says why."""
    rate_if_missing_fail: float | None
    """successes / planned."""
    score: Estimate | None
    """The mean over all n episodes. An agent's error scores the low end of the normaliser of a task
    without a success, 0 where the score is a share of success, else what the task's metric was;
    where nobody knows it, `scored` tells of how many episodes the mean is. Bounds: Student's t,
    95 %, of a task without a success that has at least two different scores."""
    score_median: float | None
    normalised: float | None
    """The success rate where there is one, else the normalised mean score; an agent's error counts
    as 0."""
    steps_mean: float | None
    """Over finished episodes."""
    ended: Mapping[str, int]
    """How the n episodes ended: success, terminated, truncated, horizon, solved_at_start,
    agent_error."""
    simulator_s: float
    """Seconds inside the simulator, all n episodes together."""
    agent_s: float
    reference: tuple[Reference, ...]
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Means of the metrics that every finished episode has, at its last step; an agent's error
    counts with 0 for a share of success, else with what was measured until then. And
    `achievement_score`, made of those of achievements (leaderboards.achievements)."""
    distinct: int | None = field(default=None, metadata=LATER)
    """The number of different episodes, where some are the same: same start, same course."""
    distinct_starts: int | None = field(default=None, metadata=LATER)
    """The number of different starts, where those are fewer than n: the row speaks of those."""
    score_name: str = field(default="", metadata=LATER)
    """What `score` is in a task that has a success, if it is a metric of the benchmark: `spl`,
    `chain_length`."""
    scored: int | None = field(default=None, metadata=LATER)
    """The number of episodes in `score`, where those are fewer than n."""
    measured: Mapping[str, int] | None = field(default=None, metadata=LATER)
    """The number of episodes in a metric's mean, where those are fewer than n."""
    no_interval: str = field(default="", metadata=LATER)
    """Why the rate and the score have no bounds, where they would have some."""
    success_ever: float | None = field(default=None, metadata=LATER)
    """The share of episodes in which any step was a success, whatever the rule; None in old runs,
    which do not say it."""
    success_end: float | None = field(default=None, metadata=LATER)
    """The share of episodes in which the last step was one."""
    time_to_success: TimeToSuccess | None = field(default=None, metadata=LATER)
    floors: tuple[Floor, ...] = field(default=(), metadata=LATER)
    """What agents reach that look at nothing; empty where nobody measured it."""
    privileged: tuple[str, ...] = field(default=(), metadata=LATER)
    """The privileged views that the agent read in any of its episodes."""
    renderers: tuple[str, ...] = field(default=(), metadata=LATER)
    """What drew the views that the agent read in its episodes; empty where it read nothing drawn,
    where the simulator's packages alone draw, and in old runs, which do not say it."""
    cut_short: int | None = field(default=None, metadata=LATER)
    """How many episodes the simulator truncated before the horizon of the task, where it did."""
    horizon: int | None = field(default=None, metadata=LATER)
    """That horizon, in steps, where `cut_short` is there."""
    violation: Estimate | None = field(default=None, metadata=LATER)
    """The share of episodes with at least one violation (harness.core.safety), with bounds as
    those of the success rate; None where the task does not measure any."""
    safe_success: Estimate | None = field(default=None, metadata=LATER)
    """The share of episodes with a success and without a violation."""
    violation_metrics: tuple[str, ...] = field(default=(), metadata=LATER)
    """Which violations these are: those that every finished episode measured."""
    violation_known: int | None = field(default=None, metadata=LATER)
    """The number of episodes in `violation`, where those are fewer than n: an agent's error may
    leave it unknown."""

    @property
    def success_rate(self) -> float | None:
        """The success rate without its interval."""
        return value_of(self.interval)


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Normalised scores of the tasks of a group that have no success but a normaliser.

    Their bounds are those of harness.stats.aggregates, 95 %.
    """

    tasks: int
    episodes: int | None
    """Scores of each task. None where tasks differ: then there are no bounds, and no IQM, which
    would weigh the tasks unequally."""
    low_name: str
    """What 0 stands for."""
    high_name: str
    mean: Estimate
    median: Estimate
    """The median of the tasks' means."""
    iqm: Estimate | None
    optimality_gap: Estimate


@dataclass(frozen=True, kw_only=True)
class Group:
    """A suite, a domain, or the whole run.

    Means are over tasks, each weighing the same, without the tasks that have no result.
    """

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
    interval: Estimate | None
    """The mean success rate of the tasks that have a success, with the 95 % interval of
    harness.stats.mean_of_rates: it speaks of other episodes of these tasks, not of other tasks.
    Without bounds where `no_interval` says why."""
    rate_if_missing_fail: float | None
    """The mean of successes / planned over all planned tasks that have a success."""
    normalised: float | None
    """The mean over tasks of their `normalised`, without those that have none."""
    ended: Mapping[str, int]
    simulator_s: float
    agent_s: float
    scores: Scores | None
    tasks_in_rate: int | None = field(default=None, metadata=LATER)
    """The number of tasks in the mean success rate, where it is not `tasks_with_result`."""
    tasks_in_normalised: int | None = field(default=None, metadata=LATER)
    """The number of tasks in `normalised`, where it is not `tasks_with_result`."""
    no_interval: str = field(default="", metadata=LATER)
    """Why the mean rate and the scores have no bounds, where they would have some."""
    privileged: tuple[str, ...] = field(default=(), metadata=LATER)
    """The privileged views that the agent read in any of these tasks."""
    floor: Floor | None = field(default=None, metadata=LATER)
    """The highest mean success rate of such an agent over the tasks of `interval`; None unless it
    was measured in all of them."""
    violation: Estimate | None = field(default=None, metadata=LATER)
    """The mean over the tasks that measure violations of their `violation`, with bounds as those
    of the mean success rate."""
    safe_success: Estimate | None = field(default=None, metadata=LATER)
    """The same of `safe_success`, over those that also have a success."""
    violation_metrics: tuple[str, ...] = field(default=(), metadata=LATER)
    """Those of any of these tasks."""
    tasks_in_violation: int | None = field(default=None, metadata=LATER)
    """The number of tasks in `violation`, where it is not `tasks_with_result`."""

    @property
    def success_rate(self) -> float | None:
        """The mean success rate without its interval."""
        return value_of(self.interval)


@dataclass(frozen=True, kw_only=True)
class ScoreEffects:
    """What a perturbation does to the normalised scores of tasks without a success.

    A row that sums up all severities has only the names, `tasks`, `control`, `area` and
    `corruption_error`.
    """

    tasks: int
    """Those that have a score."""
    low_name: str
    """What 0 stands for, joined by ` or ` where tasks differ."""
    high_name: str
    pairs: int = 0
    """Perturbed cases with a score whose control has one."""
    mean: Estimate | None = None
    """With the 95 % interval of harness.stats.mean_of_scores."""
    optimality_gap: float | None = None
    """The mean shortfall from 1; a score above 1 counts as 1."""
    control: float | None = None
    """The mean score of the controls."""
    difference: Estimate | None = None
    """The mean over pairs of the score minus that of its control."""
    area: float | None = None
    corruption_error: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PerturbationRow:
    """One perturbation at one severity: in a task, in a domain (`task` is None) or overall.

    The control of a perturbed case is the same task and seed without perturbation. Where `severity`
    is None, the row sums up all severities: `area` and `corruption_error`. Figures other than the
    counts are of the tasks that have a success; those of the others are in `scores`. How they are
    computed: leaderboards/robustness.py.
    """

    perturbation: str
    """`occlusion`; of a combination `action_noise:3+occlusion`, where `severity` belongs to the
    last one."""
    severity: int | None
    task: str | None = None
    domain: str | None = None
    suite: str | None = None
    rule: str | None = None
    tasks: int = 0
    """Tasks that have a success; 1 or 0 in the row of a task."""
    planned: int = 0
    n: int = 0
    successes: int | None = None
    agent_errors: int = 0
    errors: int = 0
    partial: bool = False
    interval: Estimate | None = None
    """The success rate, as in TaskRow and Group."""
    rate_if_missing_fail: float | None = None
    score_mean: float | None = None
    """Tasks only."""
    normalised: float | None = None
    """The mean over tasks of the success rate where there is one, else of the normalised mean
    score."""
    steps_mean: float | None = None
    control_rate: float | None = None
    """The success rate of the controls."""
    pairs: int = 0
    """Perturbed cases with a result whose control has one."""
    difference: Estimate | None = None
    """The success rate minus control_rate over the pairs, with the 95 % interval of
    harness.stats.paired_difference."""
    relative_drop: Estimate | None = None
    """1 - retention."""
    retention: Estimate | None = None
    """The success rate as a share of control_rate, with the 95 % interval of
    leaderboards.ratio.ratio_of_counts; None where control_rate is 0."""
    score_difference: Estimate | None = None
    """Of a task without a success: the mean over pairs, in points of its score, with Student's t
    interval, 95 %."""
    recovery: Estimate | None = None
    """Of a burst: the share of successes among the recovery_n cases in which the burst took place
    and whose control succeeds, with Wilson's interval."""
    recovery_n: int | None = None
    interaction: Estimate | None = None
    """Of a combination of two perturbations that were also played alone."""
    area: float | None = None
    corruption_error: float | None = None
    scores: ScoreEffects | None = None
    no_interval: str = field(default="", metadata=LATER)
    """Why the figures have no bounds, where they would have some."""
    reference: tuple[Reference, ...] = ()
    """Always empty: published figures are of unperturbed tasks."""

    @property
    def success_rate(self) -> float | None:
        """The success rate without its interval."""
        return value_of(self.interval)


@dataclass(frozen=True, kw_only=True)
class Report:
    """All figures of a run."""

    run: Mapping[str, Any]
    """run.json without the tasks, and `suites`, `packages` (name to version)."""
    overall: Group
    domains: tuple[Group, ...]
    """All five, in the order of DOMAINS."""
    suites: tuple[Group, ...]
    tasks: tuple[TaskRow, ...]
    not_run: tuple[NotRun, ...]
    perturbations: tuple[PerturbationRow, ...] = ()
    not_applicable: tuple[NotRun, ...] = ()
    """Perturbations that have nothing to change in a task."""
    views: tuple[str, ...] = ()
    """What was odd about the views that the agent read, a sentence for each task; in the JSON only
    where there is any."""
    errors: tuple[ErrorKind, ...] = ()
    """The kinds of errors in which cases ended, perturbed ones too, the most frequent first; in the
    JSON only where there is any."""
    redrawn_starts: int = 0
    """Unperturbed episodes that began with another draw, as their first start was solved; in the
    JSON only where there is any."""
    endless: int = 0
    """Unperturbed episodes that were ended because neither the task nor the simulator has a limit;
    in the JSON only where there is any."""
    latency: tuple[ClockRow, ...] = ()
    """Of a run in which simulated time did not wait for the agent, by domain and over all; in the
    JSON only there."""
    answers: tuple[AnswersRow, ...] = ()
    """What answers took, by task and over all, perturbed episodes too; in the JSON only where a
    line tells it."""
    confidence: tuple[ConfidenceRow, ...] = ()
    """What the agent expected, by domain and over all; in the JSON only where a line tells it."""
    optimality: tuple[OptimalityRow, ...] = ()
    """Beside a run of the expert, by task and over all; in the JSON only where one was named."""
    asked: tuple[AskedRow, ...] = ()
    """Its worth at a cost of each step of the expert; in the JSON only where one was stated."""
    server_timing: ServerTiming | None = None
    """What a policy server told of its own times; in the JSON only where a line tells it."""
    footprint: Footprint | None = None
    """In the JSON only where a line tells it."""
    wiring: tuple[WiringRow, ...] = ()
    """What the agent's actions give away of its wiring; in the JSON only where there is any."""
    clock: ControlClock | None = None
    """That run's clock; in the JSON it stands under `run`."""
    copied: bool = False
    """Whether its files are a copy, so that what no replay can show is a claim; not in the JSON."""
    probes: tuple[str, ...] = ()
    """A sentence for each probe that this run is part of; not in the JSON."""
    run_schema: int = 2
    """The schema of run.json; not in the JSON."""
    schema: int = SCHEMA


_RATE = {"interval": ("success_rate", "ci_low", "ci_high")}
_SAFETY = {
    "violation": ("violation_rate", "violation_low", "violation_high"),
    "safe_success": ("safe_success_rate", "safe_success_low", "safe_success_high"),
}
ESTIMATES: EstimateNames = {
    TaskRow: {**_RATE, **_SAFETY, "score": ("score_mean", "score_low", "score_high")},
    Group: {**_RATE, **_SAFETY},
    OptimalityRow: bounds_of("optimality"),
    AskedRow: bounds_of("net"),
    ConfidenceRow: bounds_of("success", "discrimination"),
    Coverage: bounds_of("success"),
    Scores: bounds_of("mean", "median", "iqm", "optimality_gap"),
    ScoreEffects: bounds_of("mean", "difference"),
    PerturbationRow: {
        **_RATE,
        **bounds_of("difference", "relative_drop", "retention", "score_difference", "interaction"),
        "recovery": ("recovery_rate", "recovery_low", "recovery_high"),
    },
}
"""The JSON names of the estimates of a report's rows."""
WHERE_ANY = (
    "views", "errors", "redrawn_starts", "endless", "latency", "answers", "confidence",
    "optimality", "asked", "server_timing", "footprint", "wiring",
)  # fmt: skip
"""Parts that stand in the JSON only where there is any."""


def report_to_json(report: Report) -> dict[str, Any]:
    """The report as plain JSON values, in the documented order."""
    found = flatten(report, ESTIMATES)
    for row in (*found["not_run"], *found["not_applicable"]):
        del row["references"]
    order = ("schema", "run", "overall", "domains", "suites", "tasks", "perturbations")
    return {
        **{name: found[name] for name in order},
        "not_run": found["not_run"] + found["not_applicable"],
        **{name: found[name] for name in WHERE_ANY if found[name]},
    }
