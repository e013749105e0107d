"""Flats with receptacles that an arm reaches, for the skills pick, place and nav. Metres, y up.

They are built as those of `flat.py`, from other numbers and with other furniture. Homes 0 to 59 are
for training, 60 to 79 for evaluation: no task of ours plays the former. All homes of a split are
parts of one scene, SPACING apart along z.
"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import numpy as np

from adapters._temporary import temporary_folder
from adapters.habitat import flat
from adapters.habitat.flat import Flat, Piece, Rectangle

__all__ = ["RECEPTACLES", "SPACING", "SPLITS", "Receptacle", "build", "receptacles", "written"]

SPLITS = {"train": range(60), "eval": range(60, 80)}
"""Name of a split -> the numbers of its homes."""
SPACING = 16.0
"""m; a home is at most 9.7 m deep. Outer walls hide the next one."""
MARGIN = 0.002
"""m: by how much surfaces are thicker for Bullet, as high as objects start above them. With
habitat-sim's 0.04 they would start inside of the furniture, be thrown out, and roll away."""
ROOMS = {
    "living room": ("sofa", "tv_stand", "chair"),
    "kitchen": ("worktop", "sink", "low_fridge"),
    "bedroom": ("bed", "cabinet"),
    "bathroom": ("bathtub", "toilet"),
    "study": ("table", "low_shelf", "plant"),
    "guest room": ("table", "cabinet"),
}
RECEPTACLES: dict[str, tuple[str, tuple[float, float, float, float], float]] = {
    "counter": ("worktop", (-0.7, 0.7, 0.3, 0.56), 0.9),
    "table": ("table", (-0.5, 0.5, 0.48, 0.74), 0.75),
    "sofa": ("sofa", (-0.7, 0.7, 0.5, 0.8), 0.42),
    "bed": ("bed", (-0.7, 0.7, 1.68, 1.96), 0.56),
    "chair": ("chair", (-0.16, 0.16, 0.12, 0.4), 0.5),
    "shelf": ("low_shelf", (-0.42, 0.42, 0.08, 0.3), 0.9),
    "cabinet": ("cabinet", (-0.4, 0.4, 0.14, 0.4), 0.8),
    "tv stand": ("tv_stand", (-0.62, 0.62, 0.16, 0.4), 0.5),
    "sink": ("sink", (-0.36, 0.36, 0.3, 0.52), 0.88),
    "fridge": ("low_fridge", (-0.24, 0.24, 0.22, 0.5), 0.85),
}
"""Name in the instruction -> (piece of furniture, the part of its top on which objects start, as
(x0, x1, z0, z1) in the piece's frame, the height of that top), m."""


@dataclasses.dataclass(frozen=True)
class Receptacle:
    """A piece of furniture on which things stand. Coordinates are those of the home's corner."""

    name: str
    piece: Piece
    top: Rectangle
    """The part of its top on which objects start."""
    height: float
    """Of that top, m."""

    @property
    def centre(self) -> np.ndarray:
        """The middle of `top`, (3,) in m."""
        top = self.top
        return np.array([(top.x0 + top.x1) / 2, self.height, (top.z0 + top.z1) / 2])

    @property
    def front(self) -> np.ndarray:
        """The direction from its back to its front, (3,)."""
        ways = ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (-1.0, 0.0, 0.0))
        return np.array(ways[self.piece.turn])

    def before(self, point: np.ndarray | None = None, away: float = 0.42) -> np.ndarray:
        """The place on the floor in front of `point` (3,), or of `centre`, `away` m from its front
        edge, (3,)."""
        of, floor, front = self.centre if point is None else point, self.piece.floor, self.front
        edge = {0: floor.z1 - of[2], 1: floor.x1 - of[0], 2: of[2] - floor.z0, 3: of[0] - floor.x0}
        found: np.ndarray = of * (1, 0, 1) + front * (edge[self.piece.turn] + away)
        return found

    def above(self, point: np.ndarray) -> tuple[float, float]:
        """(the distance along the floor from `point` (3,) to the piece, its height above the top),
        m. The distance is 0 where the point lies above the piece."""
        floor = self.piece.floor
        x = max(floor.x0 - point[0], point[0] - floor.x1, 0.0)
        z = max(floor.z0 - point[2], point[2] - floor.z1, 0.0)
        return float(np.hypot(x, z)), float(point[1] - self.height)


def build(number: int) -> Flat:
    """Home `number`, the same on every machine."""
    return flat.build(number, "habitat home", ROOMS)


def receptacles(home: Flat) -> tuple[Receptacle, ...]:
    """All receptacles of a home, in the order of RECEPTACLES."""
    return tuple(
        Receptacle(name, piece, _on_the_floor(piece, area), height)
        for name, (kind, area, height) in RECEPTACLES.items()
        for piece in home.of(kind)
    )


def corner(home: Flat) -> np.ndarray:
    """The position of a home's corner in the scene, (3,) in m."""
    return flat.corner(home, SPACING)


@functools.cache
def written(split: str, process: int) -> str:
    """The path of a split's scene, written once per process to a temporary folder that is removed
    when the process ends. `process` is the process id: a forked process writes another copy."""
    folder, _ = temporary_folder(written, "bench-habitat-")
    # Numbered from 0 on, as `corner` is asked for them.
    homes = [
        dataclasses.replace(build(number), number=index)
        for index, number in enumerate(SPLITS[split])
    ]
    scene = flat.scene(homes, SPACING)
    return str(flat.write(Path(folder), f"homes-{split}", scene, MARGIN))


def _on_the_floor(piece: Piece, area: tuple[float, float, float, float]) -> Rectangle:
    """An area of a piece's frame as it lies in the home."""
    x0, x1, z0, z1 = area
    floor = piece.floor
    middle_x, middle_z = (floor.x0 + floor.x1) / 2, (floor.z0 + floor.z1) / 2
    if piece.turn == 0:
        found = (middle_x + x0, floor.z0 + z0, middle_x + x1, floor.z0 + z1)
    elif piece.turn == 1:
        found = (floor.x0 + z0, middle_z - x1, floor.x0 + z1, middle_z - x0)
    elif piece.turn == 2:
        found = (middle_x - x1, floor.z1 - z1, middle_x - x0, floor.z1 - z0)
    else:
        found = (floor.x1 - z1, middle_z + x0, floor.x1 - z0, middle_z + x1)
    return Rectangle(*(round(float(value), 4) for value in found))
