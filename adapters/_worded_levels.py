"""Levels with BabyAI's rules whose missions are said in many ways: go to, pick up, escape from.

Each is one room of 8 x 8 cells, walls counted, with five objects that all differ. The mission names
one of them, in a sentence of the grammar (_worded_sentences.py), which is drawn last: a seed has
the same room whichever split of the sentences is played.

To escape from an object is to be FAR steps away from it. It begins at most NEAR steps away, and so
does another object: only the mission says which one it is. The limit is ESCAPE_STEPS.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from adapters import _worded_sentences as words
from harness.core import UserError

__all__ = ["PREFIX", "EscapeBot", "escapes", "register"]

PREFIX = "BabyAI-Worded"
NEAR, FAR = 3, 5
"""Steps from the agent to an object, without turns: |dx| + |dy|."""
ESCAPE_STEPS = 20
LEFT, RIGHT, FORWARD = 0, 1, 2


def escapes(level: str) -> bool:
    """Whether a level's missions are to escape, which BabyAI's bot and skills do not know."""
    return level == f"{PREFIX}EscapeFrom-v0"


class EscapeBot:
    """The expert of the levels to escape: a shortest way to a place that is far enough."""

    def __init__(self, env: Any, stack: list[Any]) -> None:
        """`stack`: the subgoals of BabyAI's bot, which stay empty."""
        self._env, self.stack = env, stack

    def replan(self, executed: Any) -> int:
        """The first action of a shortest way. Raises AssertionError where there is none."""
        way = way_out(self._env, self._env.instrs.desc.obj_set[0])
        assert way, "no way leads away from the object"
        return way[0]


def way_out(env: Any, thing: Any) -> tuple[int, ...]:
    """The actions of a shortest way to be FAR from an object; empty where there is none."""
    from minigrid.core.constants import DIR_TO_VEC

    start = (*map(int, env.agent_pos), int(env.agent_dir))
    known: dict[tuple[int, ...], tuple[int, ...]] = {start: ()}
    waiting = deque([start])
    while waiting:
        x, y, facing = place = waiting.popleft()
        if steps_between((x, y), thing.cur_pos) >= FAR:
            return known[place]
        dx, dy = map(int, DIR_TO_VEC[facing])
        ahead = env.grid.get(x + dx, y + dy)
        free = ahead is None or ahead.can_overlap()
        for action, other in (
            (FORWARD, (x + dx, y + dy, facing) if free else place),
            (LEFT, (x, y, (facing - 1) % 4)),
            (RIGHT, (x, y, (facing + 1) % 4)),
        ):
            if other not in known:
                known[other] = (*known[place], action)
                waiting.append(other)
    return ()


def steps_between(one: Any, other: Any) -> int:
    """|dx| + |dy| of two cells."""
    return abs(int(one[0]) - int(other[0])) + abs(int(one[1]) - int(other[1]))


def register() -> None:
    """Register the levels with gymnasium, once in a process: `BabyAI-WordedGoTo-v0` and so on.

    The classes are made here because importing this module must not import the simulator.
    """
    import gymnasium
    import numpy as np
    from minigrid.envs.babyai.core.roomgrid_level import RejectSampling, RoomGridLevel
    from minigrid.envs.babyai.core.verifier import ActionInstr, GoToInstr, ObjDesc, PickupInstr

    class EscapeInstr(ActionInstr):  # type: ignore[misc]  # minigrid has no types
        """To be FAR steps away from an object, without carrying it."""

        def __init__(self, desc: Any) -> None:
            super().__init__()
            self.desc = desc

        def surface(self, env: Any) -> str:
            return "escape from " + str(self.desc.surface(env))

        def reset_verifier(self, env: Any) -> None:
            super().reset_verifier(env)
            self.desc.find_matching_objs(env)

        def verify_action(self, action: Any) -> str:
            thing = self.desc.obj_set[0]
            away = steps_between(self.env.agent_pos, thing.cur_pos)
            return "success" if self.env.carrying is not thing and away >= FAR else "continue"

    class WordedLevel(RoomGridLevel):  # type: ignore[misc]  # minigrid has no types
        """One of KINDS. `num_dists`: objects that the mission does not name."""

        def __init__(
            self,
            kind: str,
            split: str = "train",
            room_size: int = 8,
            num_dists: int = 4,
            **kwargs: Any,
        ) -> None:
            if split not in words.SPLITS:
                raise UserError(f"the split is one of {', '.join(words.SPLITS)}, got {split!r}")
            self.kind, self.split, self.num_dists = kind, split, num_dists
            super().__init__(room_size=room_size, num_rows=1, num_cols=1, **kwargs)

        def gen_mission(self) -> None:
            self.place_agent()
            things = self.add_distractors(num_distractors=self.num_dists + 1, all_unique=True)
            self.check_objs_reachable()
            if self.kind == "EscapeFrom":
                away = [steps_between(self.agent_pos, thing.cur_pos) for thing in things]
                things = [thing for thing, steps in zip(things, away) if steps <= NEAR]
                if len(things) < 2:
                    raise RejectSampling("fewer than two objects are near")
            self.named = self._rand_elem(things)
            if np.array_equal(self.named.cur_pos, self.front_pos) and self.kind == "GoTo":
                raise RejectSampling("the agent has arrived")
            if self.kind == "EscapeFrom" and not way_out(self, self.named):
                raise RejectSampling("there is no way out")
            forms = {"GoTo": GoToInstr, "PickUp": PickupInstr, "EscapeFrom": EscapeInstr}
            self.instrs = forms[self.kind](ObjDesc(self.named.type, self.named.color))

        def _gen_grid(self, width: int, height: int) -> None:
            super()._gen_grid(width, height)
            said = words.objects_of(self.kind, self.split)[self.named.type, self.named.color]
            self.surface = self.mission = self._rand_elem(said)

    for kind in words.KINDS:
        level = f"{PREFIX}{kind}-v0"
        if level not in gymnasium.registry:
            kwargs: dict[str, Any] = {"kind": kind}
            if kind == "EscapeFrom":
                kwargs["max_steps"] = ESCAPE_STEPS
            gymnasium.register(level, entry_point=WordedLevel, kwargs=kwargs)
