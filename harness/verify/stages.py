"""Stages and failure modes of a run's episodes, found by replaying the recorded actions.

Nothing is asked while an agent plays, so a run costs the same and has the same digests with and
without them. A success has all its stages and no mode, so only failures are replayed; those of a
family without hooks are not played either, their modes follow from the actions. An episode that
does not come out as recorded is unknown, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.core import Case, Result, Task, TimeStep
from harness.core.failure_modes import in_order
from harness.host.loading import load_adapter
from harness.play.environments import EnvSlot
from harness.play.starts import start
from harness.play.values import SimulatorFault
from harness.records.plan import CaseIndex
from harness.records.stage_file import EpisodeStages, StageWriter, read_stage_file
from harness.records.stored_run import StoredRun
from harness.verify.episode_replay import RecordedEpisode
from harness.verify.replayer import play_recorded, replayed
from harness.verify.trace_modes import modes_looked_for, modes_of_trace

__all__ = ["StagedEpisode", "replay_stages", "stages_of_run", "unknown_reasons"]

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
    for index, result, found, unknown in replayed(run, failed, _found):
        yield StagedEpisode(index=index, result=result, found=found, unknown=unknown)


def _found(slot: EnvSlot, recording: RecordedEpisode) -> EpisodeStages:
    """Raises OtherCourse, SimulatorFault, and what the simulator raises."""
    bare = recording.bare
    task, result = bare.task, recording.result
    kind = load_adapter(task.adapter)
    stages, declared = tuple(kind.stages(task)), in_order(kind.failure_modes(task))
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


def _play(
    slot: EnvSlot, bare: Case, first: TimeStep, recording: RecordedEpisode, stages: int
) -> int:
    """How many stages the recorded actions reach. Raises as play_recorded."""
    reached = _stage_now(slot, 0, stages)

    def after(action: object) -> None:
        nonlocal reached
        reached = _stage_now(slot, reached, stages)

    play_recorded(slot, bare, first, recording, after)
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
