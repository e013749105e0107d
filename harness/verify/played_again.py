"""Chosen cases of a run, begun or played again by an agent that has none of its actions.

`check_starts` resets our own simulators and compares how episodes start. `rerun` plays an agent
that anybody has once more, and compares what it did.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.core import Agent, Answer, Result, Turn, UserError
from harness.perturb.registry import REGISTRY
from harness.play.coordinator import Coordinator
from harness.play.environments import environment_key
from harness.play.progress import Progress, Tally
from harness.play.runner import RunOptions, play_cases
from harness.play.stopped import Stopped
from harness.records.identity import AgentSpec
from harness.records.plan import CaseIndex, Plan
from harness.records.results import NEW_FIELDS
from harness.records.stored_run import StoredRun
from harness.records.traces import Trace
from harness.verify.added_metrics import as_told
from harness.verify.difference import Difference, Differences
from harness.verify.integrity import results_of

__all__ = ["AgainReport", "check_starts", "rerun"]

BEGIN_AGENT = "harness.verify.played_again:BeginAgent"
ENOUGH = "only the start was asked for"
COMPARED = (
    "status", "success", "score", "normalised", "steps", "ended", "metrics", "digest", *NEW_FIELDS,
)  # fmt: skip


class BeginAgent(Agent):
    """Reads nothing, and gives up as soon as an episode has begun."""

    def act(self, turns: Sequence[Turn]) -> list[Answer]:
        """Raises UserError."""
        raise UserError(ENOUGH)


@dataclass(kw_only=True)
class AgainReport:
    """What came of it."""

    wanted: int = 0
    """Cases that were to be begun, or played."""
    done: int = 0
    differences: list[Difference] = field(default_factory=Differences)
    unchecked: list[str] = field(default_factory=list)
    """Tasks that cannot be played here, with the reason and the remedy."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, which `from_json` reads."""
        rows = [each.to_json() for each in self.differences]
        return {**vars(self), "differences": rows, "unchecked": list(self.unchecked)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> AgainReport:
        """The inverse of to_json, for values of a child process of ours."""
        rows = Differences(map(Difference.from_json, values["differences"]))
        return cls(**{**values, "differences": rows})


class _Chosen:
    """A result sink that takes the results of chosen cases, and hands each to a function."""

    def __init__(
        self, plan: Plan, chosen: Collection[CaseIndex], take: Callable[[CaseIndex, Result], None]
    ) -> None:
        self._plan, self._chosen, self._take = plan, chosen, take
        self.counts = {"finished": 0, "agent_error": 0, "successes": 0}

    def done(self, index: CaseIndex) -> bool:
        """True for the cases that were not chosen."""
        return index not in self._chosen

    def append(self, result: Result, trace: Trace | None, now: float) -> None:
        """Hand one result on."""
        index = self._plan.locate(result.task, result.seed, result.perturbations)
        if index is not None:
            self._take(index, result)


class _Quiet:
    """A Progress that does not tell of agents that have seen enough."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def update(self, tally: Tally) -> None:
        """Show the counts."""
        tally.agent_errors = 0  # each episode is given up, and that is no error of anybody's
        self._progress.update(tally)

    def close(self, tally: Tally) -> None:
        """Show the last counts."""
        tally.agent_errors = 0
        self._progress.close(tally)

    def say(self, text: str) -> None:
        """Say all else."""
        if ENOUGH not in text:
            self._progress.say(text)


def check_starts(
    run: StoredRun, chosen: Collection[CaseIndex], options: RunOptions, progress: Progress
) -> AgainReport:
    """Begin these episodes here, and compare their starts.

    A perturbation between adapter and agent comes after the start, so such an episode starts as
    its control does. Conditions that the simulator itself carries out are left out.

    Raises UserError if it is interrupted. Ask first whether the run's tasks may be imported.
    """
    outside = {
        number
        for number, parts in enumerate(run.whole.conditions)
        if all(part.name in REGISTRY for part in parts)
    }
    starts = {
        index: (result, result.start)
        for index, result in results_of(run, chosen).items()
        if result.start and index.condition in outside
    }
    found = AgainReport(wanted=len(starts))

    def compare(begun: CaseIndex, result: Result) -> None:
        for number in outside:
            recorded, start = starts.get(begun._replace(condition=number), (None, ""))
            if recorded is None:
                continue
            if result.status == "error":
                found.unchecked.append(f"{result.task} cannot be begun here: {result.error}; -")
                continue
            found.done += 1
            if result.start != start:
                found.differences.append(Difference.of(recorded, "start", start, result.start))

    controls = {index._replace(condition=0) for index in starts}
    spec = AgentSpec("begin", BEGIN_AGENT, {})
    _play(run.whole, controls, spec, compare, options, _Quiet(progress), found)
    return found


def rerun(
    run: StoredRun,
    chosen: Collection[CaseIndex],
    spec: AgentSpec,
    options: RunOptions,
    progress: Progress,
) -> AgainReport:
    """Play these cases with this agent, and compare all that is recorded of them.

    Raises UserError if it is interrupted. Ask first whether the run's tasks may be imported.
    """
    recorded = results_of(run, chosen)
    found = AgainReport(wanted=len(recorded))

    def compare(index: CaseIndex, result: Result) -> None:
        before = recorded[index]
        if result.status == "error":
            found.unchecked.append(f"{result.task} cannot be played here: {result.error}; -")
            return
        found.done += 1
        for name in COMPARED:
            one, other = getattr(before, name), getattr(result, name)
            if name == "metrics":
                other = as_told(other, one)
            if one != other:
                found.differences.append(Difference.of(before, name, one, other))

    _play(run.whole, set(recorded), spec, compare, options, progress, found)
    return found


def _play(
    plan: Plan,
    chosen: Collection[CaseIndex],
    spec: AgentSpec,
    take: Callable[[CaseIndex, Result], None],
    options: RunOptions,
    progress: Progress,
    found: AgainReport,
) -> None:
    if not chosen:
        return
    played = {index.item for index in chosen}
    # The file's own keys are a stranger's.
    items = tuple(
        dataclasses.replace(item, env_key=environment_key(item.task)) if number in played else item
        for number, item in enumerate(plan.items)
    )
    plan = dataclasses.replace(plan, items=items)
    coordinator = Coordinator(plan, _Chosen(plan, chosen, take), progress, options.shuffle)
    coordinator.tally.total = len(chosen)
    try:
        play_cases(coordinator, spec, options, progress)
    except Stopped as end:
        raise UserError(f"{end}; check it again") from None
    finally:
        progress.close(coordinator.tally)
    for row in (*coordinator.not_run.values(), *coordinator.not_applicable.values()):
        what = f"{row.task} {row.perturbation or ''}".rstrip()
        found.unchecked.append(f"{what} cannot be played here: {row.reason}; {row.remedy}")
