"""ManiSkill's motion-planning solutions, cut into skills: pick up, place, insert, push, pull.

A solution is a fixed sequence of parts: it moves to a pose, or closes or opens the gripper. A skill
is some of them, `pick_up(peg)` the first three. The skills of a task are asked for in their order;
the first one begins the solution anew, from the real state, so that a plan may begin again.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from adapters.maniskill.expert import Expert, solution_of
from harness.core import Skill, SkillCall, SkillEnd

__all__ = ["Controller", "objects_of", "skills_of"]

WHAT = {
    "go_to": (("object",), "close the gripper and move it to where the object is pushed or pulled"),
    "pick_up": (("object",), "move above the object, grasp it and, where that is needed, lift it"),
    "hold_at": (("object", "place"), "bring the object that is held to the place and hold it"),
    "place_on": (("object", "place"), "put the object that is held on the place and let go"),
    "insert": (("object", "place"), "insert the object that is held into the place"),
    "stand_up": (("object",), "put the object that is held upright on the table and let go"),
    "push_to": (("object", "place"), "push the object to the place, or beside it"),
    "pull_to": (("object", "place"), "pull the object to the place"),
    "pull_with": (("object", "tool"), "pull the object closer with the tool that is held"),
}
"""Skill -> its parameters and what it does."""


@dataclass(frozen=True)
class Stage:
    """A skill of a task with its objects, and the parts of the solution that it is made of."""

    skill: str
    arguments: tuple[str, ...]
    parts: int
    grasps: str = ""
    """The environment's name of what is in the gripper after it; empty: that is not looked at."""


def _picked(name: str, attribute: str, parts: int) -> Stage:
    return Stage("pick_up", (name,), parts, attribute)


STAGES: Mapping[str, tuple[Stage, ...]] = {
    "PickCube-v1": (
        _picked("red cube", "cube", 3),
        Stage("hold_at", ("red cube", "goal"), 1),
    ),
    "StackCube-v1": (
        _picked("red cube", "cubeA", 4),
        Stage("place_on", ("red cube", "green cube"), 2),
    ),
    "PegInsertionSide-v1": (_picked("peg", "peg", 3), Stage("insert", ("peg", "hole"), 5)),
    "PlugCharger-v1": (
        _picked("charger", "charger", 3),
        Stage("insert", ("charger", "receptacle"), 3),
    ),
    "PlaceSphere-v1": (_picked("sphere", "obj", 4), Stage("place_on", ("sphere", "bin"), 2)),
    "PushCube-v1": (Stage("go_to", ("cube",), 2), Stage("push_to", ("cube", "goal region"), 1)),
    "PullCube-v1": (Stage("go_to", ("cube",), 2), Stage("pull_to", ("cube", "goal region"), 1)),
    "PullCubeTool-v1": (
        _picked("L-shaped tool", "l_shape_tool", 3),
        Stage("pull_with", ("cube", "L-shaped tool"), 4),
    ),
    "LiftPegUpright-v1": (_picked("peg", "peg", 3), Stage("stand_up", ("peg",), 4)),
    "StackPyramid-v1": (
        Stage("go_to", ("red cube",), 4),
        Stage("push_to", ("red cube", "green cube"), 1),
        # The solution opens the gripper on its way to the blue cube.
        _picked("blue cube", "cubeC", 5),
        Stage("place_on", ("blue cube", "red and green cubes"), 2),
    ),
}
"""Task -> its skills, in the order in which they are asked for."""
BESIDE_M = 0.07
"""StackPyramid: the solution leaves the red cube where it is, if its centre is not farther than
this from the green one's. It has no first two stages then, and needs no opening of the gripper."""
THING = "object"


def skills_of(name: str) -> tuple[Skill, ...]:
    """The skills of a task."""
    found = []
    for skill in dict.fromkeys(stage.skill for stage in STAGES.get(name, ())):
        parameters, what = WHAT[skill]
        found.append(Skill(skill, tuple((each, THING) for each in parameters), what))
    return tuple(found)


def objects_of(name: str) -> Mapping[str, tuple[str, ...]]:
    """The things of a task, in the words of its instruction."""
    named = (each for stage in STAGES.get(name, ()) for each in stage.arguments)
    return {THING: tuple(dict.fromkeys(named))}


