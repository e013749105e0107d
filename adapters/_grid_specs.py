"""What an agent sees and does on MiniGrid's levels, as the adapter's brief says it."""

from __future__ import annotations

from adapters._grid_words import MEANING
from harness.core import Box, Brief, Discrete, Spec, Text

__all__ = ["PARTIAL_TILE", "PIXELS", "brief_of"]

ACTIONS = ("left", "right", "forward", "pickup", "drop", "toggle", "done")
LEFT, DROP, DONE = 0, 4, 6
PIXELS, PARTIAL_TILE = 336, 8
"""Of the picture of the whole map, and of a cell of the view ahead."""
PARTIAL = PARTIAL_TILE * 7


def brief_of(level: str, actions: int, image: bool) -> Brief:
    """The brief of a level. image: whether the view of the whole map is offered."""
    observation: dict[str, Spec] = {
        "grid": Box(
            (7, 7, 3),
            "uint8",
            0,
            10,
            meaning="[x, y, (object, colour, state)] of the 7x7 cells ahead; "
            "the agent is at [3, 6]",
        ),
        "direction": Discrete(
            4, ("right", "down", "left", "up"), "where the agent looks on the map"
        ),
        "image_partial": Box(
            (PARTIAL, PARTIAL, 3),
            "uint8",
            0,
            255,
            "px",
            "RGB, the 7x7 cells ahead; the agent is at the bottom centre",
        ),
        "image": Box(
            (PIXELS, PIXELS, 3),
            "uint8",
            0,
            255,
            "px",
            "RGB, the whole map from above; the red triangle is the agent",
        ),
        "text_scene": Text(meaning=MEANING),
    }
    if not image:
        del observation["image"]
    return Brief(
        observation=observation,
        action=_action_spec(level, actions),
        embodiment="an agent on a grid: it turns by 90 degrees, steps one cell forward, picks "
        "up, drops and toggles what is in the cell ahead (toggling opens and closes, and "
        "unlocks with a key of the same colour in hand), and carries one object at most; "
        "walls, closed doors and objects block its way, walls and closed doors its sight",
        simulator="MiniGrid, a 2-D grid world seen from above",
    )


def _action_spec(level: str, n: int) -> Discrete:
    if n < len(ACTIONS):
        return Discrete(n, ACTIONS[:n], "no action does nothing: the no-op turns left", LEFT)
    if level.startswith(("MiniGrid-GoToDoor", "MiniGrid-GoToObject")):
        return Discrete(
            n, ACTIONS, "done ends the episode; drop does nothing while nothing is carried", DROP
        )
    return Discrete(n, ACTIONS, "done does nothing", DONE)
