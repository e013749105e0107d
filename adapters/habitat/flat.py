"""Furnished flats, generated from a number, for users without scanned homes. Metres, y up.

The floor is at y = 0. A flat has a corridor along x and two or three rooms on either side, each
with a door to the corridor; a room's kind determines its furniture. Rooms, doors and positions are
drawn from the number alone.

All flats are parts of one scene, SPACING apart along z, so that no scene has to be loaded between
episodes; the coordinates in a Flat are relative to its corner. `write` makes the `.glb` and the
`.stage_config.json` that habitat-sim loads; without the latter it would take the `.glb` as z-up.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adapters._temporary import temporary_folder
from adapters.habitat.furniture import CATEGORIES, PIECES, SIZES
from adapters.habitat.glb import Colour, Quad, box, glb, write_atomically
from harness.core import stream

__all__ = [
    "FLATS",
    "Flat",
    "Piece",
    "Rectangle",
    "build",
    "corner",
    "quads",
    "scene",
    "view_points",
    "write",
    "written",
]

FLATS, SPACING = 10, 50.0
"""Episodes are drawn from flats 0 to 9; a test checks that each is furnished and passable."""
HEIGHT, DOOR_HEIGHT, DOOR, WALL, CORRIDOR = 2.6, 2.1, 1.0, 0.1, 1.5
"""m: height of rooms and doors; width of doors, walls (their thickness) and the corridor."""
BERTH, SWING, INSET = 0.7, 0.95, 0.06
"""m: free space around furniture; depth kept free in front of a door; gap between furniture and
wall."""
TILE, STEP, REACH = 0.5, 0.2, 1.0
"""m: a floor tile; the grid of view points; their maximum distance from an object."""

ROOMS = {
    "living room": ("sofa", "tv_monitor", "plant", "shelf"),
    "kitchen": ("counter", "fridge", "table", "chair"),
    "bedroom": ("bed", "wardrobe", "plant"),
    "bathroom": ("toilet", "bathtub", "basin"),
    "study": ("table", "chair", "shelf"),
    "guest room": ("bed", "chair"),
}
PAINT = (
    (0.78, 0.72, 0.6),
    (0.62, 0.7, 0.66),
    (0.66, 0.68, 0.78),
    (0.8, 0.66, 0.6),
    (0.72, 0.74, 0.62),
    (0.7, 0.62, 0.72),
)
PLANKS = (
    ((0.5, 0.36, 0.22), (0.44, 0.31, 0.18)),
    ((0.6, 0.6, 0.58), (0.5, 0.5, 0.5)),
    ((0.36, 0.3, 0.26), (0.42, 0.35, 0.3)),
)
OUTSIDE, CEILING = (0.75, 0.75, 0.72), (0.9, 0.9, 0.88)


@dataclasses.dataclass(frozen=True)
class Rectangle:
    """A part of the floor, in m."""

    x0: float
    z0: float
    x1: float
    z1: float

    def grown(self, by: float) -> Rectangle:
        """The rectangle, extended by `by` on every side."""
        return Rectangle(self.x0 - by, self.z0 - by, self.x1 + by, self.z1 + by)

    def meets(self, other: Rectangle) -> bool:
        """Whether the two overlap."""
        return (
            self.x0 < other.x1 and other.x0 < self.x1 and self.z0 < other.z1 and other.z0 < self.z1
        )

    def contains(self, other: Rectangle) -> bool:
        """Whether `other` lies inside this rectangle."""
        return (
            self.x0 <= other.x0
            and self.z0 <= other.z0
            and other.x1 <= self.x1
            and other.z1 <= self.z1
        )


@dataclasses.dataclass(frozen=True)
class Room:
    """A room. Its door, in the wall to the corridor, spans `door` to `door + DOOR` along x."""

    kind: str
    floor: Rectangle
    door: float
    north: bool


@dataclasses.dataclass(frozen=True)
class Piece:
    """A piece of furniture and the floor that it takes."""

    name: str
    floor: Rectangle
    height: float
    """m."""
    room: int
    """Index into `Flat.rooms`."""
    turn: int
    """Quarter turns to the left; at 0 it faces +z."""


@dataclasses.dataclass(frozen=True)
class Flat:
    """A flat: its extent (m) along x and z, its rooms and its furniture."""

    number: int
    width: float
    depth: float
    corridor: Rectangle
    rooms: tuple[Room, ...]
    pieces: tuple[Piece, ...]

    def of(self, category: str) -> tuple[Piece, ...]:
        """The pieces of one category."""
        return tuple(piece for piece in self.pieces if piece.name == category)

    @property
    def categories(self) -> tuple[str, ...]:
        """Those of CATEGORIES that the flat contains."""
        return tuple(category for category in CATEGORIES if self.of(category))


def build(
    number: int, name: str = "habitat flat", furniture: Mapping[str, Sequence[str]] = ROOMS
) -> Flat:
    """Generate flat `number`, the same on every machine.

    `name` is that of the random stream, and `furniture` the pieces of each kind of room in ROOMS.
    """
    rng = stream(name, number)

    def draw(low: float, high: float) -> float:
        return round(float(rng.uniform(low, high)), 2)

    width = draw(10.5, 12.5)
    north, south = draw(3.4, 4.2), draw(3.2, 4.0)
    corridor = Rectangle(0.0, north, width, round(north + CORRIDOR, 2))
    depth = round(corridor.z1 + south, 2)
    sides = [["living room", "kitchen"], ["bedroom", "bathroom"]]
    sides[int(rng.integers(2))].append("study")
    if number % 2:
        sides[0 if len(sides[0]) == 2 else 1].append("guest room")
    rooms = []
    for side, kinds in enumerate(sides):
        kinds = [kinds[i] for i in rng.permutation(len(kinds))]
        cuts = [
            0.0,
            *(
                round(width * (i + 1) / len(kinds) + draw(-0.2, 0.2), 2)
                for i in range(len(kinds) - 1)
            ),
            width,
        ]
        for kind, x0, x1 in zip(kinds, cuts, cuts[1:]):
            floor = (
                Rectangle(x0, 0.0, x1, north)
                if side == 0
                else Rectangle(x0, corridor.z1, x1, depth)
            )
            rooms.append(Room(kind, floor, draw(x0 + 0.4, x1 - 0.4 - DOOR), side == 0))
    pieces: list[Piece] = []
    for index, room in enumerate(rooms):
        for kind in furniture[room.kind]:
            piece = _place(kind, index, room, pieces, rng)
            if piece is not None:
                pieces.append(piece)
    return Flat(number, width, depth, corridor, tuple(rooms), tuple(pieces))


def _place(
    name: str, index: int, room: Room, others: Sequence[Piece], rng: np.random.Generator
) -> Piece | None:
    """Place a piece with its back to one of the room's walls, clear of the others and of the door;
    None if forty draws find no place."""
    inner = room.floor.grown(-WALL / 2 - INSET)
    wide, height, deep = SIZES[name]
    z = room.floor.z1 - SWING if room.north else room.floor.z0
    door = Rectangle(room.door - 0.1, z, room.door + DOOR + 0.1, z + SWING)
    for _ in range(40):
        turn, along = int(rng.integers(4)), float(rng.random())
        if turn % 2 == 0:  # back to the wall at low or high z, anywhere along x
            w, d = wide, deep
            x = inner.x0 + along * (inner.x1 - inner.x0 - w)
            z = inner.z0 if turn == 0 else inner.z1 - d
        else:  # back to the wall at low or high x, anywhere along z
            w, d = deep, wide
            x = inner.x0 if turn == 1 else inner.x1 - w
            z = inner.z0 + along * (inner.z1 - inner.z0 - d)
        floor = Rectangle(round(x, 2), round(z, 2), round(x + w, 2), round(z + d, 2))
        free = all(
            not floor.grown(BERTH).meets(other.floor) for other in others if other.room == index
        )
        if inner.grown(0.01).contains(floor) and not floor.meets(door) and free:
            return Piece(name, floor, height, index, turn)
    return None


def view_points(flat: Flat, category: str) -> np.ndarray:
    """The view points of a category, (n, 3) float64 in m, relative to the flat's corner.

    They are the points of a grid of STEP on the floor in the room of a piece of the category, at
    most REACH from its box.
    """
    found = []
    for piece in flat.of(category):
        room = flat.rooms[piece.room].floor.grown(-WALL / 2)
        near = piece.floor.grown(REACH)
        xs = _grid(max(near.x0, room.x0), min(near.x1, room.x1))
        zs = _grid(max(near.z0, room.z0), min(near.z1, room.z1))
        x, z = (grid.reshape(-1) for grid in np.meshgrid(xs, zs, indexing="ij"))
        beside = np.maximum(np.maximum(piece.floor.x0 - x, x - piece.floor.x1), 0.0)
        before = np.maximum(np.maximum(piece.floor.z0 - z, z - piece.floor.z1), 0.0)
        gap = np.hypot(beside, before)
        keep = (gap > 0.01) & (gap <= REACH)
        found.append(np.stack([x[keep], np.zeros(keep.sum()), z[keep]], axis=1))
    return np.round(np.concatenate(found), 4) if found else np.zeros((0, 3))


def _grid(low: float, high: float) -> np.ndarray:
    """The multiples of STEP from `low` to `high`."""
    return np.arange(np.ceil(low / STEP), np.floor(high / STEP) + 1) * STEP


def quads(flat: Flat) -> list[Quad]:
    """The flat's faces, relative to its corner: floor, ceiling, walls with doors, furniture."""
    faces: list[Quad] = []
    for floor, colours in [
        (flat.corridor, PLANKS[1]),
        *((room.floor, PLANKS[n % 3]) for n, room in enumerate(flat.rooms)),
    ]:
        faces += _tiles(floor, colours)
    # The ceiling has its corners reversed: it shows from below, and carries no navmesh.
    faces.append((CEILING, _level(Rectangle(0.0, 0.0, flat.width, flat.depth), HEIGHT)[::-1]))
    walls = [
        (Rectangle(-WALL, -WALL, 0.0, flat.depth + WALL), OUTSIDE),
        (Rectangle(flat.width, -WALL, flat.width + WALL, flat.depth + WALL), OUTSIDE),
        (Rectangle(0.0, -WALL, flat.width, 0.0), OUTSIDE),
        (Rectangle(0.0, flat.depth, flat.width, flat.depth + WALL), OUTSIDE),
    ]
    for index, room in enumerate(flat.rooms):
        paint, floor = PAINT[(flat.number + index) % len(PAINT)], room.floor
        if floor.x1 < flat.width:
            walls.append(
                (Rectangle(floor.x1 - WALL / 2, floor.z0, floor.x1 + WALL / 2, floor.z1), paint)
            )
        z = floor.z1 if room.north else floor.z0
        for x0, x1 in ((floor.x0, room.door), (room.door + DOOR, floor.x1)):
            walls.append((Rectangle(x0, z - WALL / 2, x1, z + WALL / 2), paint))
        faces += box(
            (room.door, DOOR_HEIGHT, z - WALL / 2), (room.door + DOOR, HEIGHT, z + WALL / 2), paint
        )
    for wall, paint in walls:
        faces += box((wall.x0, 0.0, wall.z0), (wall.x1, HEIGHT, wall.z1), paint)
    for piece in flat.pieces:
        faces += _furniture(piece)
    return faces


