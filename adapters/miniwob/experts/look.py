"""What a script sees of a page, and the few things that all scripts do."""

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
"""What to do on this page, given the utterance; None where it knows no way on."""

WAIT = UIAction("wait")


@dataclass(frozen=True)
class Found:
    """An element that a selector found, with its box in px."""

    ref: int
    text: str
    """All of its text, that of the elements in it included."""
    value: str
    checked: bool
    focused: bool
    selected: bool
    """Whether all of a field's content is selected."""
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
    """Click it, if it is there."""
    return None if found is None else UIAction("click", ref=found.ref)


class Look:
    """One look at a page."""

    def __init__(self, page: Page, utterance: str) -> None:
        self.page, self.utterance = page, utterance
        self.quoted: list[str] = re.findall(r'"([^"]*)"', utterance)

    def ask(self, expression: str, *arguments: Any) -> Any:
        """The JSON value of a JavaScript expression; with arguments, of calling the function that it is with them."""
        if arguments:
            expression = f"({expression})({', '.join(map(json.dumps, arguments))})"
        return self.page.ask(expression)

    def find(self, css: str, text: str | None = None) -> list[Found]:
        """All elements with a size that the selector finds, in the order of the document; with `text`, those with just this text."""
        rows = self.ask("bench.find", css)
        return [
            found for found in (Found(**row) for row in rows) if text is None or found.text == text
        ]

    def first(self, css: str, text: str | None = None) -> Found | None:
        """The first of `find`, or None."""
        return next(iter(self.find(css, text)), None)

    def click(self, css: str, text: str | None = None) -> UIAction | None:
        """Click the first of `find`."""
        return click(self.first(css, text))

    def fill(self, field: Found | None, text: str) -> UIAction | None:
        """The next thing to do until the field holds the text; None when it does, or is not there."""
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
        """Fill fields, given by selector, then click `submit`."""
        for css, text in fields.items():
            action = self.fill(self.first(css), text)
            if action is not None:
                return action
        return self.click(submit)

    def match(self, pattern: str) -> tuple[str, ...]:
        """The groups of a pattern in the utterance; empty strings where it does not match."""
        found = re.search(pattern, self.utterance)
        return found.groups() if found else ("",) * re.compile(pattern).groups


def plain(script: Callable[[Look], UIAction | None]) -> Callable[[], Expert]:
    """An expert that remembers nothing: it decides from what it sees."""
    return lambda: lambda page, utterance: script(Look(page, utterance))