class Controller:
    """Carries out the calls of one episode."""

    def __init__(self, name: str, env: Any) -> None:
        """`name` is a key of STAGES; `env` is the unwrapped environment."""
        self._name, self._env = name, env
        self._solution: _StagedSolution | None = None
        self._stages: tuple[Stage, ...] = ()
        """Of the solution that is under way."""
        self._next = 0
        """The stage that can be asked for."""

    def plan(self) -> tuple[SkillCall, ...]:
        """The calls of the whole solution, from the present state."""
        return tuple(SkillCall(stage.skill, stage.arguments) for stage in self._stages_now())

    def act(self, call: SkillCall, taken: int) -> np.ndarray | SkillEnd:
        """As Adapter.skill."""
        if taken == 0:
            refused = self._begin(call)
            if refused is not None:
                return refused
        stage = self._stages[self._next]
        assert self._solution is not None
        action = self._solution.advance(sum(each.parts for each in self._stages[: self._next + 1]))
        if action is not None:
            return action
        wrong = self._undone(stage)
        if wrong:
            self.close()
            return SkillEnd(False, wrong)
        self._next += 1
        return SkillEnd(True)

    def close(self) -> None:
        """End the solution that is under way."""
        if self._solution is not None:
            self._solution.close()
        self._solution, self._stages, self._next = None, (), 0

    def _stages_now(self) -> tuple[Stage, ...]:
        """The stages of a solution that begins in the present state."""
        stages = STAGES[self._name]
        if self._name != "StackPyramid-v1":
            return stages
        moved, beside = (getattr(self._env, each).pose.sp.p for each in ("cubeA", "cubeB"))
        if np.linalg.norm(moved - beside) > BESIDE_M:
            return stages
        return (_picked("blue cube", "cubeC", 4), stages[-1])

    def _begin(self, call: SkillCall) -> SkillEnd | None:
        """Make ready for a call; how it ends where nothing is to be done, or can be."""
        now = self._stages_now()
        if self._is(call, self._stages, self._next):
            return None
        if self._is(call, now, 0):
            self.close()
            self._stages, self._solution = now, _StagedSolution(self._name, self._env)
            return None
        known = STAGES[self._name]
        if not any(self._is(call, known, number) for number in range(len(known))):
            return SkillEnd(False, "it cannot be done with these objects")
        if not any(self._is(call, now, number) for number in range(len(now))):
            return SkillEnd(True)  # the red cube is beside the green one
        expected = self._stages[self._next :] or now
        wanted = SkillCall(expected[0].skill, expected[0].arguments)
        return SkillEnd(False, f"it cannot be done now: {wanted} comes first")

    @staticmethod
    def _is(call: SkillCall, stages: tuple[Stage, ...], number: int) -> bool:
        return number < len(stages) and (call.skill, call.arguments) == (
            stages[number].skill,
            stages[number].arguments,
        )

    def _undone(self, stage: Stage) -> str:
        """What is not as a stage was to bring about; empty: all is."""
        assert self._solution is not None
        if self._solution.lost:
            return "the motion planner finds no way"
        if stage.grasps:
            held = self._env.agent.is_grasping(getattr(self._env, stage.grasps))
            if not bool(held.any()):
                return f"the {stage.arguments[0]} is not in the gripper"
        return ""


class _StagedSolution(Expert):
    """A solution that rests before each part until it may go on."""

    def __init__(self, name: str, env: Any) -> None:
        super().__init__(name, env)
        self._parts = self._allowed = 0
        self._moved = False
        self.lost = False
        """Whether the last part found no way."""

    def advance(self, parts: int) -> np.ndarray | None:
        """The next action of the first `parts` parts; None where they are over."""
        self._allowed, self._moved = parts, False
        self.act()
        return self._action if self._moved else None

    def part(self) -> None:
        """Called by the solution's motion planner before each part: wait until it is allowed."""
        self._parts += 1
        while self._parts > self._allowed:
            self.rest()
        self.lost = False

    def step(self, action: Any) -> tuple[None, float, bool, bool, dict[str, Any]]:
        self._moved = True
        return super().step(action)

    def solution(self) -> Callable[..., Any]:
        """The package's function, with a motion planner that tells its parts."""
        found = solution_of(self._name)
        name = "PandaArmMotionPlanningSolver"
        ours = _telling(found.__globals__[name])
        # A copy of the function: the package's own module stays as it is.
        return types.FunctionType(
            found.__code__,
            {**found.__globals__, name: ours},
            found.__name__,
            found.__defaults__,
            found.__closure__,
        )


def _telling(solver: Any) -> Any:
    """A class of motion planner that tells its environment, a _StagedSolution, of each part."""

    class Telling(solver):  # type: ignore[misc]
        def move_to_pose_with_screw(self, pose: Any, dry_run: bool = False, **given: Any) -> Any:
            if dry_run:
                return super().move_to_pose_with_screw(pose, dry_run=True, **given)
            self.env.part()
            found = super().move_to_pose_with_screw(pose, **given)
            self.env.lost = isinstance(found, int)
            return found

        def open_gripper(self, **given: Any) -> Any:
            self.env.part()
            return super().open_gripper(**given)

        def close_gripper(self, **given: Any) -> Any:
            self.env.part()
            return super().close_gripper(**given)

    return Telling
