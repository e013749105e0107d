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
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.core import Agent, Answer, Case, Result, Task, Turn, UserError
from harness.core.agent import ALL_VIEWS
from harness.perturb.registry import REGISTRY
from harness.play.coordinator import Coordinator
from harness.play.environments import environment_key
from harness.play.episode import episode_name
from harness.play.progress import Progress
from harness.play.runner import RunOptions, play_cases
from harness.records.identity import AgentSpec
from harness.records.plan import CaseIndex, Plan
from harness.records.registry import load
from harness.records.stored_run import load_run
from harness.records.traces import Trace, locate_traces, read_trace
from harness.verify.difference import Difference
from harness.verify.integrity import TraceRecord, check_files, results_of
from harness.verify.report import VerificationReport, differences_table

__all__ = ["ReplayAgent", "VerificationReport", "differences_table", "verify"]

REPLAY_AGENT = "harness.verify.replay:ReplayAgent"
UNSEEN = ("expert", ALL_VIEWS)
"""Entries of Agent.reads that name no view. No trace has a digest of views drawn on demand."""
OVER = "the recorded actions end before the episode does"
COMPARED = ("status", "success", "score", "normalised", "steps", "ended", "digest")


class WithoutPerturbations(Plan):
    """A plan whose cases lack the perturbations between adapter and agent.

    A trace holds the executed actions, which are those after the perturbations: they must not act
    on them a second time. Perturbations that the simulator carries out stay.
    """

    @classmethod
    def of(cls, plan: Plan) -> WithoutPerturbations:
        """The same items and conditions, by the same indexes."""
        return cls(**{field.name: getattr(plan, field.name) for field in dataclasses.fields(plan)})

    def case(self, index: CaseIndex) -> Case:
        case = super().case(index)
        simulated = tuple(part for part in case.perturbations if part.name not in REGISTRY)
        return Case(case.task, case.seed, simulated)


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
        for trace, part, place in locate_traces(run):
            control = plan.locate(trace.task, trace.seed, ())
            if control is not None:
                index = control._replace(condition=condition)
                if plan.case(index).id == trace.case:
                    self._places[episode_name(bare.case(index).id)] = part, place

    def act(self, turns: Sequence[Turn]) -> list[Answer]:
        """All recorded actions at an episode's first turn. Raises UserError at a second one."""
        return [self._one(turn) for turn in turns]

    def _one(self, turn: Turn) -> Answer:
        actions = [] if turn.step else read_trace(*self._places[turn.episode]).decoded()
        if not actions:
            raise UserError(OVER)
        return Answer(actions)


