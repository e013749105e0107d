"""The five levels of BabyAI that BALROG plays (arXiv 2411.13543), which `minigrid` does not have.

They are MixedTrainLocal of BabyAI-Text (arXiv 2302.02662) without distractors, a level for each
kind of instruction: one room of 8 x 8 cells, walls counted, with the objects that the instruction
names and nothing else; to open, two such rooms with a locked door between them and its key on the
agent's side. Instructions never name what BabyAI-Text keeps for its test of generalisation.
"""

from __future__ import annotations

from typing import Any

__all__ = ["KINDS", "PREFIX", "register"]

PREFIX = "BabyAI-BALROG-"
KINDS = ("goto", "pickup", "open", "putnext", "pick_up_seq_go_to")
"""As BALROG calls them."""
OBJECTS = {"goto": 1, "pickup": 1, "putnext": 2, "pick_up_seq_go_to": 2}
DOORS = ("yellow", "green", "blue", "purple")
"""Colours of doors: red and grey ones are kept for the test."""
KEPT_FOR_TEST = frozenset({("box", "yellow"), ("key", "red"), ("ball", "green")})


def register() -> None:
    """Register the levels with gymnasium, once in a process, as `BabyAI-BALROG-goto-v0` and so on.

    The class is made here because importing this module must not import the simulator.
    """
    import gymnasium
    from minigrid.envs.babyai.core.roomgrid_level import RejectSampling, RoomGridLevel
    from minigrid.envs.babyai.core.verifier import (
        AfterInstr,
        BeforeInstr,
        GoToInstr,
        ObjDesc,
        OpenInstr,
        PickupInstr,
        PutNextInstr,
    )

    class BalrogLevel(RoomGridLevel):  # type: ignore[misc]  # minigrid has no types
        """One of KINDS. `num_dists`: objects that the instruction does not name."""

        def __init__(self, kind: str, room_size: int = 8, num_dists: int = 0, **kwargs: Any):
            self.kind, self.num_dists = kind, num_dists
            columns = 2 if kind == "open" else 1
            super().__init__(room_size=room_size, num_rows=1, num_cols=columns, **kwargs)

        def gen_mission(self) -> None:
            self.instrs = self._open() if self.kind == "open" else self._in_one_room()

        def _open(self) -> Any:
            colour, side = self._rand_elem(DOORS), self._rand_int(0, 2)
            self.add_door(0, 0, 0, colour, locked=True)
            self.add_object(side, 0, "key", colour)
            self.add_distractors(side, 0, num_distractors=self.num_dists, all_unique=False)
            self.place_agent(side, 0)
            self.check_objs_reachable()
            return OpenInstr(ObjDesc("door", self._rand_elem([None, colour])))

        def _in_one_room(self) -> Any:
            self.place_agent()
            count = OBJECTS[self.kind] + self.num_dists
            things = self.add_distractors(num_distractors=count, all_unique=False)
            self.check_objs_reachable()
            first, last = things[0], things[min(1, count - 1)]
            named = [first, last][: OBJECTS[self.kind]]
            if any((thing.type, thing.color) in KEPT_FOR_TEST for thing in named):
                raise RejectSampling("kept for the test of generalisation")
            one, other = (ObjDesc(thing.type, thing.color) for thing in (first, last))
            if self.kind == "goto":
                return GoToInstr(one)
            if self.kind == "pickup":
                return PickupInstr(one)
            if self.kind == "putnext":
                return PutNextInstr(one, other)
            if self._rand_bool():
                return BeforeInstr(PickupInstr(one), GoToInstr(other))
            return AfterInstr(GoToInstr(other), PickupInstr(one))

    for kind in KINDS:
        level = f"{PREFIX}{kind}-v0"
        if level not in gymnasium.registry:
            gymnasium.register(level, entry_point=BalrogLevel, kwargs={"kind": kind})