def corner(flat: Flat, spacing: float = SPACING) -> np.ndarray:
    """The position of a flat's corner in its scene, (3,) in m."""
    return np.array([0.0, 0.0, spacing * flat.number])


def scene(homes: Sequence[Flat] = (), spacing: float = SPACING) -> bytes:
    """The `.glb` of several flats, one mesh each; those of this module if none is named."""
    return glb(
        {
            f"flat {home.number}": [
                (colour, corners + corner(home, spacing)) for colour, corners in quads(home)
            ]
            for home in homes or [build(number) for number in range(FLATS)]
        }
    )


def write(
    folder: Path, name: str = "flats", content: bytes = b"", margin_m: float | None = None
) -> Path:
    """Write `NAME.glb` and `NAME.stage_config.json` into the folder; returns the path of the
    latter, which habitat-sim takes as a scene. `content` is that of the `.glb`: `scene()` if it is
    empty. `margin_m` is by how much surfaces are thicker for Bullet: None is habitat-sim's."""
    write_atomically(folder / f"{name}.glb", content or scene())
    stage: dict[str, Any] = {
        "render_asset": f"{name}.glb",
        "up": [0, 1, 0],
        "front": [0, 0, -1],
        "units_to_meters": 1.0,
        "requires_lighting": False,
    }
    if margin_m is not None:
        stage["margin"] = margin_m
    path = folder / f"{name}.stage_config.json"
    write_atomically(path, json.dumps(stage).encode())
    return path


