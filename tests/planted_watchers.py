"""Agents for BabyAI's single rooms that see by two cameras, and use both of them or one alone.

One camera looks at the map from above (`image`), one from the agent's place (`image_partial`). What
they show is read off by comparing tiles with MiniGrid's own drawings. All declare both cameras, and
look at both; they go to what the instruction names by a shortest way that they know.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from planted_listeners import EMPTY, FORWARD, LEFT, RIGHT, TYPES, _named, _way

from harness.core import Agent, Answer, Turn

PARTIAL_TILE = 8
STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""The offset of the cell ahead on the map, by direction: right, down, left, up."""
WALL = 2
Cell = tuple[int, int]
Place = tuple[int, int, int]
"""x, y and direction."""


@functools.lru_cache
def drawings(size: int) -> dict[bytes, tuple[int, int, int]]:
    """Tile of `size` px -> (type, colour, the agent's direction or -1), in MiniGrid's numbers.

    Doors are left out: a single room has none.
    """
    from minigrid.core.grid import Grid
    from minigrid.core.world_object import WorldObj

    found = {}
    objects = [kind for name, kind in TYPES.items() if name != "door"]
    kinds = [(EMPTY, 0), (WALL, 5), *((kind, each) for kind in objects for each in range(6))]
    for kind, colour in kinds:
        thing = WorldObj.decode(kind, colour, 0)
        for facing in (-1, 0, 1, 2, 3) if kind == EMPTY else (-1,):
            for lit in (False, True):
                tile = Grid.render_tile(
                    thing, None if facing < 0 else facing, highlight=lit, tile_size=size
                )
                found[tile.astype(np.uint8).tobytes()] = kind, colour, facing
    return found


def cells(picture: np.ndarray, size: int) -> np.ndarray:
    """(type, colour, direction) of each whole tile: int (W, H, 3), [x, y]; 0 where unknown."""
    return _cells(picture.tobytes(), picture.shape, size)


@functools.lru_cache(maxsize=256)
def _cells(content: bytes, shape: tuple[int, ...], size: int) -> np.ndarray:
    picture, known = np.frombuffer(content, np.uint8).reshape(shape), drawings(size)
    width, height = shape[1] // size, shape[0] // size
    seen = np.zeros((width, height, 3), int)
    for x in range(width):
        for y in range(height):
            tile = picture[y * size : (y + 1) * size, x * size : (x + 1) * size]
            seen[x, y] = known.get(tile.tobytes(), (0, 0, -1))
    return seen


class Both(Agent):
    """The map tells it where it is and where the goal is; its own camera, what is in its way."""

    reads = ("image", "image_partial")

    def __init__(self, looks: bool = True) -> None:
        """`looks`: whether it looks at what it does not use."""
        self._looks = looks

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        if self._looks:
            for turn in turns:
                assert all(turn.observation[view].any() for view in self.reads)
        return [self.one(turn) for turn in turns]

    def one(self, turn: Turn) -> Any:
        """The answer to a turn."""
        here, seen = on_the_map(turn)
        blocked = set(turn.memory or ())
        ahead = cells(turn.observation["image_partial"], PARTIAL_TILE)
        for x, y in zip(*np.nonzero(ahead[..., 0] != EMPTY)):
            blocked.add(from_the_view(here, int(x), int(y)))
        return Answer([go(turn, here, seen, blocked)], memory=sorted(blocked))


class MapOnly(Both):
    """Takes all of it from the map."""

    def one(self, turn: Turn) -> Any:
        here, seen = on_the_map(turn)
        things = zip(*np.nonzero(seen[..., 0] != EMPTY))
        return go(turn, here, seen, {(int(x), int(y)) for x, y in things})


class EyesOnly(Both):
    """Goes by its own camera alone, and looks around where it does not see the goal."""

    def one(self, turn: Turn) -> Any:
        ahead = cells(turn.observation["image_partial"], PARTIAL_TILE)
        way = _way(ahead, _named(turn.instruction, ahead, colour=True))
        if way is not None:
            return way
        free = ahead[3, 5, 0] == EMPTY
        return FORWARD if free and turn.rng.random() < 0.5 else LEFT


def on_the_map(turn: Turn) -> tuple[Place, np.ndarray]:
    """(where it is, what is where) by the picture from above, of a map of 8 x 8 cells."""
    picture = turn.observation["image"]
    seen = cells(picture, picture.shape[0] // 8)
    ((x, y),) = np.argwhere(seen[..., 2] >= 0)
    return (int(x), int(y), int(seen[x, y, 2])), seen


def from_the_view(here: Place, x: int, y: int) -> Cell:
    """Where on the map a cell of the 7 x 7 view is; the agent is at [3, 6] and looks to y = 0."""
    ahead, right = STEPS[here[2]], STEPS[(here[2] + 1) % 4]
    far, aside = 6 - y, x - 3
    return (
        here[0] + far * ahead[0] + aside * right[0],
        here[1] + far * ahead[1] + aside * right[1],
    )


def go(turn: Turn, here: Place, seen: np.ndarray, blocked: set[Cell]) -> int:
    """The first action of a shortest way to what the instruction names; LEFT without one."""
    goals = {(int(x), int(y)) for x, y in np.argwhere(_named(turn.instruction, seen, colour=True))}
    walls = {(int(x), int(y)) for x, y in np.argwhere(seen[..., 0] == WALL)}
    return _shortest(here, goals, (blocked | walls) - {here[:2]})


def _shortest(here: Place, goals: set[Cell], blocked: set[Cell]) -> int:
    waiting, known = deque([(here, -1)] if goals else []), {here}
    while waiting:
        (x, y, facing), first = waiting.popleft()
        ahead = x + STEPS[facing][0], y + STEPS[facing][1]
        if ahead in goals:
            return FORWARD if first < 0 else first
        moves = [(LEFT, (x, y, (facing - 1) % 4)), (RIGHT, (x, y, (facing + 1) % 4))]
        if 0 <= ahead[0] < 8 and 0 <= ahead[1] < 8 and ahead not in blocked:
            moves.insert(0, (FORWARD, (*ahead, facing)))
        for action, place in moves:
            if place not in known:
                known.add(place)
                waiting.append((place, action if first < 0 else first))
    return LEFT
