"""Other goals in the scenes of MiniGrid's own levels: another object, or the other end of a hall.

A goal is judged by the level's own rule, with another target. It is offered only where a shortest
way fulfils it within the level's limit of steps.

    GoToDoor, GoToObject   another door, or object: `done` beside it
    Fetch                  another object: to carry one of that type and colour
    PutNear                another object near another one: dropped within one cell of it
    Memory                 the object at the end of the hallway that does not match: to reach it
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.core import OWN, Goal

__all__ = ["LevelGoals", "has_goals"]

LEFT, RIGHT, FORWARD, PICKUP, DROP, DONE = 0, 1, 2, 3, 4, 6
STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""The offset of the cell ahead, (x, y), by direction: right, down, left, up."""
THINGS = ("ball", "box", "key", "door")
Cell = tuple[int, int]
Place = tuple[int, int, int]
"""x, y and direction."""


@dataclass(frozen=True)
class Thing:
    """An object where it lies at the start."""

    kind: str
    colour: str
    cell: Cell

    def __str__(self) -> str:
        return f"{self.colour} {self.kind}"


class Rule(ABC):
    """A goal of one kind of level: how it is asked for, and when it is met."""

    def __init__(self, env: Any) -> None:
        self.env = env

    @abstractmethod
    def instruction(self, own: str) -> str:
        """The mission, given the level's own one."""

    @abstractmethod
    def differs(self) -> tuple[str, ...]:
        """In which words it differs from the level's own one; empty: it is that one."""

    @abstractmethod
    def ask(self) -> None:
        """Let the level judge by it."""

    @abstractmethod
    def met(self, executed: Any, dropped: Any) -> bool:
        """Whether it is met now. dropped: what lies ahead since this action let go of it."""

    @abstractmethod
    def way(self) -> list[int] | None:
        """The actions of a shortest way to it from the start, or None."""


class GoTo(Rule):
    """`done` beside a door or an object."""

    def __init__(self, env: Any, thing: Thing) -> None:
        super().__init__(env)
        self.thing, self.own = thing, at(env, env.target_pos)

    def instruction(self, own: str) -> str:
        return f"go to the {self.thing}"

    def differs(self) -> tuple[str, ...]:
        return other_words([self.own], [self.thing])

    def ask(self) -> None:
        self.env.target_pos, self.env.target_color = self.thing.cell, self.thing.colour
        if hasattr(self.env, "targetType"):
            self.env.targetType = self.thing.kind

    def met(self, executed: Any, dropped: Any) -> bool:
        return executed == DONE and beside(self.env.agent_pos, self.thing.cell)

    def way(self) -> list[int] | None:
        way = shortest(self.env, lambda x, y, facing: beside((x, y), self.thing.cell))
        return None if way is None else [*way, DONE]


class Fetch(Rule):
    """To carry an object of a type and a colour."""

    def __init__(self, env: Any, thing: Thing) -> None:
        super().__init__(env)
        self.thing = thing
        self.own = Thing(env.targetType, env.targetColor, (-1, -1))

    def instruction(self, own: str) -> str:
        return own.replace(str(self.own), str(self.thing))

    def differs(self) -> tuple[str, ...]:
        return other_words([self.own], [self.thing])

    def ask(self) -> None:
        self.env.targetType, self.env.targetColor = self.thing.kind, self.thing.colour

    def met(self, executed: Any, dropped: Any) -> bool:
        held = self.env.carrying
        return held is not None and (held.type, held.color) == (self.thing.kind, self.thing.colour)

    def way(self) -> list[int] | None:
        way = shortest(self.env, lambda *place: ahead(place) == self.thing.cell)
        return None if way is None else [*way, PICKUP]


