"""STRIPS in memory: grounded actions, states as integers, and an optimal planner.

A state is an int: bit k is set where fact k holds. An action applies where all its preconditions
hold and none of its negative ones does; it removes its delete effects, then adds its add effects,
in the order that PDDL prescribes (Fox and Long, JAIR 20, 2003). Nothing depends on hashes, the
clock or randomness: facts and actions stand in the order of the domain's text and of the problem's
objects.
"""

from __future__ import annotations

import copy
import functools
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from adapters.pddl.reader import Atom, Schema, check_sections, read, schema_of, typed
from harness.core import UserError

__all__ = ["Atom", "Domain", "Ground", "Problem", "Schema", "ground", "objects_of", "types_of"]

BOUND = 200_000
"""States that the planner visits before it gives up: a count and not a time, so that it gives up at
the same point on every machine."""


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
    """A planning domain: PDDL (what reader.py supports), wording and problem generator."""

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
    def _content(self) -> list[Any]:
        content = read(self.pddl)
        check_sections(content)
        return content

    def _sections(self, name: str) -> list[Any]:
        """What all sections of a name hold."""
        return [one for part in self._content[1:] if part[0] == name for one in part[1:]]

    @functools.cached_property
    def name(self) -> str:
        """The name in the PDDL."""
        return str(self._content[1][1])

    @functools.cached_property
    def schemas(self) -> tuple[Schema, ...]:
        """The action schemas, in the order of the text.

        Raises UserError where the PDDL has a feature that is not supported.
        """
        return tuple(
            schema_of(part, self.name, self.predicates)
            for part in self._content[1:]
            if part[0] == ":action"
        )

    @functools.cached_property
    def parents(self) -> Mapping[str, tuple[str, ...]]:
        """The parents of each type."""
        return dict(typed(self._sections(":types")))

    @functools.cached_property
    def constants(self) -> tuple[tuple[str, str], ...]:
        """The objects of every problem (name, type)."""
        return tuple((name, kinds[0]) for name, kinds in typed(self._sections(":constants")))

    @functools.cached_property
    def predicates(self) -> tuple[str, ...]:
        """The names of the predicates, in the order of the text."""
        return tuple(one[0] for one in self._sections(":predicates"))


