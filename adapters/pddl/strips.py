"""STRIPS in memory: a PDDL reader, grounded actions, states as integers, and an optimal planner.

A state is an int: bit k is set where fact k holds. An action applies where all its preconditions
hold; it removes its delete effects, then adds its add effects, in the order that PDDL prescribes
(Fox and Long, JAIR 20, 2003). Nothing depends on hashes, the clock or randomness: facts and
actions stand in the order of the domain's text and of the problem's objects.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Atom", "Domain", "Ground", "Problem", "Schema", "ground", "read"]

Atom = tuple[str, ...]
"""A predicate and its arguments: ("on", "b1", "b2"); a ground action likewise."""
BOUND = 200_000
"""States that the planner visits before it gives up: a count and not a time, so that it gives up at
the same point on every machine."""


@dataclass(frozen=True)
class Schema:
    """An action schema: parameters (variable, type), preconditions, add and delete effects."""

    name: str
    parameters: tuple[tuple[str, str], ...]
    needs: tuple[Atom, ...]
    adds: tuple[Atom, ...]
    deletes: tuple[Atom, ...]


@dataclass(frozen=True)
class Problem:
    """Objects (name, type), the facts of the initial state, and those of the goal."""

    objects: tuple[tuple[str, str], ...]
    init: tuple[Atom, ...]
    goal: tuple[Atom, ...]

    def solved(self) -> bool:
        """Whether the goal holds in the initial state."""
        return set(self.goal) <= set(self.init)


@dataclass(frozen=True, eq=False)
class Domain:
    """A planning domain: PDDL (:strips and :typing only), wording and problem generator."""

    pddl: str
    about: str
    """The world in a sentence or two."""
    facts: Mapping[str, str]
    """The wording of each predicate; `{0}`, `{1}`, ... are its arguments."""
    actions: Mapping[str, str]
    """The wording of each action, likewise."""
    draw: Callable[[np.random.Generator, int], Problem]
    """Draws a solvable problem of the given size, which may be solved already."""
    untold: tuple[str, ...] = ()
    """Static predicates that `about` and the objects' names imply: not listed among the facts."""

    @functools.cached_property
    def name(self) -> str:
        """The name in the PDDL."""
        return str(read(self.pddl)[1][1])

    @functools.cached_property
    def schemas(self) -> tuple[Schema, ...]:
        """The action schemas, in the order of the text."""
        return tuple(_schema(part) for part in read(self.pddl) if part[0] == ":action")

    @functools.cached_property
    def parents(self) -> Mapping[str, str]:
        """The parent of each type."""
        return {
            name: kind
            for part in read(self.pddl)
            if part[0] == ":types"
            for name, kind in _typed(part[1:])
        }

    @functools.cached_property
    def predicates(self) -> tuple[str, ...]:
        """The names of the predicates, in the order of the text."""
        return tuple(
            one[0] for part in read(self.pddl) if part[0] == ":predicates" for one in part[1:]
        )


def read(text: str) -> list[Any]:
    """Parse one s-expression into nested lists, in lower case and without comments."""
    tokens = iter(re.findall(r"[()]|[^\s()]+", re.sub(r";[^\n]*", "", text).lower()))

    def inside() -> Iterator[Any]:
        for token in tokens:
            if token == ")":
                return
            yield list(inside()) if token == "(" else token

    return next(inside())


def _typed(words: Sequence[str]) -> list[tuple[str, str]]:
    """`a b - t c` -> (a, t), (b, t), (c, object)."""
    typed: list[tuple[str, str]] = []
    waiting: list[str] = []
    source = iter(words)
    for word in source:
        if word == "-":
            kind = next(source)
            typed += [(name, kind) for name in waiting]
            waiting = []
        else:
            waiting.append(word)
    return typed + [(name, "object") for name in waiting]


def _conjuncts(expression: list[Any]) -> list[list[Any]]:
    return expression[1:] if expression[0] == "and" else [expression]


def _schema(part: list[Any]) -> Schema:
    fields = dict(zip(part[2::2], part[3::2]))
    effects = _conjuncts(fields[":effect"])
    return Schema(
        name=part[1],
        parameters=tuple(_typed(fields[":parameters"])),
        needs=tuple(tuple(one) for one in _conjuncts(fields[":precondition"])),
        adds=tuple(tuple(one) for one in effects if one[0] != "not"),
        deletes=tuple(tuple(one[1]) for one in effects if one[0] == "not"),
    )


