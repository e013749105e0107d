"""The names of NetHack's keys, as NLE lists them in `nle.nethack.actions`.

A name ends with its key in brackets, since a prompt such as "What do you want to eat? [de or ?*]"
is answered with the key of another action.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["names_of", "neutral_of"]

COMPASS = {
    "N": "north",
    "E": "east",
    "S": "south",
    "W": "west",
    "NE": "northeast",
    "SE": "southeast",
    "SW": "southwest",
    "NW": "northwest",
}
PREFIXES = {
    "CompassDirection": "",
    "CompassCardinalDirection": "",
    "CompassDirectionLonger": "far ",
}
HARMLESS = ("ESC", "WAIT", "SEARCH")
"""What does nothing, or only waits, best first."""


def names_of(actions: Sequence[Any]) -> tuple[str, ...]:
    """A name for each action, such as `far north (K)`, `eat (e)` and `kick (^D)`.

    actions: members of NLE's enumerations.
    """
    return tuple(f"{_word(action)} ({_key(int(action))})" for action in actions)


def neutral_of(actions: Sequence[Any]) -> int:
    """The index of the action that does nothing or least; 0 where all of them do something."""
    names = [action.name for action in actions]
    return next((names.index(name) for name in HARMLESS if name in names), 0)


def _word(action: Any) -> str:
    prefix = PREFIXES.get(type(action).__name__)
    if prefix is not None:
        return prefix + COMPASS[action.name]
    word: str = action.name.lower()
    return word[4:] if word.startswith("num_") else word


def _key(code: int) -> str:
    """A key as a person would write it: `a`, `^D` with control, `M-p` with meta."""
    if code >= 128:
        return f"M-{_key(code - 128)}"
    if code < 32:
        return f"^{chr(code + 64)}"
    return "space" if code == 32 else chr(code)
