"""MiniGrid's view of the cells ahead, in words, from where the agent stands.

BALROG (arXiv 2411.13543) and BabyAI-Text (arXiv 2302.02662) describe their scenes in this way: "a
red ball 2 steps forward and 1 step left".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["MEANING", "scene"]

MEANING = (
    "what is in sight, in words: how many steps ahead of the agent and to its left or right; walls "
    "only where they end its way ahead, to the left or to the right"
)
KINDS = {
    4: "door",
    5: "key",
    6: "ball",
    7: "box",
    8: "goal square",
    9: "lava",
}
"""MiniGrid's number of a kind of object -> its name; walls, floors and the unseen are not in it."""
WALL, DOOR, LAVA = 2, 4, 9
STATES = ("open", "closed", "locked")
COLOURED = frozenset({4, 5, 6, 7})


def scene(grid: np.ndarray, carried: tuple[int, int, int] | None, colours: Sequence[str]) -> str:
    """The text of a view.

    `grid`: (W, H, 3), [x, y] -> (kind, colour, state) in MiniGrid's numbers, the agent at the
    middle of the last row, y = H - 1, and looking towards y = 0. `carried`: the same three numbers
    of what it carries. `colours`: their names by number. Nearer things come first.
    """
    width, height = grid.shape[:2]
    own = width // 2
    found = []
    for x in range(width):
        for y in range(height):
            kind, colour, state = (int(number) for number in grid[x, y])
            # What the agent carries stands in its own cell.
            if kind not in KINDS or (x, y) == (own, height - 1):
                continue
            ahead, right = height - 1 - y, x - own
            name = _name(kind, colour, state, colours)
            found.append((ahead + abs(right), ahead, right, f"{name} {_place(ahead, right)}"))
    lines = [text for *_, text in sorted(found)] or ["nothing but the room"]
    lines += [f"a wall {place}" for place in _walls(grid, own)]
    if carried is not None:
        lines.append(f"you carry {_name(*carried, colours)}")
    return "\n".join(lines)


def _name(kind: int, colour: int, state: int, colours: Sequence[str]) -> str:
    words = [STATES[state]] if kind == DOOR and state < len(STATES) else []
    words += [colours[colour]] if kind in COLOURED else []
    words.append(KINDS.get(kind, "thing"))
    text = " ".join(words)
    if kind == LAVA:
        return text
    return f"{'an' if text[0] in 'aeiou' else 'a'} {text}"


def _place(ahead: int, right: int) -> str:
    parts = [f"{_steps(ahead)} ahead"] if ahead else []
    if right:
        parts.append(f"{_steps(abs(right))} to the {'right' if right > 0 else 'left'}")
    return " and ".join(parts)


def _walls(grid: np.ndarray, own: int) -> list[str]:
    """Where walls end the agent's way: straight ahead, and in its own row."""
    width, height = grid.shape[:2]
    places = []
    for dx, dy in ((0, -1), (-1, 0), (1, 0)):
        x, y = own + dx, height - 1 + dy
        while 0 <= x < width and 0 <= y < height:
            if grid[x, y, 0] == WALL:
                places.append(_place(height - 1 - y, x - own))
                break
            x, y = x + dx, y + dy
    return places


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"
