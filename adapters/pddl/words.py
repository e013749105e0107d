"""Words and PDDL of a problem. The rules are told from the PDDL itself, so that they cannot say anything else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from adapters.pddl.strips import Atom, Domain, Ground, Problem, Schema

__all__ = ["instruction", "pddl", "problem_pddl", "sentences"]


def pddl(atom: Atom) -> str:
    """("on", "b1", "b2") -> "(on b1 b2)"."""
    return f"({' '.join(atom)})"


def sentences(domain: Domain, atoms: Iterable[Atom]) -> str:
    """The facts in words, one sentence each."""
    capital = {name: words[0].upper() + words[1:] for name, words in domain.facts.items()}
    return " ".join(f"{_said(capital, atom)}." for atom in atoms if atom[0] not in domain.untold)


def _said(words: Mapping[str, str], atom: Atom) -> str:
    return words[atom[0]].format(*atom[1:])


def instruction(domain: Domain, problem: Problem, ground: Ground) -> str:
    """The rules, the objects, the initial state and the goal, in words."""
    kinds: dict[str, list[str]] = {}
    for name, kind in problem.objects:
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
    """What an action is called, does, needs and changes, with capital letters for its parameters."""
    letters = {variable: variable[1:].upper() for variable, _ in schema.parameters}

    def spoken(atoms: Iterable[Atom]) -> str:
        return "; ".join(
            _said(domain.facts, tuple(letters.get(word, word) for word in atom)) for atom in atoms
        )

    named = (schema.name, *letters.values())
    rule = f"{pddl(named)}: {_said(domain.actions, named)}. Needed: {spoken(schema.needs)}. From then on: {spoken(schema.adds)}."
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
