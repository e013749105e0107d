"""Names of keys: those of Playwright, Selenium and X are taken for those that a spec lists.

Standard library only; runs on Python 3.9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["key_named"]

LONGEST = 80
"""Characters of the longest name that is looked up."""

ALIASES: Mapping[str, str] = {
    "alternate": "alt",
    "back": "backspace",
    "cmd": "meta",
    "command": "meta",
    "controlormeta": "control",
    "ctrl": "control",
    "del": "delete",
    "down": "arrowdown",
    "esc": "escape",
    "ins": "insert",
    "left": "arrowleft",
    "leftalt": "alt",
    "leftcontrol": "control",
    "leftshift": "shift",
    "next": "pagedown",
    "option": "alt",
    "pgdn": "pagedown",
    "pgup": "pageup",
    "prior": "pageup",
    "return": "enter",
    "right": "arrowright",
    "spacebar": "space",
    "super": "meta",
    "up": "arrowup",
    "win": "meta",
}
"""Another name, in lower case and without separators -> the name of UI events (W3C)."""

_IN_ORDER = (
    "backspace", "tab", "clear", "enter", "enter", "shift", "control", "alt", "pause", "escape",
    "space", "pageup", "pagedown", "end", "home", "arrowleft", "arrowup", "arrowright", "arrowdown",
    "insert", "delete",
)  # fmt: skip
SELENIUM = dict(zip(map(chr, range(0xE003, 0xE018)), _IN_ORDER))
"""The characters that stand for keys in Selenium (W3C WebDriver, 17.4.2): Keys.ENTER is U+E007."""
SELENIUM["\ue03d"] = "meta"


def _canonical(name: str) -> tuple[str, ...]:
    """The keys that a name stands for, each in one spelling: "Keys.CONTROL+a" -> (control, a)."""
    spelt = "".join(f"+{SELENIUM[each]}+" if each in SELENIUM else each for each in name)
    parts = []
    for part in spelt.split("+"):
        bare = part.strip()
        if bare.lower().startswith("keys."):
            bare = bare[len("keys.") :]
        plain = bare.lower() if len(bare) == 1 else bare.lower().replace("_", "").replace("-", "")
        plain = "space" if part == " " else plain.replace(" ", "")
        if plain.startswith("key") and len(plain) == len("key") + 1:
            plain = plain[-1]
        if plain:
            parts.append(ALIASES.get(plain, plain))
    return tuple(parts)


def key_named(name: str, keys: Sequence[str]) -> str | None:
    """The one of `keys` that `name` means, or None.

    A name that is among them means itself. Otherwise case, separators, the prefix `Keys.` and the
    names that other programs have for a key make no difference, nor does the order of modifiers.
    """
    if name in keys:
        return name
    wanted = _canonical(name) if len(name) <= LONGEST else ()
    if not wanted:
        return None
    for key in keys:
        have = _canonical(key)
        if have and have[-1] == wanted[-1] and sorted(have) == sorted(wanted):
            return key
    return None
