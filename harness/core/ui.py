"""User interfaces: actions on a screen. What it shows is in harness.core.elements.

Pixels are those of the screen (CSS pixels in a browser): x to the right and y down from the top
left corner. Standard library and numpy only; runs on Python 3.9.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import numbers
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.core.coercion import Coercing, shown, text_problem, unfit
from harness.core.errors import BadAction
from harness.core.keys import key_named

__all__ = ["DIRECTIONS", "UI", "UI_KINDS", "UIAction"]

DIRECTIONS = ("up", "down", "left", "right")
LARGEST_REF = 2**31 - 1


@dataclass(frozen=True)
class _Fields:
    """The fields of the actions of one kind: those it needs, and those it may have."""

    needs: tuple[str, ...] = ()
    """`at` stands for a place: x and y, or ref."""
    takes: tuple[str, ...] = ()


FIELDS: Mapping[str, _Fields] = {
    "click": _Fields(("at",), ("modifier",)),
    "double_click": _Fields(("at",)),
    "long_press": _Fields(("at",)),
    "hover": _Fields(("at",)),
    "mouse_down": _Fields(("at",)),
    "mouse_up": _Fields(("at",)),
    "drag": _Fields(("at", "to")),
    "type": _Fields(("text",), ("at",)),
    "key": _Fields(("text",), ("at",)),
    "scroll": _Fields(("direction",), ("at", "amount")),
    "open_app": _Fields(("text",)),
    "navigate_back": _Fields(),
    "navigate_home": _Fields(),
    "wait": _Fields(),
}
UI_KINDS = tuple(FIELDS)
"""All kinds of action; see UIAction."""


@dataclass(frozen=True)
class UIAction:
    """One action on a screen.

    A place is a point in px, `x` and `y`, or an element, `ref`: its centre, scrolled into view.

    click, double_click, long_press    at a place; a click may hold the key `modifier`
                                       ("Control", "Shift")
    hover, mouse_down, mouse_up        move the pointer to a place; press or release its button
    drag                               from a place to `to_x`, `to_y`, or to the element `to_ref`
    type                               the text `text`; a place is clicked first
    key                                the key or keys `text` ("Enter", "Control+A"); a place is
                                       clicked first. Names of Playwright and Selenium are taken
                                       too: "ArrowDown", "Control+a", "Keys.ENTER"
    scroll                             in `direction` (up shows what is above), by `amount` px, at
                                       a place
    open_app                           the application called `text`
    navigate_back, navigate_home       the system's buttons
    wait                               nothing, while the screen goes on
    """

    kind: str
    x: float | None = None
    y: float | None = None
    ref: int | None = None
    """An Element's `ref` in the newest observation."""
    to_x: float | None = None
    to_y: float | None = None
    to_ref: int | None = None
    text: str | None = None
    direction: str | None = None
    amount: float | None = None
    modifier: str | None = None

    def fields(self) -> dict[str, Any]:
        """The fields that are not None."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def encode(self) -> str:
        """Compact JSON, of which `decode` makes an equal action."""
        return json.dumps(self.fields(), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> UIAction:
        """The action that `encode` wrote. Raises BadAction on anything else."""
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError) as wrong:
            raise BadAction(f"{text!r:.200} is no encoded UI action: {wrong}") from None


ACTION_FIELDS = frozenset(field.name for field in dataclasses.fields(UIAction))


@dataclass(frozen=True)
class UI(Coercing[UIAction]):
    """Which UIActions an environment takes, on a screen of `width` x `height` px.

    Points have 0 <= x < width and 0 <= y < height.
    """

    width: int
    height: int
    kinds: tuple[str, ...]
    keys: tuple[str, ...] = ()
    """What `key` may press: names, as in `UIAction.text`."""
    modifiers: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    """What `open_app` may open; empty: any name."""
    texts: tuple[str, ...] = ("text",)
    """The texts that `sample` types."""
    max_length: int = 1000
    """The largest number of characters of `UIAction.text`."""
    refs: bool = True
    """Whether a place may be named by an element's ref."""
    meaning: str = ""

    def __post_init__(self) -> None:
        unknown = set(self.kinds) - set(UI_KINDS)
        if unknown or "wait" not in self.kinds or self.width < 1 or self.height < 1:
            raise ValueError(
                f"UI: needs a screen, and of the kinds {', '.join(UI_KINDS)} at least wait, which "
                f"does nothing; got {self}"
            )
        if "key" in self.kinds and not self.keys:
            raise ValueError("UI: the kind key needs keys")

    def coerce(self, action: Any) -> tuple[UIAction, bool]:
        """The action, and whether a point was moved onto the screen.

        `action`: a UIAction, or a mapping of its fields. Raises BadAction on an unknown kind or
        field, on a field that is missing or that the kind does not have, and on unknown values.
        """
        try:
            return self._converted(action)
        except BadAction:
            raise
        except Exception as fault:
            raise unfit(action, fault) from None

    def _converted(self, action: Any) -> tuple[UIAction, bool]:
        given = self._given(action)
        kind = given.pop("kind", None)
        if not isinstance(kind, str) or kind not in self.kinds:
            raise BadAction(
                f"the kind of UI action {shown(kind)} does not exist here; expected one of "
                f"{', '.join(self.kinds)}"
            )
        form = FIELDS[kind]
        taken: dict[str, Any] = {}
        clipped = False
        for what, names in (("at", ("x", "y", "ref")), ("to", ("to_x", "to_y", "to_ref"))):
            if what in form.needs or (what in form.takes and any(name in given for name in names)):
                place, moved = self._place(kind, names, given)
                taken.update(place)
                clipped |= moved
        for name in ("text", "direction", "amount", "modifier"):
            if name in form.needs or (name in form.takes and name in given):
                taken[name] = getattr(self, f"_{name}")(kind, given.pop(name, None))
        if given:
            raise BadAction(
                f"a {kind} has no {' or '.join(sorted(given))}; it takes {_described(form)}"
            )
        return UIAction(str.__str__(kind), **taken), clipped

    def _out_of_bounds(self, action: Any) -> str:
        return (
            f"the action {shown(action)} points outside of the screen of {self.width} x "
            f"{self.height} px"
        )

    def sample(self, rng: np.random.Generator) -> UIAction:
        """A random kind, each with the same probability, at uniform whole pixels.

        The text, key or app is one of those that the spec names.
        """
        kind = self._sampled[int(rng.integers(len(self._sampled)))]
        form = FIELDS[kind]
        fields: dict[str, Any] = {}
        if "at" in form.needs or kind == "scroll":
            fields["x"], fields["y"] = self._point(rng)
        if "to" in form.needs:
            fields["to_x"], fields["to_y"] = self._point(rng)
        if "direction" in form.needs:
            fields["direction"] = DIRECTIONS[int(rng.integers(len(DIRECTIONS)))]
        if "text" in form.needs:
            choices = {"type": self.texts, "key": self.keys, "open_app": self.apps}[kind]
            fields["text"] = choices[int(rng.integers(len(choices)))]
        return UIAction(kind, **fields)

    def noop(self) -> UIAction:
        return UIAction("wait")

    @functools.cached_property
    def _sampled(self) -> tuple[str, ...]:
        choices = {"type": self.texts, "open_app": self.apps}
        return tuple(kind for kind in self.kinds if choices.get(kind, True))

    def _point(self, rng: np.random.Generator) -> tuple[float, float]:
        return float(rng.integers(self.width)), float(rng.integers(self.height))

    def _given(self, action: Any) -> dict[str, Any]:
        if isinstance(action, UIAction):
            return action.fields()
        if not isinstance(action, Mapping):
            raise BadAction(
                f"expected a UIAction or a mapping of its fields, got {type(action).__name__} "
                f"{shown(action)}"
            )
        unknown = [name for name in action if name not in ACTION_FIELDS]
        if unknown:
            raise BadAction(
                f"a UI action has no field {shown(unknown[0])}; its fields are "
                f"{', '.join(sorted(ACTION_FIELDS))}"
            )
        return {name: value for name, value in action.items() if value is not None}

    def _place(
        self, kind: str, names: tuple[str, str, str], given: dict[str, Any]
    ) -> tuple[dict[str, Any], bool]:
        x_name, y_name, ref_name = names
        x, y, ref = (given.pop(name, None) for name in names)
        if (ref is None) == (x is None and y is None):
            raise BadAction(
                f"a {kind} needs {x_name} and {y_name}, or {ref_name}, and not both; got "
                f"{shown(x)}, {shown(y)} and {shown(ref)}"
            )
        if ref is not None:
            if not self.refs:
                raise BadAction(
                    f"elements have no refs here: give the {kind} {x_name} and {y_name}"
                )
            try:
                number = operator.index(ref)
            except TypeError:
                number = -1
            if isinstance(ref, (bool, np.bool_)) or not 0 <= number <= LARGEST_REF:
                raise BadAction(
                    f"{ref_name} must be the ref of an element, an integer, got {shown(ref)}"
                )
            return {ref_name: int(number)}, False
        place, moved = {}, False
        for name, value, size in ((x_name, x, self.width), (y_name, y, self.height)):
            wanted = _number(kind, name, value)
            place[name] = max(wanted, 0.0) if wanted < size else size - 1.0
            moved |= place[name] != wanted
        return place, moved

    def _text(self, kind: str, text: Any) -> str:
        if not isinstance(text, str) or not text:
            raise BadAction(f"a {kind} needs a text that is not empty, got {shown(text)}")
        plain: str = str.__str__(text)  # of a subclass too
        if kind == "key":
            key = key_named(plain, self.keys)
            if key is None:
                raise BadAction(
                    f"the key {shown(plain)} does not exist here; expected one of "
                    f"{', '.join(self.keys)}"
                )
            return key
        if kind == "open_app" and self.apps and plain not in self.apps:
            raise BadAction(
                f"the app {shown(plain)} does not exist here; expected one of "
                f"{', '.join(self.apps)}"
            )
        if len(plain) > self.max_length:
            raise BadAction(f"expected at most {self.max_length} characters, got {len(plain)}")
        if (problem := text_problem(plain)) is not None:
            raise BadAction(problem)
        return plain

    def _direction(self, kind: str, direction: Any) -> str:
        if not isinstance(direction, str) or direction not in DIRECTIONS:
            raise BadAction(
                f"a {kind} needs a direction, one of {', '.join(DIRECTIONS)}, got "
                f"{shown(direction)}"
            )
        return str.__str__(direction)

    def _amount(self, kind: str, amount: Any) -> float:
        number = _number(kind, "amount", amount)
        if number <= 0:
            raise BadAction(f"the amount of a {kind} must be above 0 px, got {number}")
        return number

    def _modifier(self, kind: str, modifier: Any) -> str:
        held = (
            key_named(str.__str__(modifier), self.modifiers) if isinstance(modifier, str) else None
        )
        if held is None:
            raise BadAction(
                f"the modifier {shown(modifier)} of a {kind} does not exist here; expected one of "
                f"{', '.join(self.modifiers) or 'none'}"
            )
        return held


def _number(kind: str, name: str, value: Any) -> float:
    if (
        isinstance(value, (bool, np.bool_))
        or not isinstance(value, (numbers.Real, np.number))
        or not math.isfinite(value)
    ):
        raise BadAction(f"a {kind} needs a finite number as {name}, got {shown(value)}")
    return float(value)


def _described(form: _Fields) -> str:
    words = {"at": "a place (x and y, or ref)", "to": "another place (to_x and to_y, or to_ref)"}
    return ", ".join(words.get(name, name) for name in (*form.needs, *form.takes)) or "nothing"
