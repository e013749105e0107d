"""`bench verify`: is a run what it claims to be?

First its files are checked against one another, then its recorded actions are replayed without the
agent, and every result must come out as recorded. A replay is an ordinary run of another agent:
ReplayAgent answers the first turn of each episode with one chunk, all recorded actions. So it uses
the same loop, workers and lanes as the run did.
"""

from __future__ import annotations

import dataclasses
import math
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.core import Agent, Answer, Case, Result, Turn, UserError
from harness.core.agent import ALL_VIEWS, NO_VIEWS
from harness.core.reads import as_optional
from harness.perturb.registry import REGISTRY
from harness.play.coordinator import Coordinator
from harness.play.environments import environment_key
from harness.play.episode import episode_name
from harness.play.expert_run import ASKING
from harness.play.progress import Progress
from harness.play.runner import RunOptions, play_cases
from harness.play.stopped import Stopped
from harness.records.identity import AgentSpec
from harness.records.linear_algebra import kernels_of, other_kernels
from harness.records.plan import CaseIndex, Plan
from harness.records.registry import load
from harness.records.renderer import renderer_of
from harness.records.results import NEW_FIELDS
from harness.records.stored_run import StoredRun, load_run
from harness.records.traces import Trace, locate_traces, read_trace
from harness.verify.added_metrics import AddedMetrics
from harness.verify.contradictions import MOST_STEPS
from harness.verify.difference import Difference
from harness.verify.drawn_again import DrawnAgain
from harness.verify.draws import Draws
from harness.verify.integrity import (
    IntegrityReport,
    TraceRecord,
    check_files,
    results_of,
)
from harness.verify.knowledge import Knowledge
from harness.verify.not_run import check_not_run
from harness.verify.perturbed import acts, check_executed
from harness.verify.report import VerificationReport, differences_table
from harness.verify.sampling import Draw, uniform
from harness.verify.side_files import check_side_files
from harness.verify.without_perturbations import WithoutPerturbations

__all__ = ["ReplayAgent", "VerificationReport", "differences_table", "verify"]

REPLAY_AGENT = "harness.verify.replay:ReplayAgent"
UNSEEN = (*NO_VIEWS, ALL_VIEWS)
"""Entries of Agent.reads that name no view. No trace has a digest of views drawn on demand."""
OVER = "the recorded actions end before the episode does"
COMPARED = (
    "status", "success", "score", "normalised", "steps", "ended", "digest", *NEW_FIELDS,
)  # fmt: skip
"""Of a line. Lines of schema 1 lack the last ones."""
CLIPPED = "clipped_actions"
"""The metric of the agent's actions that had to be clipped: what is recorded is clipped already."""
EXPERTS = "expert_"
"""Begins the metrics that say what the expert did, such as `expert_gave_up`. A replay asks none."""
COUNTED = {"burst": "burst_steps"}
"""Perturbation -> the metric in which it counts what it did."""
WHO = (
    "who acted (the agent's name, fingerprint, views and privilege), when, on which machine, and "
    "how often it was played before"
)


class ReplayAgent(Agent):
    """Answers each episode's first turn with all actions that a run recorded of it."""

    def __init__(self, run: str, condition: int = 0, reads: Sequence[str] = ()) -> None:
        """`condition` is the number of the condition in the run's plan whose actions are played.

        The replayed cases lack perturbations, so cases of several conditions can be equal, and
        `condition` says whose actions are meant. `reads` names the views that are read after the
        reset, because the trace has a digest of them.
        """
        self.reads = tuple(reads)  # type: ignore[misc]
        plan = load_run(run).whole
        bare = WithoutPerturbations.of(plan)
        self._places: dict[str, tuple[Path, int]] = {}
        self._draws = Draws()
        self._cases: dict[str, Case] = {}
        """The cases with all their perturbations, by the name of the replayed episode."""
        for trace, part, place in locate_traces(run):
            played = tuple(map(str, plan.conditions[condition]))
            index = plan.locate(trace.task, trace.seed, played)
            if index is not None:
                case = plan.case(index)
                if case.id == trace.case:
                    name = episode_name(bare.case(index).id)
                    self._places[name], self._cases[name] = (part, place), case

    def act(self, turns: Sequence[Turn]) -> list[Answer]:
        """All recorded actions at an episode's first turn.

        Raises UserError at a second one, and where its perturbations let other actions through.
        """
        return [self._one(turn) for turn in turns]

    def _one(self, turn: Turn) -> Answer:
        actions: list[Any] = []
        if not turn.step:
            trace = read_trace(*self._places[turn.episode])
            case = self._cases[turn.episode]
            if trace.length > (case.task.max_steps or MOST_STEPS):
                raise UserError(f"{trace.length} actions are more than the episode can take")
            actions = trace.decoded()
        if not actions:
            raise UserError(OVER)
        wrong = check_executed(case, turn.brief, actions, self._draws)
        if wrong is not None:
            raise UserError(wrong)
        return Answer(actions)


