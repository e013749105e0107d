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
from harness.core.goals import drawn_goal
from harness.host.loading import load_adapter
from harness.play.environments import EnvSlot
from harness.play.starts import start
from harness.play.values import SimulatorFault
from harness.records.goal_file import EpisodeGoals, GoalWriter, JudgedGoal, read_goal_file
from harness.records.plan import CaseIndex
from harness.records.stored_run import StoredRun
from harness.verify.episode_replay import RecordedEpisode
from harness.verify.replayer import play_recorded, replayed

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
    for index, result, found, unknown in replayed(run, results, _found):
        yield JudgedEpisode(index=index, result=result, found=found, unknown=unknown)


def _found(slot: EnvSlot, recording: RecordedEpisode) -> EpisodeGoals:
    """Raises OtherCourse, SimulatorFault, and what the simulator raises."""
    bare, recorded = recording.bare, recording.result
    seen, draws = start(slot, bare)
    said = seen.instruction
    drawn_case = dataclasses.replace(bare, draw=draws) if draws else bare
    goals = tuple(slot.other_goals(drawn_case))
    asked = asked_goal(drawn_case, goals)
    drawn = drawn_goal(drawn_case, goals)
    known = {OWN, *(goal.id for goal in goals)}
    met = _met(slot, None, known)
    first, step = dict.fromkeys(met, 0), 0

    def after(action: object) -> None:
        nonlocal met, step
        met, step = _met(slot, action, known), step + 1
        for name in met:
            first.setdefault(name, step)

    play_recorded(slot, bare, seen, recording, after)
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