class PutNear(Rule):
    """To drop one object within one cell of where another one lies."""

    def __init__(self, env: Any, thing: Thing, near: Thing) -> None:
        super().__init__(env)
        self.thing, self.near = thing, near
        self.own = [at(env, env.move_pos), at(env, env.target_pos)]

    def instruction(self, own: str) -> str:
        return f"put the {self.thing} near the {self.near}"

    def differs(self) -> tuple[str, ...]:
        return other_words(self.own, [self.thing, self.near])

    def ask(self) -> None:
        env = self.env
        env.move_type, env.moveColor, env.move_pos = (
            self.thing.kind, self.thing.colour, self.thing.cell,
        )  # fmt: skip
        env.target_type, env.target_color, env.target_pos = (
            self.near.kind, self.near.colour, self.near.cell,
        )  # fmt: skip

    def met(self, executed: Any, dropped: Any) -> bool:
        moved = dropped is not None and (dropped.type, dropped.color) == (
            self.thing.kind, self.thing.colour,
        )  # fmt: skip
        return moved and self._is_near(self.env.front_pos)

    def _is_near(self, cell: Any) -> bool:
        return max(abs(int(a) - b) for a, b in zip(cell, self.near.cell)) <= 1

    def way(self) -> list[int] | None:
        first = shortest(self.env, lambda *place: ahead(place) == self.thing.cell)
        if first is None:
            return None
        lifted = {self.thing.cell}

        def can_drop(*place: int) -> bool:
            cell = ahead(place)
            return self._is_near(cell) and (cell in lifted or self.env.grid.get(*cell) is None)

        rest = shortest(self.env, can_drop, walked(start_of(self.env), first), lifted)
        return None if rest is None else [*first, PICKUP, *rest, DROP]


class OtherEnd(Rule):
    """To reach the end of the hallway whose object does not match, or, of the own goal, does."""

    WORDS: ClassVar[str] = "go to the object at the end of the hallway that does not match"

    def __init__(self, env: Any, own: bool) -> None:
        super().__init__(env)
        self.own = own
        ends = env.success_pos, env.failure_pos
        self.cell, self.other = ends if own else ends[::-1]

    def instruction(self, own: str) -> str:
        return own if self.own else self.WORDS

    def differs(self) -> tuple[str, ...]:
        return () if self.own else ("match",)

    def ask(self) -> None:
        self.env.success_pos, self.env.failure_pos = self.cell, self.other

    def met(self, executed: Any, dropped: Any) -> bool:
        return tuple(self.env.agent_pos) == tuple(self.cell)

    def way(self) -> list[int] | None:
        return shortest(self.env, lambda x, y, facing: (x, y) == tuple(self.cell))


def _objects(env: Any, rule: Callable[[Any, Thing], Rule]) -> Iterator[Rule]:
    return (rule(env, thing) for thing in things(env))


def _near(env: Any) -> Iterator[Rule]:
    return (PutNear(env, a, b) for a in things(env) for b in things(env) if a != b)


RULES: dict[str, Callable[[Any], Iterator[Rule]]] = {
    "MiniGrid-GoToDoor": lambda env: _objects(env, GoTo),
    "MiniGrid-GoToObject": lambda env: _objects(env, GoTo),
    "MiniGrid-Fetch": lambda env: _objects(env, Fetch),
    "MiniGrid-PutNear": _near,
    "MiniGrid-Memory": lambda env: (OtherEnd(env, own) for own in (True, False)),
}
"""How the name of a level begins -> all goals of its scene, its own one among them."""


def has_goals(level: str) -> bool:
    """Whether another goal may be asked for in a level, by its id."""
    return level.startswith(tuple(RULES))