class Ground:
    """A grounded problem: every action instance that could ever apply.

    `facts[k]` is the atom of bit k; static facts have no bit. `actions[k]` is the atom of action k,
    and `moves[k]` its bit masks (needs, keeps, adds): it applies in a state s where
    s & needs == needs, and leads to s & keeps | adds.

    Raises ValueError where an atom of the goal can never hold.
    """

    def __init__(self, domain: Domain, problem: Problem) -> None:
        found = _reachable(domain, problem)
        changing = {atom for _, _, adds, deletes in found for atom in (*adds, *deletes)}
        places = {
            name: place
            for place, name in enumerate(
                (*domain.predicates, *(name for name, _ in problem.objects))
            )
        }
        self.facts = sorted(changing, key=lambda atom: [places[word] for word in atom])
        self._bits = {atom: 1 << place for place, atom in enumerate(self.facts)}
        self.actions = [action for action, *_ in found]
        self.numbers = {action: number for number, action in enumerate(self.actions)}
        self.moves = [
            (self._mask(needs), ~self._mask(deletes), self._mask(adds))
            for _, needs, adds, deletes in found
        ]
        self.init = self._mask(problem.init)
        self.goal = self._mask(problem.goal)
        if lost := [
            atom for atom in problem.goal if atom not in changing and atom not in problem.init
        ]:
            raise ValueError(f"no action can bring about {lost}")
        self.fixed = tuple(atom for atom in problem.init if atom not in changing)
        self.size = (len(self.facts) + 7) // 8
        """Bytes per state."""

    def _mask(self, atoms: Iterable[Atom]) -> int:
        return sum({self._bits.get(atom, 0) for atom in atoms})

    def applicable(self, state: int) -> list[int]:
        """The numbers of the actions that apply, in order."""
        return [number for number, (needs, _, _) in enumerate(self.moves) if state & needs == needs]

    def after(self, state: int, number: int) -> int | None:
        """The next state, or None where the action does not apply."""
        needs, keeps, adds = self.moves[number]
        return state & keeps | adds if state & needs == needs else None

    def holds(self, state: int) -> list[Atom]:
        """The facts that hold and may change, in order."""
        return [atom for place, atom in enumerate(self.facts) if state >> place & 1]

    def share(self, state: int) -> float:
        """The fraction of the goal's facts that hold."""
        return (state & self.goal).bit_count() / self.goal.bit_count()

    def plan(self, state: int, bound: int = BOUND) -> list[int] | None:
        """A shortest plan from `state`; None if there is none or the search exceeds `bound` states.

        Breadth-first search, so the first plan found is a shortest one; among several it is the
        first in the order of actions. Facts that neither an action nor the goal needs are masked
        out, so that states which differ only in them count once.
        """
        goal, relevant = self.goal, self.goal
        for needs, _, _ in self.moves:
            relevant |= needs
        moves = [
            (number, needs, keeps, adds & relevant)
            for number, (needs, keeps, adds) in enumerate(self.moves)
        ]
        start = state & relevant
        came: dict[int, tuple[int, int]] = {start: (start, -1)}
        queue = deque([start])
        while queue and goal & ~start:
            here = queue.popleft()
            for number, needs, keeps, adds in moves:
                if here & needs == needs:
                    there = here & keeps | adds
                    if there not in came:
                        came[there] = here, number
                        if there & goal == goal:
                            return _back(came, there)
                        queue.append(there)
            if len(came) > bound:
                return None
        return None if goal & ~start else []

    @functools.cached_property
    def shortest(self) -> list[int] | None:
        """`plan` from the initial state, computed once."""
        return self.plan(self.init)


def _back(came: Mapping[int, tuple[int, int]], state: int) -> list[int]:
    numbers = []
    while (step := came[state])[1] >= 0:
        state = step[0]
        numbers.append(step[1])
    return numbers[::-1]


Instance = tuple[Atom, tuple[Atom, ...], tuple[Atom, ...], tuple[Atom, ...]]
"""(action, preconditions, add effects, delete effects)."""


def _reachable(domain: Domain, problem: Problem) -> list[Instance]:
    """Every action instance that applies if delete effects are ignored; no other can ever apply."""
    kinds: dict[str, list[str]] = {}
    for name, kind in problem.objects:
        above: str | None = kind
        while above is not None:
            kinds.setdefault(above, []).append(name)
            above = domain.parents.get(above, None if above == "object" else "object")
    waiting: list[Instance] = []
    for schema in domain.schemas:
        variables = [variable for variable, _ in schema.parameters]
        for chosen in itertools.product(*(kinds.get(kind, []) for _, kind in schema.parameters)):
            values = dict(zip(variables, chosen))
            needs, adds, deletes = (
                tuple(tuple(values.get(word, word) for word in atom) for atom in part)
                for part in (schema.needs, schema.adds, schema.deletes)
            )
            waiting.append(((schema.name, *chosen), needs, adds, deletes))
    known: set[Atom] = set(problem.init)
    usable: set[Atom] = set()
    # The fixed point of the delete relaxation: facts accumulate until no further action applies.
    while True:
        new = [one for one in waiting if one[0] not in usable and known.issuperset(one[1])]
        if not new:
            return [one for one in waiting if one[0] in usable]
        usable.update(one[0] for one in new)
        known.update(atom for one in new for atom in one[2])


@functools.lru_cache(maxsize=64)
def ground(domain: Domain, problem: Problem) -> Ground:
    """The grounded problem, cached with its shortest plan: both modes and all compared agents play
    the same problems."""
    return Ground(domain, problem)
