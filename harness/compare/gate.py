"""`bench gate`: play the cases of a base run with another agent, and judge it.

It plays all cases, or goes on until a test that is valid at every look decides.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.compare.comparison import Comparison
from harness.compare.early_stopping import GateRounds
from harness.compare.pairs import (
    Key,
    ScoredRun,
    pair_notes,
    pair_up,
    read_scored_run,
)
from harness.compare.privilege import privilege_notes
from harness.compare.progress import RunProgress, compare_progress, progress_notes
from harness.compare.protocols import refuse_other_protocols
from harness.compare.renderers import Drawn, refusal
from harness.compare.sequential_gate import compare_anytime, compare_stopped
from harness.compare.verdict import check_limits, compare_pairs
from harness.compare.violations import compare_violations
from harness.core import Suite, Task, UserError
from harness.core.grammar import counted
from harness.perturb.pipeline import refuse_other_versions
from harness.play.planning import make_plan
from harness.play.progress import Progress
from harness.play.runner import RunOptions, RunSummary, play
from harness.records.catalogue import select_tasks
from harness.records.control_clock import ControlClock
from harness.records.identity import AgentSpec
from harness.records.plan import NotRun, Plan
from harness.records.results import case_results
from harness.records.stored_run import load_run
from harness.records.trust import EVERYONE, Trust

__all__ = ["Gate", "GateOptions", "Gated", "judge_gate", "refuse_other_clock"]


@dataclass(frozen=True, kw_only=True)
class GateOptions:
    """How to judge."""

    margin: float = 0.05
    """How much lower the mean over tasks may be and still pass; 0.05 is five points."""
    alpha: float = 0.05
    """The chance of a false verdict is at most this."""
    sequential: bool = False
    """Whether to stop as soon as a test that is valid at every look decides."""
    max_episodes: int | None = None
    """How many cases to play at most."""
    tasks: str | None = None
    """Only the tasks of the base that match, a pattern as `bench run --tasks` takes it."""
    outcome: str = "success"
    """What decides: `success` (or a task's score), or `progress` (see harness.compare.progress)."""


@dataclass(frozen=True, kw_only=True)
class Gated:
    """The outcome of a gate."""

    comparison: Comparison
    base: str
    new: str
    path: Path
    """The run directory of the new agent."""
    rounds: int
    """Complete rounds that count; a round is the same share of every task."""
    rounds_planned: int
    cases: int
    """Cases that count."""
    cases_planned: int
    """The cases that a test with all of them takes."""
    played_beyond: int
    """Cases that were played past the deciding round, and are discarded."""
    notes: tuple[str, ...]
    not_applicable: tuple[NotRun, ...] = ()
    """Perturbations of the base that have nothing to change for this agent, so that their cases
    cannot get a score."""

    @property
    def saved(self) -> int:
        """Episodes that did not have to be played."""
        return self.cases_planned - self.cases - self.played_beyond

    @property
    def stop_reason(self) -> str:
        """Why it stopped, and how many episodes that saved."""
        if self.comparison.verdict == "none" and self.not_applicable:
            return (
                "no verdict, and none by playing again: gate against a base without what does not "
                "apply to this agent"
            )
        if self.comparison.verdict == "none":
            return "no verdict: the same command plays what is missing"
        if self.cases == self.cases_planned:
            return (
                "the base's only case was played"
                if self.cases == 1
                else f"all {self.cases} cases of the base were played"
            )
        decided = self.comparison.verdict in ("pass", "regress")
        cause = (
            "the test decided"
            if decided and self.comparison.method == "anytime"
            else "--max-episodes"
        )
        beyond = (
            f"; {self.played_beyond} more had been played ahead, and are discarded"
            if self.played_beyond
            else ""
        )
        return (
            f"stopped after round {self.rounds} of {self.rounds_planned}: {cause}; {self.saved} of "
            f"{counted(self.cases_planned, 'episode')} saved{beyond}"
        )


class Gate:
    """A base, an agent, and how to judge it.

    The constructor raises UserError where they do not fit together, and where the base has tasks
    that are not trusted; nothing of a task is imported before.
    """

    def __init__(
        self,
        spec: AgentSpec,
        base: ScoredRun,
        options: GateOptions,
        trust: Trust = EVERYONE,
    ) -> None:
        check_limits(options.margin, options.alpha)
        if options.outcome == "progress" and options.sequential:
            raise UserError(
                "--outcome progress is found by a replay once all cases are played: leave "
                "--sequential out; --max-episodes plays fewer"
            )
        self._spec, self._base, self._options = spec, base, options
        self._trust = trust
        lacking = base.missing()
        if lacking:
            raise UserError(
                f"the base {base.name} lacks {lacking} of its cases: finish it first, with the "
                "command in its run.json"
            )
        self.plan = self._plan()
        self.rounds = _rounds(self.plan, base, options)

    def _plan(self) -> Plan:
        """The part of the base's plan that is played.

        It is planned again, to check that its tasks run here by the protocol that the base had.
        """
        base = self._base.plan
        refuse_other_versions(base.perturbations)
        chosen = _tasks_of(base)
        part = _part_of(base, self._options.tasks)
        kept = {item.task.id for item in part.items}
        self._trust.check((item.task for item in part.items), base)
        made = make_plan(
            [pair for pair in chosen if pair[1].id in kept],
            self._spec,
            episodes=None,
            seed=base.seed,
            backend=base.backend,
        )
        refuse_other_protocols(made, base)
        if made.not_run:
            row = made.not_run[0]
            raise UserError(
                f"{row.task} of the base cannot run here: {row.reason}. {row.remedy}; or leave it "
                "out with --tasks"
            )
        # The items stay those of the base, with its conditions; only the environment keys are those
        # of this machine.
        env_key = {item.task.id: item.env_key for item in made.items}
        items = tuple(
            dataclasses.replace(item, env_key=env_key[item.task.id]) for item in part.items
        )
        return dataclasses.replace(part, items=items)

    def play(self, out: Path | None, options: RunOptions, progress: Progress) -> RunSummary:
        """Play what the run directory lacks. Raises as runner.play does."""
        suites = list(dict.fromkeys(item.suite for item in self.plan.items))
        return play(self._spec, suites, self.plan, out, options, progress, self.rounds)


def refuse_other_clock(base: ScoredRun, clock: ControlClock | None) -> None:
    """Raise UserError unless this is the base's clock.

    A gate judges an agent: with another clock nobody could tell its part of the difference.
    """
    if clock != base.plan.clock:
        own = base.plan.clock or "simulated time waits for the agent"
        raise UserError(
            f"--control-rate, --latency: {clock}; a gate plays by the clock of its base {base.name}"
            f" ({own}): leave them out, or play with bench run and see the difference by bench "
            "compare"
        )


def judge_gate(
    base: ScoredRun,
    path: Path,
    options: GateOptions,
    progress: Callable[[ScoredRun], RunProgress] | None = None,
) -> Gated:
    """Judge what a gate has played, from its run directory alone.

    progress: how far the episodes of a run came, asked where that is the outcome.

    Raises UserError where the directory holds no run of this base's cases.
    """
    plan = _part_of(base.plan, options.tasks)
    found = read_scored_run(path)
    if found.stored.whole.hash != plan.hash:
        raise UserError(f"{path} does not hold the cases of the base {base.name}")
    rounds = _rounds(plan, base, options)
    for index, result in case_results(path, plan):
        rounds.scored(index, result)
    # Everything that the base has counts, also what turned out not to run here.
    new = found.counting(plan)
    ends = rounds.ends()
    sides = _prefix_of(base, ends), _prefix_of(new, ends)
    tasks = pair_up(*sides)
    count = len(rounds.differences)
    notes: list[str] = []
    if options.outcome == "progress" and progress is not None:
        told = progress(sides[0]), progress(sides[1])
        comparison = compare_progress(tasks, *told, options.margin, options.alpha)
        notes = progress_notes(tasks, *told)
    elif options.sequential and any(each.unlike or each.apart for each in tasks):
        # The rounds hold differences of cases that make no pairs.
        comparison = compare_stopped(tasks, options.margin, options.alpha)
    elif options.sequential and count and not any(each.missing for each in tasks):
        last = count == rounds.total_rounds
        comparison = compare_anytime(
            tasks,
            np.array(rounds.differences),
            options.margin,
            options.alpha,
            last=last,
        )
    else:
        comparison = compare_pairs(tasks, options.margin, options.alpha)
    known = {(row.task, row.perturbation) for row in plan.not_run}
    not_applicable = tuple(
        row
        for row in found.plan.not_run
        if row.perturbation and (row.task, row.perturbation) not in known
    )
    if not_applicable and comparison.verdict == "none":
        reasons = _why_not_applicable(not_applicable)
        comparison = dataclasses.replace(
            comparison,
            why=f"{counted(comparison.missing, 'case')} without a score: {reasons}",
        )
    violations = compare_violations(
        base, new, tasks, options.alpha, bounded=comparison.method == "fixed"
    )
    comparison = dataclasses.replace(comparison, violations=violations)
    paired = sum(len(each.pairs) for each in tasks)
    kept, whole = len(plan.items), len(base.plan.items)
    return Gated(
        comparison=comparison,
        base=base.name,
        new=str(found.run["agent"].get("name", found.run["agent"]["entry"])),
        path=path,
        rounds=count,
        rounds_planned=min(item.episodes for item in plan.items),
        cases=paired + sum(each.missing for each in tasks),
        cases_planned=plan.total,
        played_beyond=max(0, len(_scored_cases(path)) - paired),
        notes=(
            *notes,
            *([f"{kept} of the base's {whole} tasks, by --tasks"] if kept < whole else []),
            *privilege_notes(base, found),
            *pair_notes(tasks),
        ),
        not_applicable=not_applicable,
    )


def _tasks_of(plan: Plan) -> list[tuple[Suite, Task]]:
    """The tasks of a plan, each with a suite of the name and the number of episodes it had."""
    suites = {
        (item.suite, item.episodes): Suite(item.suite, item.suite, (), item.episodes)
        for item in plan.items
    }
    return [(suites[item.suite, item.episodes], item.task) for item in plan.items]


def _part_of(plan: Plan, pattern: str | None) -> Plan:
    """The plan with only the tasks that match; see records.catalogue.select_tasks."""
    chosen = _tasks_of(plan)
    holders = [
        dataclasses.replace(suite, tasks=tuple(task for each, task in chosen if each is suite))
        for suite in {id(suite): suite for suite, _ in chosen}.values()
    ]
    names = {task.id for _, task in select_tasks(holders, pattern)}
    items = tuple(item for item in plan.items if item.task.id in names)
    skipped = tuple(row for row in plan.not_run if row.perturbation)
    return dataclasses.replace(plan, items=items, not_run=skipped)


def _rounds(plan: Plan, base: ScoredRun, options: GateOptions) -> GateRounds:
    def refuse(task: str, drawn: Drawn) -> None:
        raise UserError(refusal(task, base.name, "this run", drawn))

    return GateRounds(
        plan,
        base.values,
        margin=options.margin,
        alpha=options.alpha,
        sequential=options.sequential,
        most=options.max_episodes,
        outcome=options.outcome,
        renderers=base.renderers,
        refuse=refuse,
    )


def _why_not_applicable(rows: Sequence[NotRun]) -> str:
    """Which perturbations of the base do not apply to the new agent, where, and why."""
    where: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        where.setdefault((row.perturbation or "", row.reason), []).append(row.task)
    parts = []
    for (name, reason), tasks in where.items():
        more = f" and {len(tasks) - 1} more" if len(tasks) > 1 else ""
        parts.append(
            f"{name} of the base does not apply to this agent in {tasks[0]}{more} ({reason})"
        )
    return "; ".join(parts)


def _prefix_of(side: ScoredRun, ends: Mapping[str, int]) -> ScoredRun:
    """The run with only these tasks, and the first `ends[task]` episodes of each."""
    items = tuple(
        dataclasses.replace(item, episodes=ends[item.task.id])
        for item in side.plan.items
        if item.task.id in ends
    )
    return side.counting(dataclasses.replace(side.plan, items=items))


def _scored_cases(path: Path) -> set[Key]:
    """All cases with a score, also those beyond the round at which the run stopped."""
    stored = load_run(path)
    return {
        (result.task, result.seed, result.perturbations)
        for _, result in case_results(path, stored.whole)
        if result.status != "error"
    }
