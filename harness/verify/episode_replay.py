"""One recorded episode: found in a run, and played again without its agent."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core import BadAction, Case, Element, Elements, Result, TimeStep, UserError
from harness.core.agent import NO_VIEWS
from harness.core.reads import as_optional
from harness.perturb.effects import NotApplicable
from harness.perturb.pipeline import Pipeline
from harness.play.environments import Environments, EnvSlot
from harness.play.episode import Episode
from harness.play.inference import Watch
from harness.play.starts import start
from harness.play.values import checked_timestep
from harness.records.linear_algebra import kernels_of
from harness.records.plan import CaseIndex, Plan
from harness.records.results import case_results
from harness.records.stored_run import StoredRun, load_run
from harness.records.traces import Trace, locate_traces, read_trace
from harness.verify.without_perturbations import WithoutPerturbations

__all__ = ["EpisodeReplay", "RecordedEpisode", "ReplayedStep", "find_episode", "is_called"]


@dataclass(frozen=True, kw_only=True)
class ReplayedStep:
    """One step of a replay; step 0 is the reset."""

    step: int
    action: Any
    """None at step 0."""
    elements: tuple[Element, ...]
    """What was on the screen when the action was chosen."""
    seen: TimeStep
    instruction: str
    """As the agent was given it."""
    observation: Mapping[str, Any]
    """The views that were asked for, as the agent saw them."""


@dataclass(frozen=True, kw_only=True)
class RecordedEpisode:
    """A recorded episode: its case, result and actions, and what its agent reads."""

    run: Path
    case: Case
    bare: Case
    """The case without the perturbations between adapter and agent: the recorded actions were
    executed after those, so they must not act again."""
    result: Result
    actions: Sequence[Any]
    reads: tuple[str, ...]
    """As in Agent.reads, each view optional; without words that name no view."""
    history: int
    machine: object
    """What the run says of the machine that it played on."""
    said: str = ""
    """The transcript that the agent kept, if any."""

    @classmethod
    def of(
        cls, run: StoredRun, plan: Plan, index: CaseIndex, result: Result, trace: Trace
    ) -> RecordedEpisode:
        """The episode of this case of `plan`, which is the run's or a part of it."""
        return cls(
            run=run.path,
            case=plan.case(index),
            bare=WithoutPerturbations.of(plan).case(index),
            result=result,
            actions=trace.decoded(),
            reads=tuple(as_optional(entry) for entry in run.reads if entry not in NO_VIEWS),
            history=run.description["agent"].get("history", 1),
            machine=run.description.get("machine"),
            said=trace.said,
        )


def find_episode(run: str | os.PathLike[str], name: str) -> RecordedEpisode:
    """The recorded episode that `name` names: a case's id, its beginning, or TASK:SEED.

    Raises UserError when there is none or several.
    """
    stored = load_run(run)
    plan = stored.whole
    found = {
        result.case: (index, result)
        for index, result in case_results(stored.path, plan)
        if is_called(name, result.task, result.seed, result.case)
    }
    if not found:
        raise UserError(
            f"{run} has no episode {name!r}: name a case's id, its beginning, or TASK:SEED; "
            f"`bench show {run} --failures` lists some"
        )
    if len(found) > 1:
        some = ", ".join(
            f"{case[:10]} ({each.task} seed {each.seed} {' '.join(each.perturbations)})"
            for case, (_, each) in found.items()
        )
        raise UserError(f"{name!r} names {len(found)} episodes: {some[:500]}")
    case, (index, result) = next(iter(found.items()))
    trace = _trace_of(run, case)
    if trace is None:
        raise UserError(
            f"the episode {case} has no trace: an episode that ended in an error leaves none "
            f"({result.error})"
        )
    return RecordedEpisode.of(stored, plan, index, result, trace)


def is_called(name: str, task: str, seed: int, case: str) -> bool:
    """Whether `name` names this case: its id, the beginning of it, or TASK:SEED."""
    names = f"{task.rpartition('@')[0]}:{seed}", f"{task}:{seed}"
    return name in names or (len(name) > 3 and case.startswith(name))


def _trace_of(run: str | os.PathLike[str], case: str) -> Trace | None:
    where = None
    for trace, part, place in locate_traces(run):
        if trace.case == case:
            where = part, place
    return read_trace(*where) if where else None


class EpisodeReplay:
    """Plays a recorded episode again without its agent, up to step `until` (None: to its end).

    Use it as a context manager, and iterate over `steps`. Numpy multiplies with the kernels of the
    run meanwhile.
    """

    def __init__(self, recording: RecordedEpisode, until: int | None = None) -> None:
        self._recording = recording
        self.until = len(recording.actions) if until is None else until
        self._environments = Environments(1, Watch())
        self._kernels = contextlib.ExitStack()
        self.as_recorded: bool | None = None
        """Whether the replay has the recorded digest; None: it was not played to its end."""

    def __enter__(self) -> EpisodeReplay:
        with contextlib.ExitStack() as entered:
            entered.enter_context(kernels_of(self._recording.machine))
            self.slot: EnvSlot = self._environments.slot(self._recording.bare, None)
            self._kernels = entered.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with self._kernels:
            self._environments.close([self.slot])

    def steps(self, views: Sequence[str]) -> Iterator[ReplayedStep]:
        """The reset and every step, with these views as the agent saw them.

        Raises UserError when the simulator refuses an action.
        """
        recording = self._recording
        seen, _ = start(self.slot, recording.bare)
        brief = self.slot.adapter.brief
        try:
            pipeline = Pipeline.of(recording.case, brief, recording.history, seen.instruction)
        except NotApplicable as unsuited:
            raise UserError(
                f"this episode cannot be shown as its agent saw it: {unsuited.missing.reason}"
            ) from None
        episode = Episode(None, recording.bare)
        episode.begin(self.slot, seen, (), 1)
        views = [view for view in views if view in brief.observation]
        screen = next(
            (name for name, spec in brief.observation.items() if isinstance(spec, Elements)), None
        )
        elements: tuple[Element, ...] = ()
        yield self._step_at(0, None, elements, seen, pipeline, views)
        for number, action in enumerate(recording.actions[: self.until], 1):
            # Read before the step: a view that is a function may only be called until then.
            elements = _read(seen, screen) if screen else ()
            try:
                seen = checked_timestep(self.slot.step(action))
            except BadAction as refused:
                raise UserError(
                    f"the simulator refuses the recorded action {number}: {refused}. "
                    "`bench verify` says more"
                ) from None
            episode.advance(action, seen)
            yield self._step_at(number, action, elements, seen, pipeline, views)
        if self.until >= len(recording.actions):
            self.as_recorded = episode.digest() == recording.result.digest

    def _step_at(
        self,
        step: int,
        action: Any,
        elements: tuple[Element, ...],
        seen: TimeStep,
        pipeline: Pipeline | None,
        views: Sequence[str],
    ) -> ReplayedStep:
        if pipeline is None:
            instruction = seen.instruction
            observation: Mapping[str, Any] = {view: _read(seen, view) for view in views}
        else:
            instruction = pipeline.say(seen.instruction)
            observation = pipeline.see(views, functools.partial(_read, seen), step, True) or {}
        return ReplayedStep(
            step=step,
            action=action,
            elements=elements,
            seen=seen,
            instruction=instruction,
            observation=observation,
        )


def _read(seen: TimeStep, view: str) -> Any:
    value = seen.observation[view]
    return value() if callable(value) else value
