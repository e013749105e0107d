"""Classical planning in PDDL as a text game: eight domains, step by step or as one whole plan.

Nothing has to be installed: the domains are PDDL text (adapters/pddl/domains), and strips.py
executes them and finds shortest plans. The whole-plan mode uses PlanBench's rule (arXiv
2206.10498): a plan counts when all its actions apply and the goal holds at its end.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from typing import Any

from adapters._reached import Reached
from adapters.pddl import goals, skills
from adapters.pddl.domains import DOMAINS
from adapters.pddl.strips import Domain, Ground, Problem, ground
from adapters.pddl.words import instruction, pddl, problem_pddl, sentences
from harness.core import (
    GOAL,
    OWN,
    Adapter,
    Brief,
    Case,
    Goal,
    SimulatorPerturbation,
    Skill,
    SkillCall,
    SkillEnd,
    Spec,
    Task,
    Text,
    Texts,
    TimeStep,
    UserError,
    asked_goal,
    stream,
)

__all__ = ["PddlAdapter"]

ANSWER = {
    "steps": "Give one action at a time, written as above with objects in place of the capital "
    "letters. What does not apply does nothing.",
    "plan": "Give a whole plan: one action a line, written as above with objects in place of the "
    "capital letters. Every action must apply when its turn comes.",
}
"""The end of the instruction: what an answer looks like, by mode."""
MEANING = {
    "steps": "one action, (name object ...); the empty text does nothing",
    "plan": "a plan: one action a line, (name object ...)",
}
ACTION = re.compile(r"(?P<open>\()?\s*(?P<words>[a-z0-9-]+(?:\s+[a-z0-9-]+)*)\s*(?(open)\))")
"""`(stack b1 b2)` or `stack b1 b2`."""
STAGES = (
    "a quarter of the goal",
    "half of the goal",
    "three quarters of the goal",
    "all of the goal",
)
"""How many of the goal's facts hold that did not at the start."""
LONGEST_VIEW = 100_000
"""Characters of the longest view; `pddl` needs at most 3,903 in the suites' first 100 seeds."""

_pack = struct.Struct("<I").pack


