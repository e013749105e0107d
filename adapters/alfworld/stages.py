"""How far an ALFWorld episode came, from the facts: what was held, changed and put where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from adapters._reached import Reached
from adapters.alfworld.games import Game

__all__ = ["MODES", "STAGES", "WHOLE_SPLIT", "Course"]

STAGES: Mapping[str, tuple[str, ...]] = {
    "pick_and_place_simple": ("object held", "at its place"),
    "pick_two_obj_and_place": ("object held", "one at its place", "both at their place"),
    "look_at_obj_in_light": ("object held", "looked at in the light"),
    "pick_clean_then_place_in_recep": ("object held", "object cleaned", "at its place"),
    "pick_heat_then_place_in_recep": ("object held", "object heated", "at its place"),
    "pick_cool_then_place_in_recep": ("object held", "object cooled", "at its place"),
}
WHOLE_SPLIT = ("object held", "task done")
"""Of a task that plays games of all types."""
MODES = ("wrong_object", "stopped_early")
CHANGED = {"_clean_": "isclean", "_heat_": "ishot", "_cool_": "iscool"}
Facts = Iterable[tuple[str, tuple[str, ...]]]


class Course:
    """What happened in one episode. Made right after the reset."""

    def __init__(self, game: Game, stages: tuple[str, ...], facts: Facts) -> None:
        self._game, self._stages, self._reached = game, stages, Reached()
        now = _sorted(facts)
        self._placed, self._changed_before = self._in_place(now), self._changed(now)

    def stage(self, facts: Facts) -> int:
        """As Adapter.stage."""
        now = _sorted(facts)
        held = any(self._is_target(now, thing) for _, thing in now["holds"])
        if len(self._stages) == 2:
            return self._reached.note(held)
        if self._game.task_type.startswith("pick_two"):
            return self._reached.note(held, bool(self._in_place(now) - self._placed))
        return self._reached.note(held, bool(self._changed(now) - self._changed_before))

    def failure_mode(self, facts: Facts) -> tuple[str, ...]:
        """As Adapter.failure_mode."""
        now = _sorted(facts)
        held = [thing for _, thing in now["holds"]]
        wrong = any(not self._is_target(now, thing) for thing in held)
        return ("wrong_object",) if wrong else ()

    def _is_target(self, now: Mapping[str, set[tuple[str, ...]]], thing: str) -> bool:
        return (thing, f"{self._game.target.lower()}type") in now["objecttype"]

    def _in_place(self, now: Mapping[str, set[tuple[str, ...]]]) -> set[str]:
        """The target objects in a receptacle of the goal's type."""
        kind = f"{self._game.parent.lower()}type"
        return {
            thing
            for thing, place in now["inreceptacle"]
            if (place, kind) in now["receptacletype"] and self._is_target(now, thing)
        }

    def _changed(self, now: Mapping[str, set[tuple[str, ...]]]) -> set[str]:
        """The target objects that are clean, hot or cool, as the task asks."""
        names = [fact for word, fact in CHANGED.items() if word in self._game.task_type]
        return {thing for name in names for (thing,) in now[name] if self._is_target(now, thing)}


def _sorted(facts: Facts) -> Mapping[str, set[tuple[str, ...]]]:
    found: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for name, arguments in facts:
        found[name].add(arguments)
    return found
