"""What the harness relies on in an adapter's other goals, tried on a real one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from harness.core import GOAL, OWN, Case, Goal, Perturbation, asked_goal
from harness.testing.checked_lane import CheckedLane, ScriptedPlayer
from harness.testing.checks import call, demand
from harness.testing.trajectory import StepRecord, demand_equal

__all__ = ["check_goals"]


def check_goals(
    lane: CheckedLane, player: ScriptedPlayer, case: Case, once: Sequence[StepRecord]
) -> None:
    """Play the case once more and ask at every step, then with another goal asked for.

    `once` is the course of the case without that. Does nothing for a task that does not declare the
    perturbation `goal`.
    """
    declared = type(lane.adapter).simulator_perturbations(case.task)
    if not any(each.name == GOAL.name for each in declared):
        return
    goals: tuple[Goal, ...] = ()
    records, executed = list[StepRecord](), [None]

    def actions() -> Iterator[Any]:
        for executed[0] in player.drawn(lane.brief.action):
            yield executed[0]

    for record in player.records(lane, case, actions=actions()):
        if not records:
            goals = _goals(lane, case)
        records.append(record)
        _check_met(lane, goals, executed[0])
    demand_equal(
        records,
        once,
        "an episode goes another way when it is asked for its goals: asking must change nothing",
    )
    changed = Perturbation(GOAL.name, 1, GOAL.levels[0])
    other = dataclasses.replace(case, perturbations=(changed,))
    said = call("reset", lane.reset, other).instruction
    demand(_goals(lane, other) == goals, "other_goals differ where one of them is asked for")
    asked = asked_goal(other, goals)
    wanted = records[0].instruction if asked is None else asked.instruction
    demand(said == wanted, f"asked for {wanted!r:.100}, the instruction is {said!r:.100}")
    _check_met(lane, goals, None)


def _goals(lane: CheckedLane, case: Case) -> tuple[Goal, ...]:
    goals: tuple[Goal, ...] = call("other_goals", lane.other_goals, case)
    known = isinstance(goals, tuple) and all(isinstance(each, Goal) for each in goals)
    demand(known, f"other_goals must return a tuple of Goals, got {goals!r:.200}")
    names = [each.id for each in goals]
    demand(len({*names, OWN}) == len(names) + 1, f"two goals have one id: {', '.join(names)}")
    return goals


def _check_met(lane: CheckedLane, goals: Sequence[Goal], executed: object) -> None:
    met = call("goals_met", lane.goals_met, executed)
    known = {OWN, *(each.id for each in goals)}
    told = isinstance(met, tuple) and set(met) <= known
    demand(told, f"goals_met() gave {met!r:.200}, and the scene has {', '.join(sorted(known))}")