class _SaidOnce:
    """A Progress that says nothing twice: conditions are replayed one after another."""

    def __init__(self, progress: Progress) -> None:
        self._said: set[str] = set()
        self._progress = progress
        self.update, self.close = progress.update, progress.close

    def say(self, text: str) -> None:
        """Say what has not been said yet."""
        if text not in self._said:
            self._said.add(text)
            self._progress.say(text)


class _ReplayCheck:
    """A result sink that compares each result of a replay with the recorded one."""

    def __init__(
        self,
        bare: Plan,
        plan: Plan,
        results: Mapping[CaseIndex, Result],
        traces: Mapping[str, TraceRecord],
        found: VerificationReport,
        drawn: DrawnAgain,
        added: AddedMetrics,
        with_expert: bool,
        old: bool,
    ) -> None:
        """`results` are of one condition: then a case of `bare` belongs to one result only.

        `with_expert`: whether the agent of the run asked the expert. `old`: of schema 1.
        """
        self._old = old
        self._results = results
        self._with_expert = with_expert
        self._cases = {result.case: plan.case(index) for index, result in results.items()}
        self._recorded = {
            bare.case(index).id: (plan.items[index.item].task, result)
            for index, result in results.items()
        }
        self._traces = traces
        self._found = found
        self.counts = {"finished": 0, "agent_error": 0, "successes": 0}
        self._drawn = drawn
        self._added = added

    def done(self, index: CaseIndex) -> bool:
        """True for the cases that are not to be replayed."""
        return index not in self._results

    def append(self, result: Result, trace: Trace | None, now: float) -> None:
        """Compare the result of one replay."""
        task, recorded = self._recorded[result.case]
        kind = load(task.adapter)
        self._found.replayed += recorded.status != "error"
        tolerance = kind.tolerance if kind.nondeterminism else 0.0
        for what, before, after in self._pairs(recorded, result, bool(kind.nondeterminism)):
            if not _same(before, after, tolerance):
                self._differs(recorded, what, before, after)
        if trace is None or recorded.status == "error":
            return
        drawn_by, here = renderer_of(recorded), renderer_of(result)
        if drawn_by and here and drawn_by != here and task.id not in self._found.drawn_elsewhere:
            self._found.drawn_elsewhere.append(task.id)
        kept = self._traces[recorded.case]
        if trace.instruction != kept.instruction:
            self._differs(recorded, "the instruction", kept.instruction, trace.instruction)
        self._drawn.add(recorded, kept.pixels, result, trace.pixels)

    def _pairs(
        self, recorded: Result, again: Result, nondeterministic: bool
    ) -> Iterator[tuple[str, Any, Any]]:
        """(what, recorded, replayed) of everything that must be equal."""
        trace = self._traces[recorded.case]
        if recorded.status == "error":
            # It has a trace, which an error leaves only if the run was killed at that very moment.
            if again.status == "finished":
                outcome = f"its trace plays to an end: {again.ended}, score {again.score:g}"
                yield "status", f"error: {recorded.error}", outcome
            return
        if again.status == "error":
            yield "the simulator", "an episode", again.error
            return
        if again.status == "agent_error" and recorded.status != "agent_error":
            yield "the actions", f"{trace.length} for {recorded.steps} steps", again.error
            return
        for name in COMPARED:
            if self._old and name in NEW_FIELDS and not getattr(recorded, name):
                continue
            if name not in ("digest", "start") or not nondeterministic:
                yield name, getattr(recorded, name), getattr(again, name)
        added = self._added.add(recorded.metrics, again.metrics)
        for name in sorted((again.metrics.keys() | recorded.metrics.keys()) - added):
            if name in again.metrics or not self._is_claimed(name, recorded):
                yield f"metrics.{name}", recorded.metrics.get(name), again.metrics.get(name)
        other = recorded.digest if nondeterministic else again.digest
        yield "the trace's digest", trace.digest, other

    def _is_claimed(self, name: str, recorded: Result) -> bool:
        """Whether a metric is of the agent's side, which a replay lacks."""
        value = recorded.metrics[name]
        if name == CLIPPED:
            return value in range(1, recorded.steps + 2)
        if name.startswith(EXPERTS):
            return self._with_expert
        for part in self._cases[recorded.case].perturbations:
            if COUNTED.get(part.name) == name and part.severity:
                params = part.params or REGISTRY[part.name].levels[part.severity - 1]
                return value in range(params["steps"] + 1)
        return False

    def _differs(self, recorded: Result, what: str, before: object, after: object) -> None:
        self._found.differences.append(Difference.of(recorded, what, before, after))


def _same(one: Any, other: Any, tolerance: float) -> bool:
    numbers = all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in (one, other)
    )
    if numbers and tolerance:
        return math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)
    return bool(one == other) and (numbers or type(one) is type(other))


