"""A problem in English and in PDDL. The rules are derived from the PDDL, so the two agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from adapters.pddl.reader import Atom, Schema
from adapters.pddl.strips import Domain, Ground, Problem, objects_of

__all__ = ["instruction", "pddl", "problem_pddl", "sentences"]


def pddl(atom: Atom) -> str:
    """("on", "b1", "b2") -> "(on b1 b2)"."""
    return f"({' '.join(atom)})"


def sentences(domain: Domain, atoms: Iterable[Atom]) -> str:
    """The facts as English sentences, one each."""
    capital = {name: words[0].upper() + words[1:] for name, words in domain.facts.items()}
    return " ".join(f"{_phrase(capital, atom)}." for atom in atoms if atom[0] not in domain.untold)


def _phrase(words: Mapping[str, str], atom: Atom) -> str:
    said = "{} is the same as {}" if atom[0] == "=" else words[atom[0]]
    return said.format(*atom[1:])


def instruction(domain: Domain, problem: Problem, ground: Ground) -> str:
    """The rules, the objects, the initial state and the goal in English."""
    kinds: dict[str, list[str]] = {}
    for name, kind in objects_of(domain, problem):
        kinds.setdefault(kind, []).append(name)
    objects = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in kinds.items())
    fixed = sentences(domain, ground.fixed)
    return "\n\n".join(
        (
            domain.about,
            "Actions:\n" + "\n".join(_rule(domain, schema) for schema in domain.schemas),
            f"Objects: {objects}.",
            f"At first: {sentences(domain, ground.holds(ground.init))}"
            + (f"\nThis never changes: {fixed}" if fixed else ""),
            f"Goal: {sentences(domain, problem.goal)}",
        )
    )


def _rule(domain: Domain, schema: Schema) -> str:
    """An action's name, meaning, preconditions and effects, its parameters as capital letters."""
    letters = {variable: variable[1:].upper() for variable, _ in schema.parameters}

    def spoken(atoms: Iterable[Atom]) -> str:
        return "; ".join(
            _phrase(domain.facts, tuple(letters.get(word, word) for word in atom)) for atom in atoms
        )

    named = (schema.name, *letters.values())
    rule = (
        f"{pddl(named)}: {_phrase(domain.actions, named)}. "
        f"Needed: {spoken(schema.needs) or 'nothing'}. "
        + (f"Must not hold: {spoken(schema.bars)}. " if schema.bars else "")
        + f"From then on: {spoken(schema.adds) or 'nothing new'}."
    )
    return f"{rule} No longer: {spoken(schema.deletes)}." if schema.deletes else rule


def problem_pddl(domain: Domain, problem: Problem, init: Iterable[Atom]) -> str:
    """The problem in PDDL, starting from the facts of `init`."""
    return "\n".join(
        (
            "(define (problem now)",
            f"  (:domain {domain.name})",
            f"  (:objects {' '.join(f'{name} - {kind}' for name, kind in problem.objects)})",
            f"  (:init {' '.join(map(pddl, init))})",
            f"  (:goal (and {' '.join(map(pddl, problem.goal))})))",
        )
    )
