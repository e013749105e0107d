"""Twenty household objects as coloured shapes, in the sizes of the YCB set (arXiv 1502.03143).

Each is a few boxes or a body of revolution with eight sides, centred at the origin, y up, metres.
It collides as its bounding box. `write` makes the files that habitat-sim loads.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from adapters.habitat.glb import Colour, Quad, box, glb, write_atomically

__all__ = ["THINGS", "Thing", "quads", "size", "write"]

SIDES = 8
RED, YELLOW, ORANGE, GREEN, PURPLE = (
    (0.7, 0.05, 0.05),
    (0.85, 0.72, 0.08),
    (0.85, 0.35, 0.04),
    (0.35, 0.55, 0.1),
    (0.3, 0.06, 0.3),
)
BROWN, WHITE, BLUE, SILVER, LIME = (
    (0.25, 0.13, 0.05),
    (0.85, 0.85, 0.82),
    (0.06, 0.16, 0.6),
    (0.6, 0.6, 0.62),
    (0.62, 0.8, 0.1),
)

Ring = tuple[float, float]
"""(height, radius) of a body of revolution, m."""
Block = tuple[tuple[float, float, float], tuple[float, float, float], Colour]
"""(low corner, high corner, colour) of a box."""


@dataclasses.dataclass(frozen=True)
class Thing:
    """An object: its mass, and either boxes or bodies of revolution about y."""

    mass: float
    """kg."""
    blocks: tuple[Block, ...] = ()
    turned: tuple[tuple[tuple[Ring, ...], Colour], ...] = ()
    """(rings from the bottom up, colour) of each body."""


def _ball(radius: float, high: float = 1.0) -> tuple[Ring, ...]:
    """The rings of an ellipsoid whose height is `high` times its width."""
    angles = (-1.35, -0.8, 0.0, 0.8, 1.35)
    return tuple((high * radius * math.sin(angle), radius * math.cos(angle)) for angle in angles)


def _block(x: float, y: float, z: float, colour: Colour) -> Block:
    """A box of these lengths about the origin."""
    return ((-x / 2, -y / 2, -z / 2), (x / 2, y / 2, z / 2), colour)


THINGS = {
    "apple": Thing(0.068, turned=((_ball(0.038), RED), (((0.03, 0.004), (0.05, 0.003)), BROWN))),
    "banana": Thing(
        0.066,
        blocks=(
            ((-0.095, -0.018, -0.01), (-0.045, 0.014, 0.022), YELLOW),
            ((-0.05, -0.018, -0.026), (0.05, 0.018, 0.008), YELLOW),
            ((0.045, -0.018, -0.01), (0.095, 0.014, 0.022), YELLOW),
            ((0.095, -0.008, 0.006), (0.106, 0.008, 0.02), BROWN),
        ),
    ),
    "lemon": Thing(0.029, turned=((_ball(0.027, 1.25), YELLOW),)),
    "orange": Thing(0.047, turned=((_ball(0.037), ORANGE),)),
    "pear": Thing(
        0.049,
        turned=(
            (((-0.05, 0.014), (-0.03, 0.034), (0.0, 0.03), (0.03, 0.016), (0.05, 0.008)), GREEN),
        ),
    ),
    "plum": Thing(0.025, turned=((_ball(0.026), PURPLE),)),
    "strawberry": Thing(
        0.018,
        turned=(
            (((-0.024, 0.004), (0.0, 0.018), (0.016, 0.02)), RED),
            (((0.016, 0.016), (0.024, 0.008)), GREEN),
        ),
    ),
    "soup can": Thing(
        0.349,
        turned=(
            (((-0.05, 0.034), (0.048, 0.034)), RED),
            (((0.048, 0.032), (0.05, 0.032)), SILVER),
        ),
    ),
    "tuna can": Thing(
        0.171,
        turned=(
            (((-0.0165, 0.042), (0.014, 0.042)), BLUE),
            (((0.014, 0.04), (0.0165, 0.04)), SILVER),
        ),
    ),
    "mustard bottle": Thing(
        0.6,
        turned=(
            (((-0.09, 0.035), (0.05, 0.035), (0.065, 0.018)), YELLOW),
            (((0.065, 0.014), (0.095, 0.006)), RED),
        ),
    ),
    "cleanser bottle": Thing(
        1.1,
        turned=(
            (((-0.12, 0.045), (0.06, 0.045), (0.08, 0.02)), WHITE),
            (((0.08, 0.02), (0.12, 0.018)), BLUE),
        ),
    ),
    "cracker box": Thing(
        0.411,
        blocks=(
            _block(0.16, 0.21, 0.06, RED),
            ((-0.081, 0.02, -0.031), (0.081, 0.07, 0.031), YELLOW),
        ),
    ),
    "sugar box": Thing(
        0.514,
        blocks=(
            _block(0.09, 0.175, 0.038, WHITE),
            ((-0.046, -0.03, -0.02), (0.046, 0.03, 0.02), BLUE),
        ),
    ),
    "mug": Thing(
        0.118,
        blocks=(((0.036, -0.025, -0.006), (0.06, 0.025, 0.006), BLUE),),
        turned=((((-0.04, 0.036), (0.04, 0.04)), BLUE), (((0.04, 0.036), (0.041, 0.036)), BROWN)),
    ),
    "bowl": Thing(
        0.147,
        turned=(
            (((-0.027, 0.035), (-0.01, 0.065), (0.025, 0.08)), ORANGE),
            (((0.025, 0.076), (0.026, 0.076)), WHITE),
        ),
    ),
    "plate": Thing(
        0.279,
        turned=(
            (((-0.012, 0.07), (0.01, 0.11)), WHITE),
            (((0.01, 0.08), (0.012, 0.08)), BLUE),
        ),
    ),
    "sponge": Thing(
        0.02,
        blocks=(
            ((-0.055, -0.018, -0.035), (0.055, 0.008, 0.035), YELLOW),
            ((-0.055, 0.008, -0.035), (0.055, 0.018, 0.035), GREEN),
        ),
    ),
    "wooden block": Thing(0.3, blocks=(_block(0.07, 0.07, 0.07, BROWN),)),
    "tennis ball": Thing(0.058, turned=((_ball(0.033), LIME),)),
    "puzzle cube": Thing(
        0.1,
        blocks=(
            _block(0.057, 0.057, 0.057, RED),
            ((-0.0288, -0.0095, -0.0288), (0.0288, 0.0095, 0.0288), BLUE),
            ((-0.0095, -0.0288, -0.0286), (0.0095, 0.0288, 0.0286), WHITE),
        ),
    ),
}
"""Name in the instruction -> the object."""


def quads(thing: Thing) -> list[Quad]:
    """The faces of an object, centred at the middle of its bounding box."""
    faces = [face for low, high, colour in thing.blocks for face in box(low, high, colour)]
    faces += [face for rings, colour in thing.turned for face in _revolved(rings, colour)]
    points = np.concatenate([corners for _, corners in faces])
    middle = (points.min(0) + points.max(0)) / 2
    return [(colour, corners - middle) for colour, corners in faces]


def size(thing: Thing) -> np.ndarray:
    """The lengths of an object's bounding box, (3,) in m."""
    points = np.concatenate([corners for _, corners in quads(thing)])
    lengths: np.ndarray = points.max(0) - points.min(0)
    return lengths