class PddlAdapter(Adapter):
    """One planning domain.

    `task.params`: `domain` (a key of DOMAINS), `sizes` (see the domain's file for what is counted)
    and `mode` (`steps` or `plan`).

    Case.seed -> problem: seed s has size `sizes[s % len(sizes)]`, so that every range of seeds is
    equally hard; the rest is drawn from the stream of (domain, size, s). Both modes play the same
    problems. A problem that is already solved is redrawn.

    Mode `steps`: one ground action a step, such as `(stack b1 b2)`; case and parentheses do not
    matter. Text that names no action, or one that does not apply now, does nothing and counts in
    `invalid_actions`. The episode ends when the goal is reached.
    Mode `plan`: the only step is a whole plan, one action a line; empty lines and everything after
    a `;` are skipped. It is executed line by line, and an invalid line does nothing. Success: no
    line was invalid and the goal holds at the end.

    Views, computed when read:
        text        Text    the facts that hold now and may change, in English; the instruction
                            lists the static ones
        pddl        Text    the domain and the problem in PDDL, with the current state as :init
        admissible  Texts   the actions that apply now, in PDDL (mode `steps` only)
    The instruction states the rules, the objects, the initial state and the goal in English that is
    generated from the PDDL.

    Action: Text; its choices are the problem's actions, preceded by the empty text, the no-op.
    Reward: 1 at success.
    Metrics: `executable` (1 while no action was invalid), `invalid_actions`, `goals_met` (the
    fraction of the goal's facts that hold), `optimality` (C* / C: the length of a shortest plan
    divided by the number of actions given, including invalid ones; 0 without success), `size`.

    The expert is the breadth-first planner of strips.py, so its plans are shortest; off its plan it
    plans again. It gives up where its bound on states does not suffice, and `optimality` is then
    absent; neither happens at the suites' sizes.

    Skills, in mode `steps`: the domain's action schemas, with the problem's objects as arguments.
    A call is one action; one that does not apply ends with what it lacks.

    Raises UserError on an unknown param value.
    """

    start_kind = "countable"
    redraws = False
    privileged_skills = False
    goal_views = ("pddl",)

    @classmethod
    def env_key(cls, task: Task) -> str:
        """One kept adapter serves all domains of a mode: it holds nothing but the episode."""
        return f"pddl/{task.params['mode']}"

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        return True

    @classmethod
    def skills(cls, task: Task) -> tuple[Skill, ...]:
        whole = task.params["mode"] == "plan"
        return () if whole else skills.skills(DOMAINS[task.params["domain"]])

    @classmethod
    def stages(cls, task: Task) -> tuple[str, ...]:
        return STAGES

    @classmethod
    def failure_modes(cls, task: Task) -> tuple[str, ...]:
        return ("stopped_early",)

    @classmethod
    def simulator_perturbations(cls, task: Task | None = None) -> tuple[SimulatorPerturbation, ...]:
        without = task is not None and task.params["domain"] in goals.WITHOUT
        return () if without else (GOAL,)

    def __init__(self, task: Task) -> None:
        self._mode = task.params["mode"]
        if self._mode not in ANSWER:
            raise UserError(
                f"task {task.id}: the mode is one of {', '.join(ANSWER)}, got {self._mode!r}"
            )
        self._views: Mapping[str, Callable[[], Any]] = {"text": self._text, "pddl": self._pddl}
        if self._mode == "steps":
            self._views = {**self._views, "admissible": self._admissible}

    def reset(self, case: Case) -> TimeStep:
        name, sizes = case.task.params["domain"], case.task.params["sizes"]
        if name not in DOMAINS:
            raise UserError(
                f"task {case.task.id}: there is no planning domain {name!r}; "
                f"there are {', '.join(DOMAINS)}"
            )
        self._domain, self._size = DOMAINS[name], sizes[case.seed % len(sizes)]
        self._problem = _draw_problem(self._domain, self._size, case.seed)
        self._ground = ground(self._domain, self._problem)
        self._own = self._ground
        self._others: Mapping[str, tuple[Problem, Ground]] | None = None
        if case.simulator_perturbation(GOAL.name) is not None:
            asked = asked_goal(case, self.other_goals(case))
            if asked is not None:
                self._problem, self._ground = self._others_of(case)[asked.id]
        self._state, self._given, self._invalid, self._gave_up = self._ground.init, 0, 0, False
        self._policy: dict[int, int] = {}
        self._reached = Reached()
        self._instruction = self._told(self._problem, self._ground)
        self._action = Text(
            choices=("", *map(pddl, self._ground.actions)), meaning=MEANING[self._mode]
        )
        self.brief = self._brief()
        return self._timestep(over=False, success=False)

    def step(self, action: Any) -> TimeStep:
        given = self._action.validate(action)
        whole = self._mode == "plan"
        lines = [given]
        if whole:
            stripped = (line.partition(";")[0].strip() for line in given.splitlines())
            lines = [line for line in stripped if line]
        for line in lines:
            self._execute(line)
        goal = self._ground.goal
        success = self._state & goal == goal and not (whole and self._invalid)
        return self._timestep(over=whole or success, success=success)

    def _execute(self, line: str) -> None:
        self._given += 1
        named = ACTION.fullmatch(line.strip().lower())
        number = self._ground.numbers.get(tuple(named["words"].split())) if named else None
        after = None if number is None else self._ground.after(self._state, number)
        if after is None:
            self._invalid += 1
        else:
            self._state = after

    def _timestep(self, *, over: bool, success: bool) -> TimeStep:
        metrics = {
            "executable": float(not self._invalid),
            "invalid_actions": float(self._invalid),
            "goals_met": self._ground.share(self._state),
            "size": float(self._size),
        }
        shortest = self._ground.shortest if success else []
        if shortest is not None:
            metrics["optimality"] = len(shortest) / self._given if success else 0.0
        if self._gave_up:
            metrics["expert_gave_up"] = 1.0
        return TimeStep(
            self._views, self._instruction, float(success), over, False, success, metrics
        )

    def expert(self, executed: Any) -> str | None:
        if self._state not in self._policy and not self._gave_up:
            ground, state = self._ground, self._state
            plan = ground.shortest if state == ground.init else ground.plan(state)
            self._gave_up = plan is None
            # The plan as a policy: each state on its way maps to the action that leads on.
            for number in plan or ():
                self._policy[state] = number
                after = ground.after(state, number)
                assert after is not None
                state = after
        if self._gave_up:
            return None
        if self._mode == "plan":
            return "\n".join(pddl(self._ground.actions[number]) for number in self._policy.values())
        return pddl(self._ground.actions[self._policy[self._state]])

    def skill_objects(self) -> Mapping[str, tuple[str, ...]]:
        return skills.objects(self._domain, self._problem)

    def skill(self, call: SkillCall, taken: int, executed: Any) -> str | SkillEnd:
        if taken == 0:
            self._before = self._invalid
            self._lacks = skills.lacking(self._domain, self._ground, self._state, call)
            return pddl((call.skill, *call.arguments))
        return SkillEnd(True) if self._invalid == self._before else SkillEnd(False, self._lacks)

    def expert_plan(self) -> tuple[SkillCall, ...] | None:
        ground, state = self._ground, self._state
        plan = ground.shortest if state == ground.init else ground.plan(state)
        return None if plan is None else skills.calls_of(ground, plan)

    def stage(self) -> int:
        ground = self._ground
        wanted = ground.goal & ~ground.init
        share = bin(self._state & wanted).count("1") / bin(wanted).count("1")
        whole = len(STAGES)
        # The last one is the success, which a plan with an action that did not apply is not.
        return self._reached.note(*(share >= number / whole for number in range(1, whole)))

    def failure_mode(self) -> tuple[str, ...]:
        whole = self._mode == "plan" and self._given > 0
        return ("stopped_early",) if whole and not self._invalid else ()

    def other_goals(self, case: Case) -> tuple[Goal, ...]:
        """The goals of other problems of the domain with these objects, see goals.py."""
        return tuple(
            Goal(name, self._told(problem, ground))
            for name, (problem, ground) in self._others_of(case).items()
        )

    def _others_of(self, case: Case) -> Mapping[str, tuple[Problem, Ground]]:
        if self._others is None:
            own = self._problem, self._ground
            self._others = goals.others(self._domain, *own, self._size, case.rng("other goals"))
        return self._others

    def goals_met(self, executed: Any) -> tuple[str, ...]:
        if self._mode == "plan" and self._invalid:
            return ()
        every = {OWN: self._own, **{n: each for n, (_, each) in (self._others or {}).items()}}
        return tuple(n for n, each in every.items() if self._state & each.goal == each.goal)

    def _told(self, problem: Problem, ground: Ground) -> str:
        return f"{instruction(self._domain, problem, ground)}\n\n{ANSWER[self._mode]}"

    def state(self) -> bytes:
        return self._state.to_bytes(self._ground.size, "little") + _pack(self._invalid)

    def _brief(self) -> Brief:
        texts: dict[str, Spec] = {
            "text": Text(LONGEST_VIEW, meaning="what holds now, of all that may change, in words"),
            "pddl": Text(
                LONGEST_VIEW,
                meaning="the domain and the problem in PDDL (:strips, :typing), "
                "its :init being what holds now",
            ),
            "admissible": Texts("the actions that apply now, in PDDL"),
        }
        return Brief(
            observation={view: texts[view] for view in self._views},
            action=self._action,
            embodiment="no body: actions are given in words, as a name and its objects, "
            "and change which facts hold",
            simulator="a classical planning world: everything is known, nothing happens by chance",
        )

    def _text(self) -> str:
        return sentences(self._domain, self._ground.holds(self._state))

    def _pddl(self) -> str:
        init = (*self._ground.holds(self._state), *self._ground.fixed)
        return f"{self._domain.pddl.strip()}\n\n{problem_pddl(self._domain, self._problem, init)}"

    def _admissible(self) -> tuple[str, ...]:
        return tuple(
            pddl(self._ground.actions[number]) for number in self._ground.applicable(self._state)
        )


def _draw_problem(domain: Domain, size: int, seed: int) -> Problem:
    """The first problem of the stream that is not already solved."""
    rng = stream("pddl", domain.name, size, seed)
    while (problem := domain.draw(rng, size)).solved():
        pass
    return problem
