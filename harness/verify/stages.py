"""Stages and failure modes of a run's episodes, found by replaying the recorded actions.

Nothing is asked while an agent plays, so a run costs the same and has the same digests with and
without them. A success has all its stages and no mode, so only failures are replayed; those of a
family without hooks are not played either, their modes follow from the actions. An episode that
does not come out as recorded is unknown, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core import Case, Result, Task
from harness.core.errors import describe
from harness.core.failure_modes import in_order
from harness.host.loading import load_adapter
from harness.play.environments import Environments, EnvSlot, environment_key
from harness.play.episode import Episode
from harness.play.inference import Watch
from harness.play.starts import missing_here, start
from harness.play.values import SimulatorFault, checked_timestep
from harness.records.linear_algebra import kernels_of
from harness.records.plan import CaseIndex
from harness.records.stage_file import EpisodeStages, StageWriter, read_stage_file
from harness.records.stored_run import StoredRun
from harness.records.traces import locate_traces, read_trace
from harness.verify.episode_replay import RecordedEpisode
from harness.verify.trace_modes import modes_looked_for, modes_of_trace

__all__ = ["StagedEpisode", "replay_stages", "stages_of_run", "unknown_reasons"]

NO_TRACE = "it has no recorded actions"
NOT_REPLAYED = "it was not replayed; `bench report RUN --stages` says why"


@dataclass(frozen=True, kw_only=True)
class StagedEpisode:
    """An episode of a run that has a result, with its stages."""

    index: CaseIndex
    result: Result
    found: EpisodeStages | None
    """None where it is not known."""
    unknown: str = ""
    """Why it is not known, in one line."""


def stages_of_run(
    run: StoredRun, begin: Callable[[int], None] = lambda count: None, *, replay: bool = True
) -> list[StagedEpisode]:
    """The unperturbed episodes of all tasks with a success, in the order of the plan.

    What `stages.jsonl` lacks is replayed and written there. `begin` is told how many episodes that
    are. Without `replay` these stay unknown. Ask first whether the run's tasks may be imported.
    Raises UserError.
    """
    known = read_stage_file(run.path)
    episodes: dict[CaseIndex, StagedEpisode] = {}
    failed: dict[CaseIndex, Result] = {}
    for index, result in run.cases():
        task = run.plan.items[index.item].task
        if index.condition or result.status == "error" or task.success is None:
            continue
        found = known.get(result.case)
        if result.success:
            found = _success(task, result)
        elif not _is_of_today(found, task, result):
            found = None
            failed[index] = result
        told = "" if found is not None else NOT_REPLAYED
        episodes[index] = StagedEpisode(index=index, result=result, found=found, unknown=told)
    if failed and replay:
        begin(len(failed))
        with StageWriter(run.path) as writer:
            for each in replay_stages(run, failed):
                episodes[each.index] = each
                if each.found is not None:
                    writer.append(each.found)
    return [episodes[index] for index in sorted(episodes)]


def _is_of_today(found: EpisodeStages | None, task: Task, result: Result) -> bool:
    """Whether a line tells of this episode, and of the stages that its task has today."""
    stages = tuple(load_adapter(task.adapter).stages(task))
    return found is not None and (found.digest, found.stages) == (result.digest, stages)


def _success(task: Task, result: Result) -> EpisodeStages:
    kind = load_adapter(task.adapter)
    stages = tuple(kind.stages(task))
    looked_for = modes_looked_for(kind.failure_modes(task), len(stages), result.metrics)
    return EpisodeStages(
        case=result.case,
        digest=result.digest,
        stages=stages,
        stage=len(stages),
        modes=(),
        looked_for=in_order(looked_for),
    )


def replay_stages(run: StoredRun, failed: Mapping[CaseIndex, Result]) -> Iterable[StagedEpisode]:
    """Replay failed episodes in this process, those of one environment one after the other."""
    names = {result.case for result in failed.values()}
    places = {
        trace.case: (part, place)
        for trace, part, place in locate_traces(run.path)
        if trace.case in names
    }
    keys = {
        item: environment_key(run.plan.items[item].task) for item in {each.item for each in failed}
    }
    with kernels_of(run.description.get("machine")), _Replayer() as replayer:
        for index in sorted(failed, key=lambda each: (keys[each.item], each)):
            result = failed[index]
            if result.case not in places:
                yield StagedEpisode(index=index, result=result, found=None, unknown=NO_TRACE)
                continue
            trace = read_trace(*places[result.case])
            recording = RecordedEpisode.of(run, run.plan, index, result, trace)
            found, unknown = replayer.stages(recording)
            yield StagedEpisode(index=index, result=result, found=found, unknown=unknown)


class _OtherCourse(Exception):
    """The replay did not come out as recorded."""


class _Replayer:
    """Replays episodes, and keeps the environment from one to the next."""

    def __init__(self) -> None:
        self._environments = Environments(1, Watch())
        self._slot: EnvSlot | None = None
        self._missing: dict[str, str] = {}

    def __enter__(self) -> _Replayer:
        return self

    def __exit__(self, *_: object) -> None:
        self._environments.close([] if self._slot is None else [self._slot])

    def stages(self, recording: RecordedEpisode) -> tuple[EpisodeStages | None, str]:
        """(what was found, why nothing was)."""
        task = recording.case.task
        if task.id not in self._missing:
            lacks = missing_here(task)
            self._missing[task.id] = "" if lacks is None else f"{lacks.reason}; {lacks.remedy}"
        if self._missing[task.id]:
            return None, f"it cannot be replayed here: {self._missing[task.id]}"
        try:
            return self._replayed(recording), ""
        except _OtherCourse as other:
            return None, str(other)
        except Exception as fault:  # a simulator's own fault costs its case only, and is told
            if self._slot is not None:
                self._environments.drop(self._slot)
                self._slot = None
            return None, f"its replay fails: {describe(fault)}"

    def _replayed(self, recording: RecordedEpisode) -> EpisodeStages:
        bare = recording.bare
        task, result = bare.task, recording.result
        kind = load_adapter(task.adapter)
        stages, declared = tuple(kind.stages(task)), in_order(kind.failure_modes(task))
        self._slot = slot = self._environments.slot(bare, self._slot)
        first, _ = start(slot, bare)
        metrics = {**first.metrics, **result.metrics}
        looked_for = modes_looked_for(declared, len(stages), metrics)
        reached, modes = 0, set[str]()
        if stages or declared:
            reached = _play(slot, bare, first, recording, len(stages))
            modes.update(slot.failure_mode())
            if not modes <= set(declared):
                raise SimulatorFault(f"failure_mode() gave {modes}, of which it declares not all")
        modes |= modes_of_trace(
            result,
            recording.actions,
            slot.adapter.brief.action,
            looked_for,
            near=reached == len(stages) - 1,
        )
        return EpisodeStages(
            case=result.case,
            digest=result.digest,
            stages=stages,
            stage=reached,
            modes=in_order(modes),
            looked_for=in_order(looked_for),
        )


def _play(slot: EnvSlot, bare: Case, first: Any, recording: RecordedEpisode, stages: int) -> int:
    """How many stages the recorded actions reach. Raises _OtherCourse, and what they raise."""
    episode = Episode(None, bare)
    episode.begin(slot, first, (), 1)
    reached = _stage_now(slot, 0, stages)
    for action in recording.actions:
        seen = checked_timestep(slot.step(action))
        episode.advance(action, seen)
        reached = _stage_now(slot, reached, stages)
    recorded = recording.result
    alike = episode.digest() == recorded.digest
    if slot.adapter.nondeterminism:
        alike = (episode.steps, episode.solved_now) == (recorded.steps, recorded.success_end)
    if not alike:
        raise _OtherCourse("its replay does not come out as recorded; `bench verify` says more")
    return reached


def _stage_now(slot: EnvSlot, before: int, stages: int) -> int:
    """What `stage` says. Raises SimulatorFault where it breaks its contract."""
    found = slot.stage()
    if type(found) is not int or not before <= found <= stages:
        raise SimulatorFault(f"stage() gave {found!r} after {before}, of {stages} stages")
    return found


def unknown_reasons(episodes: Sequence[StagedEpisode]) -> dict[str, int]:
    """Why episodes are not known -> how many, the most frequent first."""
    found: dict[str, int] = {}
    for each in episodes:
        if each.unknown:
            found[each.unknown] = found.get(each.unknown, 0) + 1
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))
