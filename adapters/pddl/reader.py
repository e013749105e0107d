"""PDDL text -> action schemas. What the planner cannot carry out is refused by the feature's name.

Read are :strips, :typing with either, :negative-preconditions, :equality and :constants. The syntax
is that of PDDL 2.1 (Fox and Long, JAIR 20, 2003).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core import UserError

__all__ = ["Atom", "Schema", "check_sections", "read", "schema_of", "typed"]

Atom = tuple[str, ...]
"""A predicate and its arguments: ("on", "b1", "b2"); a ground action likewise."""

SECTIONS = ("domain", ":requirements", ":types", ":constants", ":predicates", ":action")
REFUSED: Mapping[str, str] = {
    "or": "disjunctive preconditions (or)",
    "imply": "implications (imply)",
    "forall": "quantifiers (forall)",
    "exists": "quantifiers (exists)",
    "when": "conditional effects (when)",
    "increase": "numeric effects and action costs (increase)",
    "decrease": "numeric effects (decrease)",
    "assign": "numeric effects (assign)",
    "scale-up": "numeric effects (scale-up)",
    "scale-down": "numeric effects (scale-down)",
    "<": "numeric conditions (<)",
    ">": "numeric conditions (>)",
    "<=": "numeric conditions (<=)",
    ">=": "numeric conditions (>=)",
    "preference": "preferences",
    "probabilistic": "probabilistic effects",
    ":functions": "numeric fluents and action costs (:functions)",
    ":derived": "derived predicates (:derived)",
    ":durative-action": "durative actions (:durative-action)",
    ":constraints": "constraints (:constraints)",
    ":process": "processes (:process)",
    ":event": "events (:event)",
}
"""The word by which a feature is known -> its name."""
SUPPORTED = (
    "there are conjunctions, negative preconditions, =, constants and types with either; compile "
    "the rest away, for example with the compilers of unified-planning"
)


@dataclass(frozen=True)
class Schema:
    """An action schema. In `needs` and `bars`, ("=", a, b) says that two arguments are the same."""

    name: str
    parameters: tuple[tuple[str, tuple[str, ...]], ...]
    """(variable, its types: more than one with either)."""
    needs: tuple[Atom, ...]
    """Preconditions: what must hold."""
    bars: tuple[Atom, ...]
    """Negative preconditions: what must not hold."""
    adds: tuple[Atom, ...]
    deletes: tuple[Atom, ...]


def refused(domain: str, word: str) -> UserError:
    """The refusal of a feature that `word` stands for."""
    return UserError(f"the PDDL domain {domain} uses {REFUSED.get(word, word)}: {SUPPORTED}")


def read(text: str) -> list[Any]:
    """Parse one s-expression into nested lists, in lower case and without comments.

    Raises UserError where the parentheses do not match.
    """
    words = re.findall(r"[()]|[^\s()]+", re.sub(r";[^\n]*", "", text).lower())
    depth = 0
    for number, word in enumerate(words, start=1):
        depth += {"(": 1, ")": -1}.get(word, 0)
        if depth <= 0 and (number < len(words) or depth < 0):
            raise UserError(f"the PDDL goes on after its last parenthesis, at {word!r}")
    if depth or not words:
        raise UserError(f"the PDDL lacks {depth or 1} closing parentheses at its end")
    tokens = iter(words)

    def inside() -> Iterator[Any]:
        for token in tokens:
            if token == ")":
                return
            yield list(inside()) if token == "(" else token

    found: list[Any] = next(inside())
    return found


def check_sections(content: Sequence[Any]) -> None:
    """Raises UserError if a domain has a part that would be left out."""
    domain = content[1][1]
    for part in content[1:]:
        if part[0] not in SECTIONS:
            raise refused(domain, part[0])


def typed(words: Sequence[Any]) -> list[tuple[str, tuple[str, ...]]]:
    """`a b - t c - (either s t) d` -> (a, (t,)), (b, (t,)), (c, (s, t)), (d, (object,))."""
    found: list[tuple[str, tuple[str, ...]]] = []
    waiting: list[str] = []
    source = iter(words)
    for word in source:
        if word == "-":
            kind = next(source)
            kinds = tuple(kind[1:]) if isinstance(kind, list) else (kind,)
            found += [(name, kinds) for name in waiting]
            waiting = []
        else:
            waiting.append(word)
    return found + [(name, ("object",)) for name in waiting]


def schema_of(part: Sequence[Any], domain: str, predicates: Sequence[str]) -> Schema:
    """The schema of an :action. Raises UserError for what is not supported, or not declared."""
    name = part[1]
    fields = dict(zip(part[2::2], part[3::2]))
    if ":effect" not in fields:
        raise UserError(f"the PDDL domain {domain}: the action {name} has no :effect")
    parameters = tuple(typed(fields.get(":parameters", [])))
    needs, bars = _split(fields.get(":precondition", []), domain)
    adds, deletes = _split(fields[":effect"], domain)
    variables = {variable for variable, _ in parameters}
    for atom in (*needs, *bars, *adds, *deletes):
        equality = atom[0] == "=" and atom in (*needs, *bars) and len(atom) == 3
        if atom[0] not in predicates and not equality:
            raise UserError(
                f"the PDDL domain {domain}: the action {name} speaks of ({' '.join(atom)}), which "
                ":predicates does not declare"
            )
        for word in atom[1:]:
            if word.startswith("?") and word not in variables:
                raise UserError(
                    f"the PDDL domain {domain}: the action {name} has no parameter {word}"
                )
    return Schema(name, parameters, needs, bars, adds, deletes)


def _split(expression: Sequence[Any], domain: str) -> tuple[tuple[Atom, ...], tuple[Atom, ...]]:
    """(atoms, negated atoms) of a conjunction."""
    plain: list[Atom] = []
    negated: list[Atom] = []
    for one in _conjuncts(expression):
        inner = one[1] if one[0] == "not" and len(one) == 2 else one
        word = inner[0] if inner else "()"
        nested = next((each[0] for each in inner if isinstance(each, list) and each), None)
        if word in REFUSED or nested is not None or word in ("not", "and"):
            raise refused(domain, word if word in REFUSED else f"({word} (...))")
        (plain if inner is one else negated).append(tuple(inner))
    return tuple(plain), tuple(negated)


def _conjuncts(expression: Sequence[Any]) -> Iterator[Sequence[Any]]:
    if not expression:
        return
    if expression[0] == "and":
        for one in expression[1:]:
            yield from _conjuncts(one)
    else:
        yield expression
