"""ViZDoom from the distances in view: monsters stand out before the walls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.core import Agent, Discrete, Turn

__all__ = ["Basic", "DefendTheCenter", "monsters"]

TOP, BOTTOM = 104, 140
"""Rows of the view, of 240, at about the height of the eyes: monsters cross them."""
EVERY = 2
"""Only every second row and column is looked at."""
STANDS_OUT = 0.5
"""m by which a monster is nearer than what is on both sides of it."""
WEAPON = 0.5
"""m: what is nearer is the player's own weapon."""
FEWEST = 3
"""Rows in which a column shows a monster."""


class Basic(Agent):
    """Steps sideways until the monster stands ahead, and shoots. Where it sees none, it waits."""

    reads = ("depth",)

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The action of each turn."""
        return [_index(turn, _aligned(monsters(turn.observation["depth"]))) for turn in turns]


class DefendTheCenter(Agent):
    """Turns to the monster that is near and nearly ahead, and shoots; else it turns to the right.

    It spends shots on monsters that are far away, and its ammunition is limited.
    """

    reads = ("depth",)

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The action of each turn."""
        return [_index(turn, _turned(monsters(turn.observation["depth"]))) for turn in turns]


Seen = tuple[float, float, float]
"""A monster: by how many columns it is right of the middle, its width in columns, and metres."""


def _aligned(seen: Sequence[Seen]) -> str:
    if not seen:
        return "nothing"
    off, _, _ = min(seen, key=lambda each: each[2])
    return "attack" if abs(off) < 12 else "move_left" if off < 0 else "move_right"


def _turned(seen: Sequence[Seen]) -> str:
    if not seen:
        return "turn_right"
    off, width, _ = min(seen, key=lambda each: abs(each[0]) / 16 + each[2])
    return (
        "attack" if abs(off) < max(4, width / 2 - 1) else "turn_left" if off < 0 else "turn_right"
    )


def monsters(depth: np.ndarray) -> list[Seen]:
    """What stands out in a view of distances, float32 (240, 320) in m, from left to right."""
    rows = depth[TOP:BOTTOM:EVERY, ::EVERY]
    wall = _closed(np.where(rows < WEAPON, -1, rows), 20)
    shown = (wall - rows > STANDS_OUT) & (rows > WEAPON)
    columns = np.flatnonzero(shown.sum(0) >= FEWEST)
    found: list[Seen] = []
    for group in np.split(columns, np.flatnonzero(np.diff(columns) > 2) + 1):
        if len(group):
            near = float(np.where(shown[:, group], rows[:, group], np.inf).min())
            middle = EVERY * float(group.mean()) - depth.shape[1] / 2
            found.append((middle, float(EVERY * len(group)), near))
    return found


def _closed(rows: np.ndarray, half: int) -> np.ndarray:
    """The rows with each dip filled that is narrower than 2 * half + 1 (a grey closing)."""
    windows = np.lib.stride_tricks.sliding_window_view
    wide = np.pad(rows, ((0, 0), (2 * half, 2 * half)), mode="edge")
    raised = windows(wide, 2 * half + 1, axis=1).max(-1)
    filled: np.ndarray = windows(raised, 2 * half + 1, axis=1).min(-1)
    return filled


def _index(turn: Turn, name: str) -> int:
    spec = turn.brief.action
    assert isinstance(spec, Discrete)
    return spec.names.index(name)
