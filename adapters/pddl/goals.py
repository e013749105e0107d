"""Other goals over the facts of a problem: those of further problems with the same objects."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from adapters.pddl.strips import Domain, Ground, Problem

__all__ = ["WITHOUT", "others"]

WITHOUT = ("elevator", "rovers", "visitall")
"""Domains whose problems ask for all that there is to do, or have objects of their own."""
DRAWS, MOST = 12, 2
"""How many problems are drawn for their goals, and how many goals are kept."""
BOUND = 20_000
"""States that the planner visits for each: a goal that it does not reach by then is left out."""


def others(
    domain: Domain, problem: Problem, ground: Ground, size: int, rng: np.random.Generator
) -> Mapping[str, tuple[Problem, Ground]]:
    """Id -> the problem with another goal, grounded.

    The planner reaches each of them, it does not hold yet, and a shortest plan for it does not
    reach the problem's own goal, nor the other way round.
    """
    found: dict[str, tuple[Problem, Ground]] = {}
    taken = [ground]
    for _ in range(DRAWS):
        drawn = domain.draw(rng, size)
        if len(found) == MOST or set(drawn.objects) != set(problem.objects):
            continue
        other = ground.with_goal(drawn.goal)
        if other is None or any(other.goal == each.goal for each in taken):
            continue
        if _ends_with(other, BOUND, ground) is False and _ends_with(ground, None, other) is False:
            taken.append(other)
            found[f"goal-{len(taken) - 1}"] = dataclasses.replace(problem, goal=drawn.goal), other
    return found


def _ends_with(planned: Ground, bound: int | None, other: Ground) -> bool | None:
    """Whether a shortest plan for one goal reaches the other; None where there is no plan."""
    plan = planned.shortest if bound is None else planned.plan(planned.init, bound)
    if not plan:
        return None
    state = planned.init
    for number in plan:
        after = planned.after(state, number)
        assert after is not None
        state = after
        if state & other.goal == other.goal:
            return True
    return False
