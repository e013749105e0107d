"""The expert of ALFWorld's six tasks: one command at a time, from all facts, including hidden ones.

Written here because neither of the package's experts is usable: its planner (Fast Downward, lazy
best-first search) found no plan within ten minutes in a furnished kitchen and cannot be stopped;
its handcoded expert explores, and draws from the global random state.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from adapters.alfworld.games import Game

__all__ = ["next_command"]

CHANGES = {
    "clean": ("isclean", "sinkbasintype"),
    "heat": ("ishot", "microwavetype"),
    "cool": ("iscool", "fridgetype"),
}


class _Room:
    """The facts, indexed. Things are named by their PDDL ids."""

    def __init__(self, facts: Iterable[tuple[str, tuple[str, ...]]]) -> None:
        self.true: dict[str, set[tuple[str, ...]]] = defaultdict(set)
        for name, arguments in facts:
            self.true[name].add(arguments)
        self.at = next(spot for _, spot in self.true["atlocation"])
        self.held = next((thing for _, thing in self.true["holds"]), None)
        self.spot = self._mapping("receptacleatlocation")
        self.kind = self._mapping("objecttype")
        self.place_kind = self._mapping("receptacletype")
        self.inside = self._mapping("inreceptacle")

    def _mapping(self, predicate: str) -> dict[str, str]:
        """A binary predicate as a mapping from its first argument to its second."""
        return {arguments[0]: arguments[1] for arguments in self.true[predicate]}

    def holds_for(self, predicate: str, thing: str) -> bool:
        return (thing,) in self.true[predicate]

    def shut(self, place: str) -> bool:
        return self.holds_for("openable", place) and not self.holds_for("opened", place)

    def takes(self, place: str, thing: str) -> bool:
        return (self.place_kind.get(place, ""), self.kind.get(thing, "")) in self.true["cancontain"]

    def places(self, kind: str = "") -> list[str]:
        """The receptacles of a type (all if empty), those at the person's location first."""
        return sorted(
            (p for p, k in self.place_kind.items() if kind in ("", k) and p in self.spot),
            key=lambda p: (self.spot[p] != self.at, p),
        )


def next_command(
    game: Game, facts: Iterable[tuple[str, tuple[str, ...]]], names: Mapping[str, str]
) -> str | None:
    """The next command towards the goal from this state, or None where no way is known.

    `facts` are (predicate, arguments), things named by PDDL ids; `names` maps ids to their words.
    """
    room, target = _Room(facts), f"{game.target.lower()}type"
    step = _step(game, room, target)
    return None if step is None else " ".join(names.get(word, word) for word in step)


def _step(game: Game, room: _Room, target: str) -> tuple[str, ...] | None:
    held, lamp = room.held, game.task_type == "look_at_obj_in_light"
    change = next((word for word in CHANGES if f"_{word}_" in game.task_type), None)
    goal = None if lamp else _goal_place(room, f"{game.parent.lower()}type", target)
    if held is not None and room.kind.get(held) == target:
        if lamp:
            lamps = sorted(
                thing
                for thing, kind in room.kind.items()
                if room.holds_for("toggleable", thing) and thing in room.inside
            )
            return _at(room, room.inside[lamps[0]], ("use", lamps[0])) if lamps else None
        if change and not room.holds_for(CHANGES[change][0], held):
            stations = room.places(CHANGES[change][1])
            return _at(room, stations[0], (change, held, "with", stations[0])) if stations else None
        if goal is not None:
            return _open(room, goal, ("move", held, "to", goal))
        return None
    if held is not None:  # a thing that is not needed: put it where it fits, preferably here
        fitting = sorted(
            (p for p in room.places() if room.takes(p, held)),
            key=lambda p: (room.spot[p] != room.at, room.shut(p), p),
        )
        return _open(room, fitting[0], ("move", held, "to", fitting[0])) if fitting else None
    wanted = [
        thing
        for thing, kind in room.kind.items()
        if kind == target and room.inside.get(thing) not in (None, *_settled(goal, change))
    ]
    wanted = [thing for thing in wanted if room.inside[thing] in room.spot]
    if not wanted:
        return None
    done = (CHANGES[change][0] if change else "") or "-"
    thing = min(
        wanted, key=lambda t: (not room.holds_for(done, t), room.spot[room.inside[t]] != room.at, t)
    )
    return _open(room, room.inside[thing], ("take", thing, "from", room.inside[thing]))


def _settled(goal: str | None, change: str | None) -> tuple[str, ...]:
    """Receptacles that targets must not be taken from: the goal's, unless the task asks for a
    change (cleaning, heating, cooling) that a target lying there may still lack."""
    return () if goal is None or change else (goal,)


def _goal_place(room: _Room, kind: str, target: str) -> str | None:
    """The receptacle of the goal: the one with the most targets inside; among equals, one here."""
    counts = Counter(
        place for thing, place in room.inside.items() if room.kind.get(thing) == target
    )
    fitting = [place for place in room.places(kind) if (kind, target) in room.true["cancontain"]]
    return min(
        fitting,
        key=lambda place: (-counts[place], room.spot[place] != room.at, place),
        default=None,
    )


def _at(room: _Room, place: str, command: tuple[str, ...]) -> tuple[str, ...]:
    return command if room.spot[place] == room.at else ("go to", place)


def _open(room: _Room, place: str, command: tuple[str, ...]) -> tuple[str, ...]:
    return _at(room, place, ("open", place) if room.shut(place) else command)
