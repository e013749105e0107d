"""What a script sees of a page, and what all scripts need."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.miniwob.page import Page
from harness.core import UIAction

__all__ = ["WAIT", "Expert", "Found", "Look", "click", "plain"]

Expert = Callable[[Page, str], "UIAction | None"]
"""The next action on a page, given the utterance; None where it cannot go on."""

WAIT = UIAction("wait")


@dataclass(frozen=True)
class Found:
    """An element found by a selector; its box is in px."""

    ref: int
    text: str
    """All of its text, including that of its descendants."""
    value: str
    checked: bool
    focused: bool
    selected: bool
    """Whether the whole content of a field is selected."""
    x: float
    y: float
    width: float
    height: float
    classes: str
    name: str
    """The id."""
    data: Mapping[str, str]

    @property
    def center(self) -> tuple[float, float]:
        """(x, y) in px."""
        return self.x + self.width / 2, self.y + self.height / 2


def click(found: Found | None) -> UIAction | None:
    """Click the element; None if there is none."""
    return None if found is None else UIAction("click", ref=found.ref)


class Look:
    """One look at a page."""

    def __init__(self, page: Page, utterance: str) -> None:
        self.page, self.utterance = page, utterance
        self.quoted: list[str] = re.findall(r'"([^"]*)"', utterance)

    def ask(self, expression: str, *arguments: Any) -> Any:
        """The JSON value of a JavaScript expression; with arguments, the expression is a function,
        called with them."""
        if arguments:
            expression = f"({expression})({', '.join(map(json.dumps, arguments))})"
        return self.page.ask(expression)

    def find(self, css: str, text: str | None = None) -> list[Found]:
        """All elements that the selector matches and that have a size, in document order; with
        `text`, only those with exactly this text."""
        rows = self.ask("bench.find", css)
        return [
            found for found in (Found(**row) for row in rows) if text is None or found.text == text
        ]

    def first(self, css: str, text: str | None = None) -> Found | None:
        """The first element of `find`, or None."""
        return next(iter(self.find(css, text)), None)

    def click(self, css: str, text: str | None = None) -> UIAction | None:
        """Click the first element of `find`."""
        return click(self.first(css, text))

    def fill(self, field: Found | None, text: str) -> UIAction | None:
        """The next action until the field holds the text; None when it does, or is absent."""
        if field is None or field.value == text:
            return None
        if not field.value:
            return UIAction("type", ref=field.ref, text=text)
        return (
            UIAction("type", text=text)
            if field.focused and field.selected
            else UIAction("key", ref=field.ref, text="Control+A")
        )

    def form(self, fields: Mapping[str, str], submit: str = "#subbtn") -> UIAction | None:
        """Fill the fields, given by selector, then click `submit`."""
        for css, text in fields.items():
            action = self.fill(self.first(css), text)
            if action is not None:
                return action
        return self.click(submit)

    def match(self, pattern: str) -> tuple[str, ...]:
        """The groups of a pattern in the utterance; empty strings if it does not match."""
        found = re.search(pattern, self.utterance)
        return found.groups() if found else ("",) * re.compile(pattern).groups


def plain(script: Callable[[Look], UIAction | None]) -> Callable[[], Expert]:
    """An expert without memory: it decides from the page and the utterance alone."""
    return lambda: lambda page, utterance: script(Look(page, utterance))
