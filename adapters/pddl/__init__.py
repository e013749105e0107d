"""Classical planning in PDDL, played in words: eight domains, step by step or a whole plan at once.

Nothing has to be installed: the domains are PDDL text (adapters/pddl/domains), strips.py executes them and finds shortest plans. The
rules of the whole-plan mode are PlanBench's (arXiv 2206.10498): a plan counts when every action of it applies and the goal holds at its end.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping
from typing import Any

from adapters.pddl.domains import DOMAINS
from adapters.pddl.strips import Atom, Domain, Ground, Problem, ground
from harness.core import Adapter, Brief, Case, Task, Text, Texts, TimeStep, UserError, stream

__all__ = ["PddlAdapter"]

MODES = ("steps", "plan")
ACTION = re.compile(r"(?P<open>\()?\s*(?P<words>[a-z0-9-]+(?:\s+[a-z0-9-]+)*)\s*(?(open)\))")
"""`(stack b1 b2)` or `stack b1 b2`."""
MOST = 100_000
"""Characters of the longest view; the largest problem of the suites takes 8,000."""

_pack = struct.Struct("<I").pack


class PddlAdapter(Adapter):
    """One planning domain. `task.params`: `domain` (a name of DOMAINS), `sizes` (what each counts: see the domain's file) and `mode`.

    Case.seed -> problem: seed s has size `sizes[s % len(sizes)]`, so that every stretch of seeds is as hard; the rest is drawn from the stream
    of (domain, s). Both modes play the same problems. What is solved already is drawn again.

    mode `steps`: one ground action a step, say `(stack b1 b2)`; case and parentheses do not matter. Text that names no action, or one that
    does not apply now, does nothing and counts in `invalid_actions`. The episode ends when the goal is reached.
    mode `plan`: the only step is a whole plan, one action a line; empty lines and what follows a `;` are skipped. It is executed line by line,
    an invalid line doing nothing. Success: no line was invalid and the goal holds at the end.

    Views, each written when it is read:
        text        Text    what holds now and may change, in words; what never changes stands in the instruction
        pddl        Text    the domain and the problem in PDDL, its :init being the state now
        admissible  Texts   the actions that apply now, in PDDL (mode `steps` only)
    The instruction tells the rules, the objects, the initial state and the goal, in words made from the PDDL itself.

    Action: Text; its choices are the problem's actions, the first being the empty text, which does nothing. Reward: 1 at success.
    Metrics: `executable` (1 while no action was invalid), `invalid_actions`, `goals_met` (the share of the goal's facts that hold),
    `optimality` (C* / C: the length of a shortest plan by the number of actions given, invalid ones too; 0 without success), `size`.

    The expert is the planner of strips.py: breadth-first, so shortest; away from its plan it plans again. It gives up where its bound of
    states does not suffice, and `optimality` is left out then: neither happens at the suites' sizes.

    Raises UserError where a param does not exist.
    """

    @classmethod
    def affinity(cls, task: Task) -> str:
        """One kept adapter for all domains of a mode: it holds nothing but the episode."""
        return f"pddl/{task.params['mode']}"

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        """Always."""
        return True

    def __init__(self, task: Task) -> None:
        self._whole = task.params["mode"] == "plan"
        if task.params["mode"] not in MODES:
            raise UserError(f"task {task.id}: the mode is one of {', '.join(MODES)}, got {task.params['mode']!r}")
        self._gave_up = False
        views = {"text": self._text, "pddl": self._pddl}
        self._views = views if self._whole else {**views, "admissible": self._admissible}

    def reset(self, case: Case) -> TimeStep:
        """Draw the problem of `case.seed` and forget the last one."""
        params = case.task.params
        if params["domain"] not in DOMAINS:
            raise UserError(f"task {case.task.id}: there is no domain {params['domain']!r}; there are {', '.join(DOMAINS)}")
        sizes = params["sizes"]
        self._domain, self._size = DOMAINS[params["domain"]], sizes[case.seed % len(sizes)]
        self._problem = drawn(self._domain, case.seed, self._size)
        self._ground = ground(self._domain, self._problem)
        self._state, self._steps, self._invalid, self._gave_up = self._ground.init, 0, 0, False
        self._policy: dict[int, int] = {}
        self._instruction = instruction(self._domain, self._problem, self._ground, self._whole)
        self.brief = _brief(self._ground, self._whole)
        return self._seen(False)

    def step(self, action: Any) -> TimeStep:
        """Execute one action, or a whole plan."""
        given = self.brief.action.check(action)
        lines = [bare for line in given.splitlines() if (bare := line.partition(";")[0].strip())] if self._whole else [given]
        for line in lines:
            self._execute(line)
        ground = self._ground
        reached = self._state & ground.goal == ground.goal
        return self._seen(reached and not (self._whole and self._invalid))

    def _execute(self, line: str) -> None:
        self._steps += 1
        named = ACTION.fullmatch(line.strip().lower())
        number = self._ground.numbers.get(tuple(named["words"].split())) if named else None
        after = None if number is None else self._ground.after(self._state, number)
        if after is None:
            self._invalid += 1
        else:
            self._state = after

    def _seen(self, success: bool) -> TimeStep:
        goal = self._ground.goal
        metrics = {
            "executable": float(not self._invalid),
            "invalid_actions": float(self._invalid),
            "goals_met": self._ground.share(self._state),
            "optimality": 0.0,
            "size": float(self._size),
        }
        if success and (shortest := self._ground.shortest) is not None:
            metrics["optimality"] = len(shortest) / self._steps
        elif success:
            del metrics["optimality"]
        if self._gave_up:
            metrics["expert_gave_up"] = 1.0
        over = success or (self._whole and self._steps > 0)
        return TimeStep(self._views, self._instruction, float(success), over, False, success, metrics)
