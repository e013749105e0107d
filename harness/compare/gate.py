"""`bench gate`: play the cases of a base run with another agent, all of them or until a test that is valid at every look decides."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.compare.early_stopping import GateRounds
from harness.compare.pairs import (
    ScoredRun,
    TaskPairs,
    pair_up,
    read_scored_run,
    refuse_other_protocols,
)
from harness.compare.sequential_gate import compare_anytime
from harness.compare.verdict import Comparison, check_limits, compare_pairs
from harness.core import Suite, UserError
from harness.play.planning import make_plan
from harness.play.progress import Progress
from harness.play.runner import RunOptions, RunSummary, play
from harness.records.catalogue import select_tasks
from harness.records.identity import AgentSpec
from harness.records.plan import NotRun, Plan
from harness.records.results import case_results
from harness.records.stored_run import load_run

__all__ = ["Gate", "GateOptions", "Gated"]


@dataclass(frozen=True)
class GateOptions:
    """How to judge."""

    margin: float = 0.05
    """How much the mean over tasks may be lower and still pass, in rates."""
    alpha: float = 0.05
    """The chance at most of a false verdict."""
    sequential: bool = False
    max_episodes: int | None = None
    tasks: str | None = None
    """A pattern as of `bench run --tasks`."""


@dataclass(frozen=True)
class Gated:
    """What came of a gate."""

    comparison: Comparison
    base: str
    new: str
    path: Path
    rounds: int
    """Whole rounds that count."""
    rounds_planned: int
    cases: int
    """Cases that count, a round being the same share of every task."""
    cases_planned: int
    """What a test of all cases would have taken."""
    played_beyond: int
    """Cases that were played past the deciding round, and are discarded."""
    notes: tuple[str, ...]
    unfit: tuple[NotRun, ...] = ()
    """Perturbations of the base that have nothing to change for this agent: their cases cannot get a score."""

    @property
    def saved(self) -> int:
        """Episodes that did not have to be played."""
        return self.cases_planned - self.cases - self.played_beyond

    def stopped(self) -> str:
        """Why it stopped, and what that saved."""
        if self.comparison.verdict == "none" and self.unfit:
            return "no verdict, and none by playing again: gate against a base without what does not apply to this agent"
        if self.comparison.verdict == "none":
            return "no verdict: the same command plays what is missing"
        if self.cases == self.cases_planned:
            return f"all {self.cases} cases of the base were played"
        beyond = (
            f"; {self.played_beyond} more had been played ahead, and are discarded"
            if self.played_beyond
            else ""
        )
        cause = (
            "the test decided"
            if self.comparison.verdict in ("pass", "regress")
            and self.comparison.method == "anytime"
            else "--max-episodes"
        )
        return f"stopped after round {self.rounds} of {self.rounds_planned}: {cause}; {self.saved} of {self.cases_planned} episodes saved{beyond}"


class Gate:
    """A base, an agent and how to judge. Raises UserError when they do not fit, before anything is played."""

    def __init__(self, spec: AgentSpec, base: ScoredRun, options: GateOptions) -> None:
        check_limits(options.margin, options.alpha)
        self._spec, self._base, self._options = spec, base, options
        lacking = len(base.missing())
        if lacking:
            raise UserError(
                f"the base {base.name} lacks {lacking} of its cases: finish it first, with the command in its run.json"
            )
        self.plan, self.notes = self._plan()
        self.rounds = GateRounds(
            self.plan,
            base.values,
            margin=options.margin,
            alpha=options.alpha,
            sequential=options.sequential,
            most=options.max_episodes,
        )

    def _plan(self) -> tuple[Plan, tuple[str, ...]]:
        """The base's plan, made anew: its tasks must be played here by the protocol that the base had."""
        base = self._base.plan
        suites = {
            (item.suite, item.episodes): Suite(item.suite, item.suite, (), item.episodes)
            for item in base.items
        }
        chosen = [(suites[item.suite, item.episodes], item.task) for item in base.items]
        holders = [
            dataclasses.replace(suite, tasks=tuple(task for each, task in chosen if each is suite))
            for suite in suites.values()
        ]
        names = {task.id for _, task in select_tasks(holders, self._options.tasks)}
        kept = tuple(item for item in base.items if item.task.id in names)
        made = make_plan(
            [pair for pair in chosen if pair[1].id in names],
            self._spec,
            episodes=None,
            seed=base.seed,
        )
        refuse_other_protocols(made, base)
        if made.not_run:
            row = made.not_run[0]
            raise UserError(
                f"{row.task} is of the base and cannot run here: {row.reason}. {row.remedy}; or leave it out with --tasks"
            )
        notes = (
            [f"{len(kept)} of the base's {len(base.items)} tasks, by --tasks"]
            if len(kept) < len(base.items)
            else []
        )
        # The items of the base with what this machine says of them; its perturbed arms are part of its cases.
        env_key = {item.task.id: item.env_key for item in made.items}
        items = tuple(dataclasses.replace(item, env_key=env_key[item.task.id]) for item in kept)
        skipped = tuple(row for row in base.not_run if row.perturbation)
        return dataclasses.replace(base, items=items, not_run=skipped), tuple(notes)

    def play(
        self, out: Path | None, options: RunOptions, progress: Progress
    ) -> tuple[RunSummary, Gated]:
        """Play what the directory lacks, and judge. Raises as runner.play does."""
        suites = list(dict.fromkeys(item.suite for item in self.plan.items))
        summary = play(self._spec, suites, self.plan, out, options, progress, self.rounds)
        return summary, self.judge(summary.path)

    def judge(self, path: Path) -> Gated:
        """The verdict on what was played."""
        found = read_scored_run(path)
        # All that the base has, also what turned out not to run here.
        new = found.counting(self.plan)
        ends = self.rounds.ends()
        tasks = pair_up(cut(self._base, ends), cut(new, ends))
        margin, alpha = self._options.margin, self._options.alpha
        rounds = len(self.rounds.differences)
        if self._options.sequential and rounds and not _missing(tasks):
            last = rounds == self.rounds.total_rounds
            comparison = compare_anytime(
                tasks, np.array(self.rounds.differences), margin, alpha, last=last
            )
        else:
            comparison = compare_pairs(tasks, margin, alpha)
        known = {(row.task, row.perturbation) for row in self.plan.not_run}
        unfit = tuple(
            row
            for row in found.plan.not_run
            if row.perturbation and (row.task, row.perturbation) not in known
        )
        if unfit and comparison.verdict == "none":
            comparison = dataclasses.replace(
                comparison, why=f"{comparison.missing} cases without a score: {_words(unfit)}"
            )
        counted = sum(len(each.pairs) + each.missing for each in tasks)
        scored = len(read_all(path))
        return Gated(
            comparison,
            self._base.name,
            self._spec.name,
            path,
            rounds,
            min(item.episodes for item in self.plan.items),
            counted,
            self.plan.total,
            max(0, scored - sum(len(each.pairs) for each in tasks)),
            self.notes,
            unfit,
        )


def _words(unfit: Sequence[NotRun]) -> str:
    """What of the base does not apply to the new agent, and where."""
    where: dict[tuple[str, str], list[str]] = {}
    for row in unfit:
        where.setdefault((row.perturbation or "", row.reason), []).append(row.task)
    return "; ".join(
        f"{name} of the base does not apply to this agent in {tasks[0]}{f' and {len(tasks) - 1} more' if len(tasks) > 1 else ''} ({reason})"
        for (name, reason), tasks in where.items()
    )


def _missing(tasks: list[TaskPairs]) -> int:
    return sum(each.missing for each in tasks)


def cut(side: ScoredRun, ends: Mapping[str, int]) -> ScoredRun:
    """The first so many episodes of each task, and only these tasks."""
    items = tuple(
        dataclasses.replace(item, episodes=ends[item.task.id])
        for item in side.plan.items
        if item.task.id in ends
    )
    return side.counting(dataclasses.replace(side.plan, items=items))


def read_all(path: Path) -> set[tuple[str, int, tuple[str, ...]]]:
    """All cases with a score, also beyond where the run stopped."""
    stored = load_run(path)
    return {
        (result.task, result.seed, result.perturbations)
        for _, result in case_results(path, stored.whole)
        if result.status != "error"
    }