def write(folder: Path) -> list[str]:
    """Write a `.glb` and an `.object_config.json` of each object; returns the paths of the latter,
    in the order of THINGS."""
    paths = []
    for name, thing in THINGS.items():
        stem = name.replace(" ", "_")
        write_atomically(folder / f"{stem}.glb", glb({name: quads(thing)}))
        config = {
            "render_asset": f"{stem}.glb",
            "up": [0, 1, 0],
            "front": [0, 0, -1],
            "units_to_meters": 1.0,
            "requires_lighting": False,
            "use_bounding_box_for_collision": True,
            "mass": thing.mass,
            "friction_coefficient": 0.8,
            "restitution_coefficient": 0.0,
        }
        path = folder / f"{stem}.object_config.json"
        write_atomically(path, json.dumps(config).encode())
        paths.append(str(path))
    return paths


def _revolved(rings: Sequence[Ring], colour: Colour) -> list[Quad]:
    """The faces of a body of revolution: sides between neighbouring rings, and both ends."""
    angles = np.arange(SIDES) * 2 * math.pi / SIDES
    circles = [
        np.stack([radius * np.cos(angles), np.full(SIDES, y), -radius * np.sin(angles)], axis=1)
        for y, radius in rings
    ]
    faces: list[Quad] = []
    for number, above in enumerate(circles[1:]):
        below = circles[number]
        for i in range(SIDES):
            j = (i + 1) % SIDES
            light = 0.75 + 0.15 * math.cos(angles[i])  # unlit sides of one colour look flat
            faces.append(
                (_dimmed(colour, light), np.array([below[i], below[j], above[j], above[i]]))
            )
    for circle, light in ((circles[0][::-1], 0.5), (circles[-1], 1.0)):
        faces += [
            (_dimmed(colour, light), circle[list(indices)])
            for indices in ((0, 1, 2, 3), (0, 3, 4, 7), (4, 5, 6, 7))
        ]
    return faces


def _dimmed(colour: Colour, light: float) -> Colour:
    red, green, blue = colour
    return (round(red * light, 4), round(green * light, 4), round(blue * light, 4))