class LevelGoals:
    """The own goal of an episode and the others. Made right after the reset."""

    def __init__(self, env: Any, level: str) -> None:
        self._env, self._rules = env, dict[str, Rule]()
        self._carried: Any = None
        found = next(rule for name, rule in RULES.items() if level.startswith(name))(env)
        others: dict[str, Rule] = {}
        for rule in found:
            if not rule.differs():
                self._rules[OWN] = rule
            elif (way := rule.way()) is not None and len(way) <= env.max_steps:
                others.setdefault(rule.instruction(env.mission), rule)
        self.others: tuple[Goal, ...] = tuple(
            Goal(f"goal-{number}", said, rule.differs())
            for number, (said, rule) in enumerate(sorted(others.items()), 1)
        )
        self._rules |= {goal.id: others[goal.instruction] for goal in self.others}

    def ask(self, goal: Goal) -> None:
        """Let the environment ask for another goal."""
        self._rules[goal.id].ask()
        self._env.mission = goal.instruction

    def met(self, executed: Any) -> tuple[str, ...]:
        """As Adapter.goals_met."""
        before, self._carried = self._carried, self._env.carrying
        let_go = executed == DROP and before is not None
        lies = self._env.grid.get(*self._env.front_pos) if let_go else None
        dropped = before if let_go and lies is before else None
        return tuple(n for n, rule in self._rules.items() if rule.met(executed, dropped))

    def way(self, goal: str) -> list[int] | None:
        """The actions of a shortest way to a goal from the start of the episode."""
        return self._rules[goal].way()


def things(env: Any) -> list[Thing]:
    """The objects of a scene."""
    return [
        Thing(cell.type, cell.color, (place % env.width, place // env.width))
        for place, cell in enumerate(env.grid.grid)
        if cell is not None and cell.type in THINGS
    ]


def at(env: Any, cell: Any) -> Thing:
    """The object in a cell."""
    return next(each for each in things(env) if each.cell == (int(cell[0]), int(cell[1])))


def other_words(own: list[Thing], other: list[Thing]) -> tuple[str, ...]:
    """In which words a goal about these objects differs from the own one."""
    pairs = list(zip(own, other, strict=True))
    found: tuple[str, ...] = ("object",) if any(a.kind != b.kind for a, b in pairs) else ()
    return found + (("colour",) if any(a.colour != b.colour for a, b in pairs) else ())


def beside(one: Any, other: Any) -> bool:
    """Whether two cells have a side in common."""
    return abs(int(one[0]) - int(other[0])) + abs(int(one[1]) - int(other[1])) == 1


def ahead(place: tuple[int, ...]) -> Cell:
    """The cell that it looks at."""
    x, y, facing = place
    return x + STEPS[facing][0], y + STEPS[facing][1]


def start_of(env: Any) -> Place:
    """Where the agent is."""
    return int(env.agent_pos[0]), int(env.agent_pos[1]), int(env.agent_dir)


def walked(place: Place, actions: list[int]) -> Place:
    """Where it is after turns and steps of which none is blocked."""
    for action in actions:
        x, y, facing = place
        turned = {LEFT: -1, RIGHT: 1}.get(action, 0)
        place = (*ahead(place), facing) if action == FORWARD else (x, y, (facing + turned) % 4)
    return place


def shortest(
    env: Any,
    arrived: Callable[..., bool],
    start: Place | None = None,
    lifted: set[Cell] | frozenset[Cell] = frozenset(),
) -> list[int] | None:
    """The fewest turns and steps to a place (x, y, direction) that `arrived` accepts, or None.

    lifted: cells that are free although something lies there now.
    """
    first = start_of(env) if start is None else start
    known: dict[Place, list[int]] = {first: []}
    waiting = deque([first])
    while waiting:
        place = waiting.popleft()
        if arrived(*place):
            return known[place]
        x, y, facing = place
        cell = ahead(place)
        lies = env.grid.get(*cell)
        free = cell in lifted or lies is None or lies.can_overlap()
        for action, then in (
            (FORWARD, (*cell, facing) if free else place),
            (LEFT, (x, y, (facing - 1) % 4)),
            (RIGHT, (x, y, (facing + 1) % 4)),
        ):
            if then not in known:
                known[then] = [*known[place], action]
                waiting.append(then)
    return None
