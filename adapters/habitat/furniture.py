"""Pieces of furniture as boxes.

A piece's frame, in metres: x along its back, from -width / 2; y up from the floor; z forward from
its back at 0.
"""

from __future__ import annotations

__all__ = ["CATEGORIES", "PIECES", "SIZES"]

Colour = tuple[float, float, float]
Corner = tuple[float, float, float]
Part = tuple[Corner, Corner, Colour]
"""A box: low corner, high corner, colour."""

CATEGORIES = ("chair", "bed", "plant", "toilet", "tv_monitor", "sofa")
"""The goals of ObjectNav: the six categories of the HM3D challenge."""

WOOD, DARK, WHITE, METAL = (
    (0.42, 0.26, 0.13),
    (0.2, 0.12, 0.07),
    (0.86, 0.86, 0.83),
    (0.55, 0.57, 0.6),
)
BLUE, RED, GREEN, CLAY, BLACK = (
    (0.16, 0.25, 0.5),
    (0.55, 0.13, 0.1),
    (0.1, 0.38, 0.12),
    (0.6, 0.3, 0.18),
    (0.03, 0.03, 0.05),
)
CREAM, TEAL, GREY = (0.82, 0.74, 0.58), (0.1, 0.42, 0.42), (0.35, 0.35, 0.38)


def _legs(width: float, depth: float, height: float, thick: float, colour: Colour) -> list[Part]:
    """Four legs under a plate."""
    half = width / 2
    return [
        ((x, 0.0, z), (x + thick, height, z + thick), colour)
        for x in (-half, half - thick)
        for z in (0.0, depth - thick)
    ]


PIECES: dict[str, list[Part]] = {
    "chair": [
        *_legs(0.44, 0.46, 0.45, 0.05, WOOD),
        ((-0.22, 0.45, 0.0), (0.22, 0.5, 0.46), RED),
        ((-0.22, 0.5, 0.0), (0.22, 0.95, 0.05), WOOD),
    ],
    "bed": [
        ((-0.8, 0.0, 0.0), (0.8, 0.95, 0.08), DARK),
        ((-0.8, 0.0, 0.08), (0.8, 0.3, 2.05), DARK),
        ((-0.78, 0.3, 0.08), (0.78, 0.52, 2.03), CREAM),
        ((-0.65, 0.52, 0.12), (-0.1, 0.64, 0.5), WHITE),
        ((0.1, 0.52, 0.12), (0.65, 0.64, 0.5), WHITE),
        ((-0.78, 0.52, 0.8), (0.78, 0.56, 2.03), BLUE),
    ],
    "plant": [
        ((-0.17, 0.0, 0.0), (0.17, 0.34, 0.34), CLAY),
        ((-0.03, 0.34, 0.14), (0.03, 0.7, 0.2), WOOD),
        ((-0.2, 0.6, 0.0), (0.2, 1.0, 0.34), GREEN),
        ((-0.1, 1.0, 0.07), (0.1, 1.25, 0.27), GREEN),
    ],
    "toilet": [
        ((-0.2, 0.0, 0.0), (0.2, 0.85, 0.2), WHITE),
        ((-0.13, 0.0, 0.2), (0.13, 0.3, 0.6), WHITE),
        ((-0.19, 0.3, 0.2), (0.19, 0.42, 0.68), WHITE),
        ((-0.12, 0.42, 0.28), (0.12, 0.43, 0.6), GREY),
    ],
    "tv_monitor": [
        ((-0.7, 0.0, 0.0), (0.7, 0.45, 0.4), DARK),
        ((-0.15, 0.45, 0.12), (0.15, 0.5, 0.3), BLACK),
        ((-0.55, 0.5, 0.18), (0.55, 1.15, 0.24), BLACK),
        ((-0.5, 0.55, 0.24), (0.5, 1.1, 0.245), TEAL),
    ],
    "sofa": [
        ((-0.95, 0.0, 0.0), (0.95, 0.42, 0.85), BLUE),
        ((-0.95, 0.42, 0.0), (0.95, 0.85, 0.22), BLUE),
        ((-0.95, 0.42, 0.22), (-0.77, 0.62, 0.85), BLUE),
        ((0.77, 0.42, 0.22), (0.95, 0.62, 0.85), BLUE),
    ],
    "table": [*_legs(1.2, 0.8, 0.7, 0.07, WOOD), ((-0.6, 0.7, 0.0), (0.6, 0.75, 0.8), WOOD)],
    "wardrobe": [
        ((-0.6, 0.0, 0.0), (0.6, 2.0, 0.58), WOOD),
        ((-0.01, 0.05, 0.58), (0.01, 1.95, 0.59), DARK),
    ],
    "shelf": [
        ((-0.5, 0.0, 0.0), (0.5, 1.8, 0.04), WOOD),
        *[((-0.5, y, 0.04), (0.5, y + 0.04, 0.32), WOOD) for y in (0.0, 0.44, 0.88, 1.32, 1.76)],
        ((-0.4, 0.48, 0.08), (0.1, 0.74, 0.28), RED),
        ((-0.2, 0.92, 0.08), (0.4, 1.16, 0.28), TEAL),
    ],
    "counter": [
        ((-0.9, 0.0, 0.0), (0.9, 0.86, 0.6), WHITE),
        ((-0.92, 0.86, 0.0), (0.92, 0.9, 0.62), GREY),
        ((0.2, 0.9, 0.12), (0.65, 0.91, 0.5), METAL),
    ],
    "fridge": [
        ((-0.32, 0.0, 0.0), (0.32, 1.75, 0.64), METAL),
        ((0.2, 0.8, 0.64), (0.24, 1.3, 0.67), BLACK),
    ],
    "bathtub": [
        ((-0.8, 0.0, 0.0), (0.8, 0.55, 0.08), WHITE),
        ((-0.8, 0.0, 0.64), (0.8, 0.55, 0.72), WHITE),
        ((-0.8, 0.0, 0.08), (-0.72, 0.55, 0.64), WHITE),
        ((0.72, 0.0, 0.08), (0.8, 0.55, 0.64), WHITE),
        ((-0.72, 0.0, 0.08), (0.72, 0.15, 0.64), WHITE),
    ],
    "basin": [
        ((-0.25, 0.0, 0.0), (0.25, 0.75, 0.35), WOOD),
        ((-0.28, 0.75, 0.0), (0.28, 0.88, 0.42), WHITE),
    ],
}
"""name -> its boxes."""

SIZES = {
    name: (
        2 * max(max(-low[0], high[0]) for low, high, _ in boxes),
        max(high[1] for _, high, _ in boxes),
        max(high[2] for _, high, _ in boxes),
    )
    for name, boxes in PIECES.items()
}
"""name -> (width, height, depth), m."""
