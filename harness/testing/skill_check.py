"""What the harness relies on in an adapter's skills, tried on a real one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness.core import BadAction, Case, Skill, SkillCall, SkillEnd
from harness.core.skills import problem_of
from harness.testing.checked_lane import CheckedLane, ScriptedPlayer
from harness.testing.checks import ContractError, call, demand
from harness.testing.trajectory import demand_equal

__all__ = ["check_skills"]

MOST_TRIED = 12
"""Calls that are tried beside the expert's plan."""


def check_skills(lane: CheckedLane, player: ScriptedPlayer, case: Case) -> None:
    """Play the skills of the case's task twice, and once more their actions without asking."""
    skills = call("skills", type(lane.adapter).skills, case.task)
    named = isinstance(skills, tuple) and all(isinstance(each, Skill) for each in skills)
    demand(named, f"skills must return a tuple of Skills, got {skills!r:.200}")
    names = [each.name for each in skills]
    demand(len(set(names)) == len(names), f"two skills have one name: {', '.join(sorted(names))}")
    if not skills:
        return
    executed: list[Any] = []
    once = player.play(lane, case, actions=_calling(lane, skills, executed))
    again = player.play(lane, case, actions=_calling(lane, skills, []))
    demand_equal(again, once, "the skills act differently when the case is played again")
    replayed = player.play(lane, case, actions=executed)
    demand_equal(
        replayed,
        once,
        "the actions of the skills go another way without asking for them: asking must change "
        "nothing",
    )


def _calling(lane: CheckedLane, skills: Sequence[Skill], executed: list[Any]) -> Iterator[Any]:
    """The actions of some calls of each skill, then those of the expert's plan."""
    objects = call("skill_objects", lane.skill_objects)
    for skill in skills:
        for name, kind in skill.parameters:
            demand(
                len(objects.get(kind, ())) > 0,
                f"skill_objects names nothing of the type {kind!r}, which {name} of {skill} is",
            )
    some = [_with_objects(skill, objects, k) for k in (0, -1) for skill in skills][:MOST_TRIED]
    for each in some:
        yield from _actions(lane, each, executed)
    plan = call("expert_plan", lane.expert_plan)
    for each in plan or ():
        wrong = problem_of(each, skills, objects)
        demand(wrong is None, f"expert_plan holds what is no call: {wrong}")
        yield from _actions(lane, each, executed)


def _with_objects(skill: Skill, objects: Any, number: int) -> SkillCall:
    return SkillCall(skill.name, tuple(objects[kind][number] for _, kind in skill.parameters))


def _actions(lane: CheckedLane, each: SkillCall, executed: list[Any]) -> Iterator[Any]:
    last: Any = None
    taken = 0
    while True:
        given = call("skill", lane.skill, each, taken, last)
        if isinstance(given, SkillEnd):
            demand(
                type(given.done) is bool and isinstance(given.why, str),
                f"{each} ended with {given!r}: done is a bool, why a text",
            )
            return
        try:
            last, _ = lane.brief.action.coerce(given)
        except BadAction as error:
            raise ContractError(
                f"{each} gave an action that does not conform to the action spec: {error}"
            ) from error
        taken += 1
        executed.append(last)
        yield last
