"""Other missions of a BabyAI level's own grammar, about objects that are in the very scene.

A mission is a tree of clauses, each about one object or two. Another one is the same tree with
another object in one place, named as precisely: by its type and colour, or by the one of them that
the mission names.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from adapters import _worded_levels, _worded_sentences
from harness.core import OWN, Case, Goal

__all__ = ["Missions"]

MOST = 16
"""Other missions of a scene at most."""
PLACES = ("desc", "desc_move", "desc_fixed")
"""The attributes of a clause that describe an object."""
THINGS = ("ball", "box", "key", "door")


class Missions:
    """The own mission of an episode and the others, each with a verifier of its own.

    Made right after the environment's reset, before anything is asked of it.
    """

    def __init__(self, env: Any, level: str, split: str, case: Case) -> None:
        """`split`: of the sentences of a worded level."""
        self._env = env
        self._own: Any = _copied(env.instrs)
        self._own.reset_verifier(env)
        self._verifiers = {OWN: self._own}
        self.others: tuple[Goal, ...] = ()
        found: dict[str, tuple[Goal, Any]] = {}
        for differs, mission in _variants(env):
            said = _sentence(env, level, split, mission)
            if said and said != env.mission and said not in found and _begins(env, level, mission):
                goal = Goal(f"goal-{len(found) + 1}", said, differs)
                found[said] = goal, mission
        # Of many missions some are chosen, the same at every reset.
        rng = case.rng("other goals")
        chosen = sorted(rng.permutation(len(found))[:MOST].tolist())
        for goal, mission in [list(found.values())[number] for number in chosen]:
            self.others += (goal,)
            self._verifiers[goal.id] = mission

    def ask(self, goal: Goal) -> None:
        """Let the environment ask for another goal."""
        mission = _copied(self._verifiers[goal.id])
        mission.reset_verifier(self._env)
        self._env.instrs = mission
        self._env.surface = self._env.mission = goal.instruction

    def met(self, executed: Any) -> tuple[str, ...]:
        """As Adapter.goals_met."""
        env = self._env
        if executed is None:
            # A mission of several clauses counts them one by one, from the first action on.
            leaves = {name: each for name, each in self._verifiers.items() if _is_clause(each)}
            return tuple(n for n, each in leaves.items() if each.verify(None) == "success")
        found = []
        for name, mission in self._verifiers.items():
            if executed == env.actions.drop:
                env.update_objs_poss(mission)
            if mission.verify(executed) == "success":
                found.append(name)
        return tuple(found)


def _is_clause(mission: Any) -> bool:
    return not hasattr(mission, "instr_a")


def _copied(mission: Any) -> Any:
    """The same mission with a memory of its own."""
    new = copy.copy(mission)
    for name in ("instr_a", "instr_b"):
        if hasattr(mission, name):
            setattr(new, name, _copied(getattr(mission, name)))
    for name in PLACES:
        if hasattr(mission, name):
            setattr(new, name, copy.copy(getattr(mission, name)))
    return new


def _clauses(mission: Any) -> Iterator[Any]:
    if _is_clause(mission):
        yield mission
    else:
        yield from _clauses(mission.instr_a)
        yield from _clauses(mission.instr_b)


def _variants(env: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(in which words it differs, the mission) of all that name another object in one place."""
    from minigrid.envs.babyai.core.verifier import ObjDesc

    there = sorted(
        {(each.type, each.color) for each in env.grid.grid if each and each.type in THINGS}
    )
    for number, clause in enumerate(_clauses(env.instrs)):
        for place in PLACES:
            own = getattr(clause, place, None)
            if own is None or (own.type is None and own.color is None):
                continue
            named = {
                (kind if own.type else None, colour if own.color else None)
                for kind, colour in there
                if place == "desc_fixed" or _fits(clause, kind)
            }
            for kind, colour in sorted(named, key=str):
                differs: tuple[str, ...] = ("object",) if kind != own.type else ()
                differs += ("colour",) if colour != own.color else ()
                if not differs:
                    continue
                mission = _copied(env.instrs)
                changed = [*_clauses(mission)][number]
                setattr(changed, place, ObjDesc(kind, colour))
                mission.reset_verifier(env)
                before, now = own.obj_set, getattr(changed, place).obj_set
                if now and not any(one is other for one in before for other in now):
                    yield differs, mission


def _fits(clause: Any, kind: str) -> bool:
    """Whether what a clause does can be done to an object of a type."""
    from minigrid.envs.babyai.core.verifier import GoToInstr, OpenInstr

    if isinstance(clause, GoToInstr):
        return True
    return (kind == "door") == isinstance(clause, OpenInstr)


def _begins(env: Any, level: str, mission: Any) -> bool:
    """Whether a mission could begin here: nothing of it is done, and the level allows it."""
    from minigrid.envs.babyai.core.roomgrid_level import RejectSampling

    clauses = [*_clauses(mission)]
    if any(clause.verify(None) == "success" for clause in clauses):
        return False
    if len({clause.surface(env) for clause in clauses}) < len(clauses):
        return False  # one thing asked for twice
    if _worded_levels.escapes(level):
        near = _worded_levels.steps_between(env.agent_pos, mission.desc.obj_set[0].cur_pos)
        return near <= _worded_levels.NEAR and bool(
            _worded_levels.way_out(env, mission.desc.obj_set[0])
        )
    try:
        env.validate_instrs(mission)
    except (RejectSampling, AssertionError):
        return False
    return True


def _sentence(env: Any, level: str, split: str, mission: Any) -> str:
    """How a mission is said; empty where the level has no sentence for it."""
    if not level.startswith(_worded_levels.PREFIX):
        return str(mission.surface(env))
    known = _worded_sentences.objects_of(env.kind, split)
    said = known.get((mission.desc.type, mission.desc.color), ())
    verb, noun = env.mission.split(" the ")[0], env.mission.split()[-1]
    # As few other words as there can be.
    alike = sorted(
        said, key=lambda each: (not each.startswith(f"{verb} the "), each.split()[-1] != noun, each)
    )
    return alike[0] if alike else ""
