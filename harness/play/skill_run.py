"""What the controllers of an adapter's skills do, checked before it is executed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.core import BadAction, SkillCall, SkillEnd, SkillsNow, Task
from harness.core.coercion import shown
from harness.core.lane import Lane
from harness.core.skills import problem_of
from harness.core.text import encodable
from harness.play.held import held_action
from harness.play.values import Move, SimulatorFault

__all__ = ["SKILLS", "SkillRun"]

SKILLS = "skills"
"""In `Agent.reads`: the skills of the adapter. In a line: its controllers, where they are
privileged."""
MOST_WHY = 500
"""Characters of why a call failed."""


class SkillRun:
    """The calls of one episode, one answer after the other."""

    __slots__ = (
        "used", "_calls", "_done", "_failed", "_lane", "_objects", "_skills", "_taken", "_why",
        "_moved",
    )  # fmt: skip

    def __init__(self, lane: Lane, task: Task) -> None:
        """After the reset. Raises SimulatorFault where the adapter names no texts."""
        self._lane = lane
        self._skills = tuple(lane.adapter.skills(task))
        self._objects = _checked(lane.skill_objects())
        self._calls: list[SkillCall] = []
        self._done: list[SkillCall] = []
        self._failed: SkillCall | None = None
        self._why = ""
        self._taken = 0
        """Actions of the call that is under way."""
        self._moved = True
        """Whether the calls of the last answer have led to any action."""
        self.used = False
        """Whether any controller has been asked."""

    def now(self, with_plan: bool) -> SkillsNow:
        """What the next turn shows. `with_plan`: the expert's plan, too."""
        plan = None
        if with_plan:
            found = self._lane.expert_plan()
            plan = None if found is None else tuple(found)
            for call in plan or ():
                wrong = problem_of(call, self._skills, self._objects)
                if wrong is not None:
                    raise SimulatorFault(f"the expert's plan holds no call: {wrong}")
        return SkillsNow(
            skills=self._skills,
            objects=self._objects,
            done=tuple(self._done),
            failed=self._failed,
            why=self._why,
            plan=plan,
        )

    def begin(self, calls: Sequence[SkillCall]) -> str | None:
        """Take an answer's calls; why they are none, in one line."""
        for call in calls:
            wrong = problem_of(call, self._skills, self._objects)
            if wrong is not None:
                return wrong
        self._calls, self._done, self._failed, self._why = list(calls), [], None, ""
        self._taken, self._moved = 0, False
        return None

    def move(self, executed: Any) -> Move | None:
        """The next action, or None where the agent is to be asked. `executed`: in the last step.

        Raises SimulatorFault where a controller answers what is none, and what it raises.
        """
        spec = self._lane.adapter.brief.action
        while self._calls:
            call = self._calls[0]
            self.used = True
            given = self._lane.skill(call, self._taken, executed if self._taken else None)
            if isinstance(given, SkillEnd):
                self._end(call, given)
                continue
            try:
                taken = spec.coerce(given)
            except BadAction as bad:
                raise SimulatorFault(f"{call} gave an action that is none: {bad}") from None
            self._taken += 1
            self._moved = True
            return taken
        if self._moved:
            return None
        # Else an agent could call for ever what ends at once, and no step would be taken.
        self._moved = True
        return held_action(spec, executed), False

    def _end(self, call: SkillCall, end: SkillEnd) -> None:
        if type(end.done) is not bool or type(end.why) is not str:
            raise SimulatorFault(f"{call} ended with {shown(end)}")
        self._taken = 0
        if end.done:
            self._done.append(self._calls.pop(0))
        else:
            self._failed, self._why = call, encodable(end.why[:MOST_WHY], None)
            self._calls = []


def _checked(objects: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(objects, Mapping) or not all(
        isinstance(kind, str) and isinstance(names, tuple) and all(type(n) is str for n in names)
        for kind, names in objects.items()
    ):
        raise SimulatorFault(f"skill_objects returns tuples of names by type, got {shown(objects)}")
    return dict(objects)
