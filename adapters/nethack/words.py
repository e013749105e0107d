"""NetHack's screen in words, with the parts and in the order in which BALROG shows them.

BALROG (arXiv 2411.13543) takes the words of what is in sight from the NetHack Language Wrapper;
these are ours, from the game's own descriptions of the cells.
"""

from __future__ import annotations

import numpy as np

__all__ = ["inventory", "lines_of", "scene", "text_of", "whole"]

GROUND = frozenset(
    {"", "stone", "dark part of a room", "floor of a room", "corridor", "lit corridor", "wall"}
)
"""Descriptions that are not told: the map shows them."""


def text_of(codes: np.ndarray) -> str:
    """The text of a row of bytes that ends with a zero byte."""
    return codes.tobytes().partition(b"\0")[0].decode("latin-1").strip()


def lines_of(screen: np.ndarray) -> list[str]:
    """The lines of a screen, uint8 (24, 80), without the blanks at their ends."""
    return [row.tobytes().decode("latin-1").replace("\0", " ").rstrip() for row in screen]


def inventory(letters: np.ndarray, names: np.ndarray) -> str:
    """What is carried, a line for each thing: `a: a +1 dagger (weapon in hand)`.

    letters: uint8 (55,), 0 where nothing is; names: uint8 (55, 80).
    """
    found = [f"{chr(letter)}: {text_of(name)}" for letter, name in zip(letters, names) if letter]
    return "\n".join(found)


def scene(descriptions: np.ndarray, x: int, y: int) -> str:
    """Everything in sight but floors and walls, the nearest first.

    descriptions: uint8 (21, 79, 80), of the cell [y, x]; `x`, `y`: the hero's cell. A line says how
    many cells to the south and to the east: `kobold 2 south 1 east`.
    """
    found = []
    for row, column in np.argwhere(descriptions[:, :, 0]):
        what = text_of(descriptions[row, column])
        east, south = int(column) - x, int(row) - y
        if what in GROUND or (east, south) == (0, 0):
            continue
        found.append((max(abs(east), abs(south)), int(row), int(column), _line(what, south, east)))
    return "\n".join(line for *_, line in sorted(found)) or "nothing but the ground"


def whole(
    message: str, seen: str, cursor: tuple[int, int], under: str, screen: list[str], carried: str
) -> str:
    """All that is told in a step. cursor: its (row, column) on the screen; under: what is there."""
    row, column = cursor
    parts = {
        "message": message,
        "language observation": seen,
        "cursor": f"{under}\n(x={column}, y={row})",
        "map": "\n".join(screen[1:]).rstrip(),
        "inventory": carried,
    }
    return "\n\n".join(f"{name}:\n{part}" for name, part in parts.items())


def _line(what: str, south: int, east: int) -> str:
    parts = [f"{abs(south)} {'south' if south > 0 else 'north'}"] if south else []
    parts += [f"{abs(east)} {'east' if east > 0 else 'west'}"] if east else []
    return " ".join([what, *parts])
