"""Stages and failure modes of MiniGrid and BabyAI, from the grid as it is after a step.

Seen: in the 7x7 cells ahead and not hidden. Near: in one of the four cells beside the agent, or in
its hands. An object is another than the task's if the mission does not name it; keys are left out
where a door is locked at the start.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adapters._babyai_skills import mentioned
from adapters._reached import Reached

__all__ = ["Course", "modes_of", "stages_of"]

GO = ("goal seen", "goal near", "goal reached")
KEYS = ("key held", "door open", "goal near", "goal reached")
BABYAI = ("goal seen", "goal near", "mission done")
MINIGRID = {
    "FourRooms": GO,
    "SimpleCrossing": GO,
    "LavaCrossing": GO,
    "LavaGap": GO,
    "MultiRoom": GO,
    "Empty": GO,
    "DistShift": GO,
    "Dynamic-Obstacles": GO,
    "GoToDoor": GO,
    "GoToObject": GO,
    "Memory": ("junction reached", "goal reached"),
    "DoorKey": KEYS,
    "KeyCorridor": KEYS,
    "ObstructedMaze-1Dl": KEYS,
    "ObstructedMaze-2Dl": KEYS,
    "UnlockPickup": KEYS,
    "BlockedUnlockPickup": KEYS,
    "Unlock": ("key held", "door open"),
    "RedBlueDoors": ("red door open", "blue door open"),
}
"""How the names of levels begin, without `MiniGrid-`; the longest that fits counts."""
SEVERAL = ("Seq", "_seq_", "BossLevel", "TwoDoors", "BlueDoors", "DoorsOrder")
"""What the names of BabyAI's levels hold whose missions have several parts."""
KINDS = ("ball", "box", "key", "door")
STAYED = 8
"""Steps at its end for which an episode faced or held another object."""


def stages_of(level: str) -> tuple[str, ...]:
    """The stages of a level by its id; none of those that are not known here."""
    family, _, name = level.partition("-")
    if family == "BabyAI":
        if "Unlock" in name or "KeyInBox" in name or name.startswith("BALROG-open"):
            return ("key held", "goal near", "mission done")
        if "PutNext" in name or name.startswith("BALROG-putnext"):
            return ("goal seen", "goal near", "object held", "mission done")
        if any(each in name for each in SEVERAL):
            return ("goal seen", "goal near", "half of the mission done", "mission done")
        return BABYAI
    fitting = [each for each in MINIGRID if name.startswith(each)]
    return MINIGRID[max(fitting, key=len)] if fitting else ()


def modes_of(level: str) -> tuple[str, ...]:
    """The failure modes that are told of a level."""
    name = level.partition("-")[2]
    if level.startswith("BabyAI-"):
        return ("wrong_object", "stopped_early")
    if name.startswith(("GoToDoor", "GoToObject")):
        return ("wrong_object", "stopped_early")
    if name.startswith(("Memory", "RedBlueDoors")):
        return ("other_goal", "stopped_early")
    if name.startswith("Lava"):
        return ("collided", "stopped_early")
    return ("collided",) if name.startswith("Dynamic-Obstacles") else ("stopped_early",)


class Course:
    """What happened in one episode. Made right after the reset."""

    def __init__(self, env: Any, level: str, horizon: int | None) -> None:
        """`env`: the level, unwrapped; `horizon`: the task's own limit of steps."""
        self._env, self._level = env, level
        self._stages = stages_of(level)
        self._limit = min(env.max_steps, horizon or env.max_steps)
        self._reached = Reached()
        cells = [cell for cell in env.grid.grid if cell is not None]
        locked = any(cell.type == "door" and cell.is_locked for cell in cells)
        self._goals = [cell for cell in cells if cell.type == "goal"]
        self._kinds = [kind for kind in KINDS if not (locked and kind == "key")]
        self._other: Any = None
        self._stayed = 0
        """The other object that it faces or holds, and for how many steps it has."""
        self._locked_doors = [cell for cell in cells if cell.type == "door" and cell.is_locked]

    def stage(self) -> int:
        """As Adapter.stage."""
        self._note_other()
        return self._reached.note(*(self._holds(name) for name in self._stages))

    def failure_mode(self) -> tuple[str, ...]:
        """As Adapter.failure_mode, of those that modes_of names."""
        env, name = self._env, self._level.partition("-")[2]
        ended = env.step_count < self._limit
        here = env.grid.get(*env.agent_pos)
        found = set[str]()
        if self._other is not None and (ended or self._stayed >= STAYED):
            found.add("wrong_object")
        if name.startswith("Memory") and tuple(env.agent_pos) == env.failure_pos:
            found.add("other_goal")
        if name.startswith("RedBlueDoors") and env.blue_door.is_open:
            found.add("other_goal")
        if here is not None and here.type == "lava":
            found.add("collided")
        if name.startswith("Dynamic-Obstacles") and ended:
            found.add("collided")
        if name.startswith(("GoToDoor", "GoToObject")) and ended and not found:
            found.add("stopped_early")
        return tuple(found & set(modes_of(self._level)))

    def _holds(self, stage: str) -> bool:
        env = self._env
        if stage == "goal seen":
            return any(self._sees(*place) for place in self._places())
        if stage == "goal near":
            x, y = env.agent_pos
            near = any(abs(x - a) + abs(y - b) <= 1 for a, b in self._places())
            return near or self._is_goal(env.carrying)
        if stage == "object held":
            return self._is_goal(env.carrying)
        if stage == "key held":
            return bool(env.carrying is not None and env.carrying.type == "key")
        if stage == "door open":
            return any(door.is_open for door in self._locked_doors)
        if stage == "red door open":
            return bool(env.red_door.is_open)
        if stage == "junction reached":
            return bool(env.agent_pos[0] >= env.success_pos[0])
        if stage == "half of the mission done":
            return "success" in (getattr(env.instrs, part, "") for part in ("a_done", "b_done"))
        return False  # the last stage is the success, which ends the episode

    def _targets(self) -> list[Any]:
        """The objects that the mission names."""
        env = self._env
        if hasattr(env, "instrs"):
            return [each for named in mentioned(env.instrs) for each in named.obj_set]
        if hasattr(env, "target_pos"):
            return [env.grid.get(*env.target_pos)]
        return [env.obj] if hasattr(env, "obj") else self._goals

    def _places(self) -> Iterator[tuple[int, int]]:
        """Where they are, (x, y)."""
        targets = self._targets()
        for number, cell in enumerate(self._env.grid.grid):
            if cell is not None and any(cell is each for each in targets):
                yield number % self._env.width, number // self._env.width

    def _sees(self, x: int, y: int) -> bool:
        found = self._env.relative_coords(x, y)
        return found is not None and bool(self._env.gen_obs_grid()[1][found])

    def _is_goal(self, thing: Any) -> bool:
        return thing is not None and any(thing is each for each in self._targets())

    def _note_other(self) -> None:
        """Count for how many steps it has faced or held the same other object."""
        env = self._env
        thing = env.grid.get(*env.front_pos) if env.carrying is None else env.carrying
        other = thing is not None and thing.type in self._kinds and not self._is_goal(thing)
        if not other:
            self._other, self._stayed = None, 0
        elif thing is self._other:
            self._stayed += 1
        else:
            self._other, self._stayed = thing, 1
