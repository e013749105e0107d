"""Replays recorded episodes of a run to ask the adapter what happened in them.

They are played in this process, those of one environment one after the other. What does not come
out as recorded, and what cannot be replayed here, is told with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from harness.core import Case, Result, Task, TimeStep
from harness.core.errors import describe
from harness.play.environments import Environments, EnvSlot, environment_key
from harness.play.episode import Episode
from harness.play.inference import Watch
from harness.play.starts import missing_here
from harness.play.values import checked_timestep
from harness.records.linear_algebra import kernels_of
from harness.records.plan import CaseIndex
from harness.records.stored_run import StoredRun
from harness.records.traces import locate_traces, read_trace
from harness.verify.episode_replay import RecordedEpisode

__all__ = ["OtherCourse", "play_recorded", "replayed"]

NO_TRACE = "it has no recorded actions"
Found = TypeVar("Found")


class OtherCourse(Exception):
    """The replay did not come out as recorded."""


def replayed(
    run: StoredRun,
    results: Mapping[CaseIndex, Result],
    ask: Callable[[EnvSlot, RecordedEpisode], Found],
) -> Iterator[tuple[CaseIndex, Result, Found | None, str]]:
    """For each episode what `ask` found, or None and why nothing was, in one line.

    `ask(slot, recording)` replays it. It may raise OtherCourse, and what a simulator raises.
    """
    names = {result.case for result in results.values()}
    places = {
        trace.case: (part, place)
        for trace, part, place in locate_traces(run.path)
        if trace.case in names
    }
    keys = {
        item: environment_key(run.plan.items[item].task) for item in {each.item for each in results}
    }
    with kernels_of(run.description.get("machine")), _Kept() as kept:
        for index in sorted(results, key=lambda each: (keys[each.item], each)):
            result = results[index]
            if result.case not in places:
                yield index, result, None, NO_TRACE
                continue
            trace = read_trace(*places[result.case])
            recording = RecordedEpisode.of(run, run.plan, index, result, trace)
            yield index, result, *kept.asked(recording, ask)


class _Kept:
    """The environment, from one episode to the next."""

    def __init__(self) -> None:
        self._environments = Environments(1, Watch())
        self._slot: EnvSlot | None = None
        self._missing: dict[str, str] = {}

    def __enter__(self) -> _Kept:
        return self

    def __exit__(self, *_: object) -> None:
        self._environments.close([] if self._slot is None else [self._slot])

    def asked(
        self, recording: RecordedEpisode, ask: Callable[[EnvSlot, RecordedEpisode], Found]
    ) -> tuple[Found | None, str]:
        lacks = self._lacks(recording.case.task)
        if lacks:
            return None, f"it cannot be replayed here: {lacks}"
        try:
            self._slot = slot = self._environments.slot(recording.bare, self._slot)
            return ask(slot, recording), ""
        except OtherCourse as other:
            return None, str(other)
        except Exception as fault:  # a simulator's own fault costs its case only, and is told
            if self._slot is not None:
                self._environments.drop(self._slot)
                self._slot = None
            return None, f"its replay fails: {describe(fault)}"

    def _lacks(self, task: Task) -> str:
        if task.id not in self._missing:
            lacks = missing_here(task)
            self._missing[task.id] = "" if lacks is None else f"{lacks.reason}; {lacks.remedy}"
        return self._missing[task.id]


def play_recorded(
    slot: EnvSlot,
    bare: Case,
    first: TimeStep,
    recording: RecordedEpisode,
    after: Callable[[object], None],
) -> None:
    """Play the recorded actions from the start `first`; call `after` with each, once it was played.

    Raises OtherCourse, and what the simulator and `after` raise.
    """
    episode = Episode(None, bare)
    episode.begin(slot, first, (), 1)
    for action in recording.actions:
        episode.advance(action, checked_timestep(slot.step(action)))
        after(action)
    recorded = recording.result
    alike = episode.digest() == recorded.digest
    if slot.adapter.nondeterminism:
        alike = (episode.steps, episode.solved_now) == (recorded.steps, recorded.success_end)
    if not alike:
        raise OtherCourse("its replay does not come out as recorded; `bench verify` says more")