def verify(
    run: str | os.PathLike[str],
    *,
    sample: int | None,
    options: RunOptions,
    progress: Progress,
    known: Knowledge,
    sample_seed: int | None = None,
    draw: Draw | None = None,
) -> VerificationReport:
    """Check a run's files, then replay `sample` of its cases (None: all) without the agent.

    `options` say how they are replayed, which must not matter. `known`: our tasks and suites, and
    whom to trust. Raises UserError if the directory is no run.

    Every playable case is drawn with the same chance, with `sample_seed`, or with a new seed that
    nobody who made the files can have known. `draw`: another way to draw from the playable cases;
    then `sample` and `sample_seed` are only those of the rows that say what could not run.

    Numpy multiplies with the kernels of the run meanwhile, where this processor has them.
    """
    stored = load_run(run)
    with kernels_of(stored.description.get("machine")):
        return _verified(stored, sample, options, progress, known, sample_seed, draw)


def _verified(
    stored: StoredRun,
    sample: int | None,
    options: RunOptions,
    progress: Progress,
    known: Knowledge,
    sample_seed: int | None,
    draw: Draw | None,
) -> VerificationReport:
    """As `verify`, with the kernels of the run where the processor has them."""
    plan = stored.whole
    progress = _SaidOnce(progress)
    files = check_files(stored, known)
    if sample is not None and sample_seed is None:
        sample_seed = secrets.randbits(32)
    rng = np.random.default_rng(sample_seed)
    chosen = uniform(files.playable, sample, rng) if draw is None else draw(plan, files.playable)
    errors = uniform(files.errors, sample, rng)
    found = VerificationReport(
        planned=plan.total,
        lines=files.count,
        playable=len(files.playable),
        chosen=len(chosen),
        sample_seed=None if sample is None or sample >= len(files.playable) else sample_seed,
        differences=files.differences,
        in_files=len(files.differences),
        unchecked=files.unchecked,
        claims=[WHO, *files.claims, *_agents_side(plan, stored.reads)],
        notes=files.notes,
    )
    rows = check_not_run(stored, known, most=sample, rng=rng, options=options, progress=progress)
    found.differences += rows.differences
    found.claims += rows.claims
    _replay(stored, files, results_of(stored, [*chosen, *errors]), options, progress, found)
    check_side_files(stored, results_of(stored, chosen), found)
    sampled = {plan.items[index.item].task.adapter for index in chosen}
    reasons = {load(adapter).nondeterminism for adapter in sampled} - {""}
    found.other_kernels = other_kernels(stored.description.get("machine"))
    if found.differences[found.in_files :] and found.other_kernels:
        found.notes.append(found.other_kernels)
    found.notes += [f"within a tolerance, without digests: {reason}" for reason in sorted(reasons)]
    return found


def _agents_side(plan: Plan, reads: Sequence[str]) -> list[str]:
    """What else is only claimed: what follows from what the agent saw or asked for."""
    claims = ["how many actions were clipped"]
    if ASKING.intersection(reads):
        claims.append("what the expert did")
    seen = sorted(
        {
            part.name
            for condition in plan.perturbations
            for part in condition
            if part.name in REGISTRY and not acts(part)
        }
    )
    if seen:
        claims.append(f"that the agent was shown {', '.join(seen)}")
    return claims


def _replay(
    stored: StoredRun,
    files: IntegrityReport,
    results: Mapping[CaseIndex, Result],
    options: RunOptions,
    progress: Progress,
    found: VerificationReport,
) -> None:
    """Play these cases again, and compare each with its result."""
    plan = stored.whole
    reads = [as_optional(name) for name in stored.reads if name not in UNSEEN]
    sampled_items = {index.item for index in results}
    items = [
        dataclasses.replace(item, env_key=environment_key(item.task))
        if number in sampled_items
        else item
        for number, item in enumerate(plan.items)
    ]
    bare = WithoutPerturbations.of(dataclasses.replace(plan, items=tuple(items)))
    drawn, added = DrawnAgain(), AddedMetrics()
    for condition in range(len(plan.conditions)):
        mine = {index: result for index, result in results.items() if index.condition == condition}
        if not mine:
            continue
        check = _ReplayCheck(
            bare,
            plan,
            mine,
            files.traces,
            found,
            drawn,
            added,
            with_expert=bool(ASKING.intersection(stored.reads)),
            old=stored.description["schema"] == 1,
        )
        coordinator = Coordinator(bare, check, progress, options.shuffle)
        coordinator.tally.total = len(mine)
        arguments = {
            "run": os.fspath(stored.path.resolve()),
            "condition": condition,
            "reads": reads,
        }
        spec = AgentSpec("replay", REPLAY_AGENT, arguments)
        try:
            play_cases(coordinator, spec, options, progress)
        except Stopped as end:
            raise UserError(f"{end}; verify it again") from None
        finally:
            progress.close(coordinator.tally)
        for row in (*coordinator.not_run.values(), *coordinator.not_applicable.values()):
            what = f"{row.task} {row.perturbation or ''}".rstrip()
            found.unchecked.append(f"{what} cannot be played here: {row.reason}; {row.remedy}")
    found.notes += [*drawn.notes(), *added.notes()]
