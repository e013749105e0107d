"""What is on a screen: `Elements`, each with its box in px. See harness.core.ui."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from harness.core.coercion import shown, text_problem

__all__ = ["Element", "Elements"]


@dataclass(frozen=True)
class Element:
    """Something on the screen, with its box in px.

    What is scrolled out of the screen may be listed too; its box then lies beyond the edges.
    """

    ref: int
    """Its number in this observation; the next observation may number elements differently."""
    parent: int
    """The ref of the listed element that contains it; 0 where there is none."""
    tag: str
    """The tag in a web page, the widget's class in an app."""
    text: str
    """Its text without that of the elements in it; of a list its choices, one on each line."""
    value: str
    """What was entered: the content of a field, the chosen line of a list."""
    name: str
    """Its name in the source: the id in a web page, the resource in an app."""
    classes: tuple[str, ...]
    x: float
    y: float
    width: float
    height: float
    flags: tuple[str, ...] = ()
    """Those that hold of `focused`, `checked`, `disabled`, `clickable`, `editable`,
    `scrollable`."""
    color: str = ""
    background: str = ""

    @property
    def center(self) -> tuple[float, float]:
        """The centre of its box, (x, y) in px."""
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True)
class Elements:
    """A tuple of Element, in the order of the document; an element comes after its parent.

    For observations only.
    """

    meaning: str = ""

    def problem(self, value: Any) -> str | None:
        """Why `value` does not conform, or None."""
        if not isinstance(value, tuple):
            return f"expected a tuple of Element, got {type(value).__name__}"
        known = {0}
        for element in value:
            if not isinstance(element, Element):
                return f"expected a tuple of Element, which holds a {type(element).__name__}"
            if element.ref in known:
                return f"two elements have the ref {element.ref}, or it is 0"
            if element.parent not in known:
                return (
                    f"the element {element.ref} comes before its parent {element.parent}, or that "
                    "is not listed"
                )
            box = (element.x, element.y, element.width, element.height)
            if (
                not all(isinstance(number, float) and math.isfinite(number) for number in box)
                or min(box[2:]) < 0
            ):
                return (
                    f"the box {box} of the element {element.ref} must hold finite floats, with a "
                    "width and height of 0 or more"
                )
            if (problem := _problem_of_texts(element)) is not None:
                return f"the element {element.ref}: {problem}"
            known.add(element.ref)
        return None


def _problem_of_texts(element: Element) -> str | None:
    own = (
        element.tag, element.text, element.value, element.name, element.color, element.background
    )  # fmt: skip
    try:
        return text_problem("".join((*own, *element.classes, *element.flags)))
    except TypeError:
        return f"it must hold texts, and tuples of them, got {shown(element)}"
