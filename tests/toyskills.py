"""The toy square with skills, and agents that call them, with what can go wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from toys import BatchedToy, ToyAdapter, towards

from harness.core import Agent, Answer, Skill, SkillCall, SkillEnd, Task, Turn

SKILLS = (
    Skill("go", (("to", "place"),), "walk to the place"),
    Skill("rest", (), "do nothing at all"),
    Skill("fail", (), "end at once without having done anything"),
    Skill("trip", (), "take one step to the left and fail"),
    Skill("babble", (), "answer what is no action"),
    Skill("break", (), "raise an error"),
)
PLACES = {"place": ("goal", "corner")}


def controlled(
    action_spec: Any, point: np.ndarray, goal: np.ndarray, call: SkillCall, taken: int
) -> Any:
    """What the controllers do."""
    if call.skill == "go":
        target = goal if call.arguments == ("goal",) else np.zeros(2, np.float32)
        near = float(np.abs(target - point).max()) <= 0.5
        return SkillEnd(True) if near else towards(action_spec, point, target)
    if call.skill == "trip" and taken == 0:
        return 1
    if call.skill == "babble":
        return "left"
    if call.skill == "break":
        raise RuntimeError("the controller broke")
    return SkillEnd(call.skill == "rest", "" if call.skill == "rest" else "it is meant to fail")


class SkilledToy(ToyAdapter):
    """The square, with a controller for each of SKILLS."""

    privileged_views = ("state",)

    @classmethod
    def skills(cls, task: Task) -> tuple[Skill, ...]:
        return SKILLS

    def skill_objects(self) -> dict[str, tuple[str, ...]]:
        return PLACES

    def skill(self, call: SkillCall, taken: int, executed: Any) -> Any:
        return controlled(self.brief.action, self.point, self.goal, call, taken)

    def expert_plan(self) -> tuple[SkillCall, ...]:
        return (SkillCall("go", ("corner",)), SkillCall("go", ("goal",)))


class SkilledBatch(BatchedToy):
    """The same, many lanes at once."""

    form = SkilledToy

    @classmethod
    def skills(cls, task: Task) -> tuple[Skill, ...]:
        return SKILLS

    def skill_objects(self, lane: int) -> dict[str, tuple[str, ...]]:
        return PLACES

    def skill(self, lane: int, call: SkillCall, taken: int, executed: Any) -> Any:
        toy = self.lanes[lane]
        return controlled(self.brief.action, toy.point, toy.goal, call, taken)


class Caller(Agent):
    """Calls the skills named in `calls`, again and again: `go goal, rest`."""

    reads = ("skills",)

    def __init__(self, calls: str = "go goal", then: str = "") -> None:
        self.first, self.later = _parsed(calls), _parsed(then or calls)

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [self.answer(turn) for turn in turns]

    def answer(self, turn: Turn) -> Answer:
        now = turn.skills
        assert now is not None
        calls = self.later if turn.memory else self.first
        told = {"failed": float(now.failed is not None), "done": float(len(now.done))}
        return Answer((), memory=1, figures=told, said=now.why, calls=calls)


class Stranger(Caller):
    """Calls skills and reads none."""

    reads = ()

    def answer(self, turn: Turn) -> Answer:
        return Answer((), calls=self.first)


class Planning(Agent):
    """Calls the expert's plan."""

    reads = ("skills", "expert")

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [Answer((), calls=turn.skills.plan or ()) for turn in turns if turn.skills]


def _parsed(text: str) -> tuple[SkillCall, ...]:
    words = [part.split() for part in text.split(",")]
    return tuple(SkillCall(name, tuple(given)) for name, *given in words)
