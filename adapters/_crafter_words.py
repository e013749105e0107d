"""Crafter's screen in words, in the form in which BALROG shows it to language models.

BALROG (arXiv 2411.13543) took it from SmartPlay (arXiv 2310.01557): the nearest thing of each kind
with its distance in steps and its direction, what the player faces, and what it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

__all__ = ["possessions", "scene"]

VITALS = ("health", "food", "drink", "energy")
MOST = 9
"""The most that a player has of anything."""


def scene(
    cells: np.ndarray,
    names: Sequence[str],
    player: tuple[int, int],
    facing: tuple[int, int],
    *,
    sleeping: bool,
    dead: bool,
) -> str:
    """What is on the screen.

    `cells`: (W, H) codes, x to the east and y to the south; a code is an index into `names`, and
    one beyond them a cell outside the world. `player`: its cell, (x, y). `facing`: the offset of
    the cell that it looks at.
    """
    nearest: dict[str, tuple[int, str]] = {}
    for x, y in np.ndindex(cells.shape):
        east, south = x - player[0], y - player[1]
        if (east, south) == (0, 0) or cells[x, y] >= len(names):
            continue
        name, steps = names[cells[x, y]], abs(east) + abs(south)
        if name not in nearest or steps < nearest[name][0]:
            nearest[name] = steps, _direction(east, south)
    lines = []
    if sleeping:
        lines += ["You are sleeping, and will not be able take actions until energy is full.", ""]
    elif dead:
        lines += ["You died.", ""]
    lines.append("You see:" if nearest else "You see nothing away from you.")
    for name, (steps, direction) in nearest.items():
        lines.append(f"- {name} {steps} step{'s' if steps > 1 else ''} to your {direction}")
    ahead = cells[player[0] + facing[0], player[1] + facing[1]]
    faced = names[ahead] if ahead < len(names) else "nothing"
    return "\n".join([*lines, "", f"You face {faced} at your front."])


def possessions(amounts: Mapping[str, int]) -> str:
    """The player's condition and what it carries, from the number of each, by name."""
    status = [f"- {name}: {amounts[name]}/{MOST}" for name in VITALS]
    carried = [f"- {name}: {n}" for name, n in amounts.items() if n and name not in VITALS]
    inventory = (
        ["Your inventory:", *carried] if carried else ["You have nothing in your inventory."]
    )
    return "\n".join(["Your status:", *status, "", *inventory])


def _direction(east: int, south: int) -> str:
    parts = ["north" if south < 0 else "south"] if south else []
    parts += ["west" if east < 0 else "east"] if east else []
    return "-".join(parts)
