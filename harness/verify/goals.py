"""Which goals of its scene an episode met, found by replaying the recorded actions.

Nothing is asked while an agent plays, so a run costs the same and has the same digests with and
without it. The task's own goal and all other ones that the adapter declares are judged in every
replay, whichever was asked for. An episode that does not come out as recorded is unknown, with the
reason.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core import GOAL, OWN, Goal, Result, Task, asked_goal
from harness.core.errors import describe
from harness.core.goals import drawn_goal
from harness.host.loading import load_adapter
from harness.play.environments import Environments, EnvSlot, environment_key
from harness.play.episode import Episode
from harness.play.inference import Watch
from harness.play.starts import missing_here, start
from harness.play.values import SimulatorFault, checked_timestep
from harness.records.goal_file import EpisodeGoals, GoalWriter, JudgedGoal, read_goal_file
from harness.records.linear_algebra import kernels_of
from harness.records.plan import CaseIndex
from harness.records.stored_run import StoredRun
from harness.records.traces import locate_traces, read_trace
from harness.verify.episode_replay import RecordedEpisode
from harness.verify.stages import NO_TRACE

__all__ = ["JudgedEpisode", "goals_of_run", "has_goals", "replay_goals"]


@dataclass(frozen=True, kw_only=True)
class JudgedEpisode:
    """An episode of a run that has a result, with its goals."""

    index: CaseIndex
    result: Result
    found: EpisodeGoals | None
    """None where it is not known."""
    unknown: str = ""
    """Why it is not known, in one line."""


def has_goals(task: Task) -> bool:
    """Whether a task's adapter declares other goals."""
    declared = load_adapter(task.adapter).simulator_perturbations(task)
    return any(each.name == GOAL.name for each in declared)


def goals_of_run(
    run: StoredRun, begin: Callable[[int], None] = lambda count: None
) -> list[JudgedEpisode]:
    """The episodes of tasks with other goals, unperturbed or with another goal asked for.

    In the order of the plan. What `goals.jsonl` lacks is replayed and written there. `begin` is
    told how many episodes that are. Ask first whether the run's tasks may be imported. Raises
    UserError.
    """
    known = read_goal_file(run.path)
    told: dict[str, bool] = {}
    episodes: dict[CaseIndex, JudgedEpisode] = {}
    unknown: dict[CaseIndex, Result] = {}
    for index, result in run.cases():
        task = run.plan.items[index.item].task
        condition = run.plan.conditions[index.condition]
        if result.status == "error" or any(each.name != GOAL.name for each in condition):
            continue
        if not told.setdefault(task.id, has_goals(task)):
            continue
        found = known.get(result.case)
        if found is None or found.digest != result.digest:
            found, unknown[index] = None, result
        episodes[index] = JudgedEpisode(index=index, result=result, found=found)
    if unknown:
        begin(len(unknown))
        with GoalWriter(run.path) as writer:
            for each in replay_goals(run, unknown):
                episodes[each.index] = each
                if each.found is not None:
                    writer.append(each.found)
    return [episodes[index] for index in sorted(episodes)]


def replay_goals(run: StoredRun, results: Mapping[CaseIndex, Result]) -> Iterable[JudgedEpisode]:
    """Replay episodes in this process, those of one environment one after the other."""
    names = {result.case for result in results.values()}
    places = {
        trace.case: (part, place)
        for trace, part, place in locate_traces(run.path)
        if trace.case in names
    }
    keys = {
        item: environment_key(run.plan.items[item].task) for item in {each.item for each in results}
    }
    with kernels_of(run.description.get("machine")), _Judge() as judge:
        for index in sorted(results, key=lambda each: (keys[each.item], each)):
            result = results[index]
            if result.case not in places:
                yield JudgedEpisode(index=index, result=result, found=None, unknown=NO_TRACE)
                continue
            trace = read_trace(*places[result.case])
            recording = RecordedEpisode.of(run, run.plan, index, result, trace)
            found, unknown = judge.goals(recording)
            yield JudgedEpisode(index=index, result=result, found=found, unknown=unknown)


class _OtherCourse(Exception):
    """The replay did not come out as recorded."""


class _Judge:
    """Replays episodes, and keeps the environment from one to the next."""

    def __init__(self) -> None:
        self._environments = Environments(1, Watch())
        self._slot: EnvSlot | None = None
        self._missing: dict[str, str] = {}

    def __enter__(self) -> _Judge:
        return self

    def __exit__(self, *_: object) -> None:
        self._environments.close([] if self._slot is None else [self._slot])

    def goals(self, recording: RecordedEpisode) -> tuple[EpisodeGoals | None, str]:
        """(what was found, why nothing was)."""
        task = recording.case.task
        if task.id not in self._missing:
            lacks = missing_here(task)
            self._missing[task.id] = "" if lacks is None else f"{lacks.reason}; {lacks.remedy}"
        if self._missing[task.id]:
            return None, f"it cannot be replayed here: {self._missing[task.id]}"
        try:
            self._slot = slot = self._environments.slot(recording.bare, self._slot)
            return _replayed(slot, recording), ""
        except _OtherCourse as other:
            return None, str(other)
        except Exception as fault:  # a simulator's own fault costs its case only, and is told
            if self._slot is not None:
                self._environments.drop(self._slot)
                self._slot = None
            return None, f"its replay fails: {describe(fault)}"


def _replayed(slot: EnvSlot, recording: RecordedEpisode) -> EpisodeGoals:
    """Raises _OtherCourse, SimulatorFault, and what the simulator raises."""
    bare, recorded = recording.bare, recording.result
    seen, draws = start(slot, bare)
    said = seen.instruction
    drawn_case = dataclasses.replace(bare, draw=draws) if draws else bare
    goals = tuple(slot.other_goals(drawn_case))
    asked = asked_goal(drawn_case, goals)
    drawn = drawn_goal(drawn_case, goals)
    known = {OWN, *(goal.id for goal in goals)}
    first: dict[str, int] = {}
    met = _met(slot, None, known)
    first.update(dict.fromkeys(met, 0))
    episode = Episode(None, bare)
    episode.begin(slot, seen, (), 1)
    for step, action in enumerate(recording.actions, 1):
        seen = checked_timestep(slot.step(action))
        episode.advance(action, seen)
        met = _met(slot, action, known)
        for name in met:
            first.setdefault(name, step)
    alike = episode.digest() == recorded.digest
    if slot.adapter.nondeterminism:
        alike = (episode.steps, episode.solved_now) == (recorded.steps, recorded.success_end)
    if not alike:
        raise _OtherCourse("its replay does not come out as recorded; `bench verify` says more")
    own = Goal(OWN, "" if asked else said, ())
    return EpisodeGoals(
        case=recorded.case,
        digest=recorded.digest,
        asked=OWN if asked is None else asked.id,
        drawn="" if drawn is None else drawn.id,
        goals=tuple(
            JudgedGoal(
                id=each.id,
                instruction=each.instruction,
                differs=each.differs,
                first=first.get(each.id),
                end=each.id in met,
            )
            for each in (own, *goals)
        ),
    )


def _met(slot: EnvSlot, executed: Any, known: set[str]) -> Sequence[str]:
    """What `goals_met` says. Raises SimulatorFault where it names a goal that is none."""
    found = slot.goals_met(executed)
    if not isinstance(found, tuple) or not set(found) <= known:
        raise SimulatorFault(f"goals_met() gave {found!r:.200}, of which not all are goals")
    return found