class Ground:
    """A grounded problem: every action instance that could ever apply.

    `facts[k]` is the atom of bit k; static facts have no bit. `actions[k]` is the atom of action k,
    and `moves[k]` its bit masks (asked, needs, keeps, adds): it applies in a state s where
    s & asked == needs, and leads to s & keeps | adds.

    Raises ValueError where an atom of the goal can never hold, and UserError where the PDDL has a
    feature that is not supported.
    """

    def __init__(self, domain: Domain, problem: Problem) -> None:
        found = _reachable(domain, problem)
        while True:
            changing = {atom for one in found for atom in (*one.adds, *one.deletes)}
            always = set(problem.init) - changing
            kept = [one for one in found if not always.intersection(one.bars)]
            if len(kept) == len(found):
                break
            found = kept
        words = (*domain.predicates, *(name for name, _ in objects_of(domain, problem)))
        places = {name: place for place, name in enumerate(words)}
        if unknown := {word for atom in changing for word in atom} - places.keys():
            raise UserError(
                f"the PDDL domain {domain.name} speaks of {', '.join(sorted(unknown))}, which is "
                "neither a constant nor an object of the problem"
            )
        self.facts = sorted(changing, key=lambda atom: [places[word] for word in atom])
        self._bits = {atom: 1 << place for place, atom in enumerate(self.facts)}
        self.actions = [one.action for one in found]
        self.numbers = {action: number for number, action in enumerate(self.actions)}
        self.moves = [
            (
                self._mask((*one.needs, *one.bars)),
                self._mask(one.needs),
                ~self._mask(one.deletes),
                self._mask(one.adds),
            )
            for one in found
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

    def with_goal(self, goal: Iterable[Atom]) -> Ground | None:
        """The same problem with another goal; None where an atom of it is no fact that changes."""
        if any(atom not in self._bits for atom in goal):
            return None
        other = copy.copy(self)
        other.__dict__.pop("shortest", None)
        other.goal = self._mask(goal)
        return other

    def _mask(self, atoms: Iterable[Atom]) -> int:
        return sum({self._bits.get(atom, 0) for atom in atoms})

    def applicable(self, state: int) -> list[int]:
        """The numbers of the actions that apply, in order."""
        return [
            number
            for number, (asked, needs, _, _) in enumerate(self.moves)
            if state & asked == needs
        ]

    def after(self, state: int, number: int) -> int | None:
        """The next state, or None where the action does not apply."""
        asked, needs, keeps, adds = self.moves[number]
        return state & keeps | adds if state & asked == needs else None

    def holds(self, state: int) -> list[Atom]:
        """The facts that hold and may change, in order."""
        return [atom for place, atom in enumerate(self.facts) if state >> place & 1]

    def share(self, state: int) -> float:
        """The fraction of the goal's facts that hold; 1 if the goal has none that can change."""
        wanted = bin(self.goal).count("1")
        return bin(state & self.goal).count("1") / wanted if wanted else 1.0

    def plan(self, state: int, bound: int = BOUND) -> list[int] | None:
        """A shortest plan from `state`; None if there is none or the search exceeds `bound` states.

        Breadth-first search, so the first plan found is a shortest one; among several it is the
        first in the order of actions. Facts that neither an action nor the goal needs are masked
        out, so that states which differ only in them count once.
        """
        goal, relevant = self.goal, self.goal
        for asked, _, _, _ in self.moves:
            relevant |= asked
        moves = [
            (number, asked, needs, keeps, adds & relevant)
            for number, (asked, needs, keeps, adds) in enumerate(self.moves)
        ]
        start = state & relevant
        came: dict[int, tuple[int, int]] = {start: (start, -1)}
        queue = deque([start])
        while queue and goal & ~start:
            here = queue.popleft()
            for number, asked, needs, keeps, adds in moves:
                if here & asked == needs:
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


@dataclass(frozen=True)
class _Instance:
    """An action schema with objects in place of its variables."""

    action: Atom
    needs: tuple[Atom, ...]
    bars: tuple[Atom, ...]
    adds: tuple[Atom, ...]
    deletes: tuple[Atom, ...]


def objects_of(domain: Domain, problem: Problem) -> tuple[tuple[str, str], ...]:
    """The problem's objects and the domain's constants (name, type), each once."""
    return tuple(dict.fromkeys((*problem.objects, *domain.constants)))


def types_of(domain: Domain, kind: str) -> set[str]:
    """A type and all types above it."""
    found = {"object"}
    waiting = [kind]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting.extend(domain.parents.get(each, ()))
    return found


def _instances(domain: Domain, problem: Problem) -> Iterator[_Instance]:
    """Every action instance whose arguments are of the right types and whose equalities hold."""
    objects = [(name, types_of(domain, kind)) for name, kind in objects_of(domain, problem)]
    for schema in domain.schemas:
        variables = [variable for variable, _ in schema.parameters]
        fitting = [
            [name for name, mine in objects if mine.intersection(kinds)]
            for _, kinds in schema.parameters
        ]
        for chosen in itertools.product(*fitting):
            values = dict(zip(variables, chosen))
            needs, bars, adds, deletes = (
                tuple(tuple(values.get(word, word) for word in atom) for atom in part)
                for part in (schema.needs, schema.bars, schema.adds, schema.deletes)
            )
            same = all(atom[1] == atom[2] for atom in needs if atom[0] == "=")
            differ = all(atom[1] != atom[2] for atom in bars if atom[0] == "=")
            if same and differ and not set(needs).intersection(bars):
                needs, bars = (
                    tuple(atom for atom in part if atom[0] != "=") for part in (needs, bars)
                )
                yield _Instance((schema.name, *chosen), needs, bars, adds, deletes)


def _reachable(domain: Domain, problem: Problem) -> list[_Instance]:
    """Every action instance that applies if delete effects and negative preconditions are ignored.

    No other can ever apply.
    """
    waiting = list(_instances(domain, problem))
    known: set[Atom] = set(problem.init)
    usable: set[Atom] = set()
    # The fixed point of the delete relaxation: facts accumulate until no further action applies.
    while True:
        new = [one for one in waiting if one.action not in usable and known.issuperset(one.needs)]
        if not new:
            return [one for one in waiting if one.action in usable]
        usable.update(one.action for one in new)
        known.update(atom for one in new for atom in one.adds)


@functools.lru_cache(maxsize=64)
def ground(domain: Domain, problem: Problem) -> Ground:
    """The grounded problem, cached with its shortest plan: both modes and all compared agents play
    the same problems."""
    return Ground(domain, problem)
