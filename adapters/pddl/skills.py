"""Ground actions as skills: each schema is one, and the problem's objects are its arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapters.pddl.strips import Domain, Ground, Problem, objects_of, types_of
from adapters.pddl.words import sentences
from harness.core import Skill, SkillCall

__all__ = ["calls_of", "lacking", "objects", "skills"]


def skills(domain: Domain) -> tuple[Skill, ...]:
    """One for each action schema, with its parameters' types as the PDDL has them."""
    found = []
    for schema in domain.schemas:
        names = [variable[1:] for variable, _ in schema.parameters]
        said = domain.actions[schema.name].format(*names)
        typed = tuple((name, _kind(kinds)) for name, (_, kinds) in zip(names, schema.parameters))
        found.append(Skill(schema.name, typed, said))
    return tuple(found)


def _kind(kinds: Sequence[str]) -> str:
    return " or ".join(kinds)


def objects(domain: Domain, problem: Problem) -> Mapping[str, tuple[str, ...]]:
    """Type of a parameter -> the objects of this problem that it may be, in their order."""
    named = [(name, types_of(domain, kind)) for name, kind in objects_of(domain, problem)]
    return {
        _kind(kinds): tuple(name for name, mine in named if mine.intersection(kinds))
        for schema in domain.schemas
        for _, kinds in schema.parameters
    }


def calls_of(ground: Ground, plan: Sequence[int]) -> tuple[SkillCall, ...]:
    """A plan, as numbers of actions, as calls."""
    atoms = [ground.actions[number] for number in plan]
    return tuple(SkillCall(atom[0], atom[1:]) for atom in atoms)


def lacking(domain: Domain, ground: Ground, state: int, call: SkillCall) -> str:
    """Why an action does not apply in this state, in English."""
    number = ground.numbers.get((call.skill, *call.arguments))
    if number is None:
        return "it can never be done with these objects"
    asked, needs, _, _ = ground.moves[number]
    parts = []
    wanted = [
        atom for place, atom in enumerate(ground.facts) if needs & ~state & asked & 1 << place
    ]
    barred = [
        atom for place, atom in enumerate(ground.facts) if asked & ~needs & state & 1 << place
    ]
    if wanted:
        parts.append(f"needed, and not so: {sentences(domain, wanted)}")
    if barred:
        parts.append(f"in its way: {sentences(domain, barred)}")
    return " ".join(parts)