class _ReplayCheck:
    """A result sink that compares each result of a replay with the recorded one."""

    def __init__(
        self,
        plan: Plan,
        results: Mapping[CaseIndex, Result],
        traces: Mapping[str, TraceRecord],
        found: VerificationReport,
    ) -> None:
        """`results` are of one condition: then a case of `plan` belongs to one result only."""
        self._results = results
        self._recorded = {
            plan.case(index).id: (plan.items[index.item].task, result)
            for index, result in results.items()
        }
        self._traces = traces
        self._found = found
        self.counts = {"finished": 0, "agent_error": 0, "successes": 0}
        self.images = self.drawn_differently = 0

    def done(self, index: CaseIndex) -> bool:
        """True for the cases that are not to be replayed."""
        return index not in self._results

    def append(self, result: Result, trace: Trace | None, now: float) -> None:
        """Compare the result of one replay."""
        task, recorded = self._recorded[result.case]
        kind = load(task.adapter)
        self._found.replayed += 1
        tolerance = kind.tolerance if kind.nondeterminism else 0.0
        for what, before, after in self._pairs(recorded, result, bool(kind.nondeterminism)):
            if not _same(before, after, tolerance):
                self._differs(recorded, what, before, after)
        # Perturbed instructions and images cannot be compared: the replay has none of them.
        if trace is not None and not recorded.perturbations:
            kept = self._traces[recorded.case]
            if trace.instruction != kept.instruction:
                self._differs(recorded, "the instruction", kept.instruction, trace.instruction)
            if kept.pixels and trace.pixels:
                self.images += 1
                self.drawn_differently += trace.pixels != kept.pixels

    def _pairs(
        self, recorded: Result, again: Result, nondeterministic: bool
    ) -> Iterator[tuple[str, Any, Any]]:
        """(what, recorded, replayed) of everything that must be equal."""
        trace = self._traces[recorded.case]
        if again.status == "error":
            yield "the simulator", "an episode", again.error
            return
        if again.status == "agent_error" and recorded.status != "agent_error":
            yield "the actions", f"{trace.length} for {recorded.steps} steps", again.error
            return
        for name in COMPARED:
            if name != "digest" or not nondeterministic:
                yield name, getattr(recorded, name), getattr(again, name)
        recorded_metrics = {k: v for k, v in recorded.metrics.items() if k != "clipped_actions"}
        # Perturbations add metrics, which a replay without them does not have.
        wanted = set() if recorded.perturbations else recorded_metrics.keys()
        names = again.metrics.keys() | wanted
        for name in sorted(names):
            yield f"metrics.{name}", recorded_metrics.get(name), again.metrics.get(name)
        other = recorded.digest if nondeterministic else again.digest
        yield "the trace's digest", trace.digest, other

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
    known: Callable[[str], Task | None] = lambda _: None,
) -> VerificationReport:
    """Check a run's files, then replay `sample` of its cases (None: all) without the agent.

    `options` say how they are replayed, which must not matter. `known` gives the task of an id as
    it is defined here, or None if it is not. Raises UserError if the directory is no run.

    The sample is drawn with the content of episodes.jsonl as its seed. So equal files give equal
    samples, and who changes a line changes the sample, and cannot know it in advance.
    """
    stored = load_run(run)
    plan = stored.whole
    files = check_files(stored, known)
    found = VerificationReport(
        planned=plan.total, lines=files.count, differences=files.differences, notes=files.notes
    )
    chosen = _sample(files.playable, files.digest, sample)
    found.playable, found.chosen = len(files.playable), len(chosen)
    results = results_of(stored, chosen)
    reads = [f"{name.rstrip('?')}?" for name in stored.reads if name not in UNSEEN]
    sampled_items = {index.item for index in chosen}
    items = [
        dataclasses.replace(item, env_key=environment_key(item.task))
        if number in sampled_items
        else item
        for number, item in enumerate(plan.items)
    ]
    bare = WithoutPerturbations.of(dataclasses.replace(plan, items=tuple(items)))
    images = drawn_differently = 0
    for condition in range(len(plan.conditions)):
        mine = {index: result for index, result in results.items() if index.condition == condition}
        if not mine:
            continue
        check = _ReplayCheck(bare, mine, files.traces, found)
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
        finally:
            progress.close(coordinator.tally)
        for row in coordinator.not_run.values():
            found.differences.append(
                Difference(
                    what="cannot be played here",
                    recorded=row.reason,
                    expected=row.remedy,
                    task=row.task,
                )
            )
        images += check.images
        drawn_differently += check.drawn_differently
    if drawn_differently:
        found.notes.append(
            f"the first images of {drawn_differently} of {images} episodes are drawn differently "
            "here: another machine or driver"
        )
    reasons = {load(plan.items[item].task.adapter).nondeterminism for item in sampled_items} - {""}
    found.notes += [f"within a tolerance, without digests: {reason}" for reason in sorted(reasons)]
    return found


def _sample(playable: Sequence[CaseIndex], digest: bytes, sample: int | None) -> list[CaseIndex]:
    """`sample` of the playable cases, as evenly over the tasks as possible."""
    if sample is None or sample >= len(playable):
        return list(playable)
    rng = np.random.default_rng(int.from_bytes(digest[:16], "little"))
    by_item: dict[int, list[CaseIndex]] = {}
    for index in sorted(playable):
        by_item.setdefault(index.item, []).append(index)
    decks = [[cases[k] for k in rng.permutation(len(cases))] for cases in by_item.values()]
    order = [decks[k] for k in rng.permutation(len(decks))]
    picked: list[CaseIndex] = []
    while len(picked) < sample:
        picked += [deck.pop() for deck in order if deck]
    return picked[:sample]