@functools.cache
def written(process: int) -> str:
    """The path of the scene, written once per process to a temporary folder that is removed when
    the process ends. `process` is the process id, so that a forked process writes another copy."""
    folder, _ = temporary_folder(written, "bench-habitat-")
    return str(write(Path(folder)))


def _level(floor: Rectangle, y: float) -> np.ndarray:
    """A horizontal quad, (4, 3) in m, visible from above."""
    return np.array(
        [
            (floor.x0, y, floor.z1),
            (floor.x1, y, floor.z1),
            (floor.x1, y, floor.z0),
            (floor.x0, y, floor.z0),
        ]
    )


def _tiles(floor: Rectangle, colours: tuple[Colour, Colour]) -> list[Quad]:
    """The floor in tiles of two colours, so that motion is visible."""
    xs, zs = (
        np.append(np.arange(low, high - 0.01, TILE), high)
        for low, high in ((floor.x0, floor.x1), (floor.z0, floor.z1))
    )
    return [
        (colours[(i + j) % 2], _level(Rectangle(xs[i], zs[j], xs[i + 1], zs[j + 1]), 0.0))
        for i in range(len(xs) - 1)
        for j in range(len(zs) - 1)
    ]


def _furniture(piece: Piece) -> list[Quad]:
    """A piece's boxes at its position, turned."""
    floor = piece.floor
    faces: list[Quad] = []
    middle_x, middle_z = (floor.x0 + floor.x1) / 2, (floor.z0 + floor.z1) / 2
    origin, across, ahead = {
        0: ((middle_x, floor.z0), (1, 0), (0, 1)),
        1: ((floor.x0, middle_z), (0, -1), (1, 0)),
        2: ((middle_x, floor.z1), (-1, 0), (0, -1)),
        3: ((floor.x1, middle_z), (0, 1), (-1, 0)),
    }[piece.turn]
    for low, high, colour in PIECES[piece.name]:
        corners = [
            (origin[0] + across[0] * x + ahead[0] * z, origin[1] + across[1] * x + ahead[1] * z)
            for x, z in ((low[0], low[2]), (high[0], high[2]))
        ]
        (x0, z0), (x1, z1) = corners
        faces += box(
            (min(x0, x1), low[1], min(z0, z1)), (max(x0, x1), high[1], max(z0, z1)), colour
        )
    return faces
