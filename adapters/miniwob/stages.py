"""Stages of MiniWoB++ pages: the field, its value, the answer given, the answer right.

Only pages whose instruction quotes what is to be typed tell whether the value is right; those that
ask for something to be worked out tell that a field was filled, and pages without a text field that
an answer was given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from adapters._reached import Reached

__all__ = ["Course", "stages_of"]

QUOTED = frozenset(
    {
        "enter-password", "enter-text", "enter-text-dynamic", "login-user", "login-user-popup",
        "search-engine",
    }
)  # fmt: skip
TYPED = frozenset(
    {
        "copy-paste", "copy-paste-2", "enter-date", "enter-text-2", "enter-time", "find-word",
        "guess-number", "read-table", "read-table-2", "simple-algebra", "simple-arithmetic",
        "text-transform", "use-autocomplete", "use-autocomplete-nodelay", "visual-addition",
    }
)  # fmt: skip
ANSWERED = ("answer given", "answer right")
FIELDS = (
    "input:not([type]), input[type=text], input[type=password], input[type=number], "
    "input[type=date], input[type=time], textarea:not([readonly])"
)
READ = f"bench.find({json.dumps(FIELDS)}).map((field) => field.value)"


def stages_of(name: str) -> tuple[str, ...]:
    """The stages of a page by its name."""
    if name in QUOTED:
        return ("field filled", "right value", *ANSWERED)
    return ("field filled", *ANSWERED) if name in TYPED else ANSWERED


class Course:
    """What happened in one episode. Made right after the page was opened."""

    def __init__(self, name: str, utterance: str, page: Any) -> None:
        self._name = name
        self._quoted = set(re.findall(r'"([^"]*)"', utterance)) - {""}
        self._page = page
        self._first = self._values()
        self._reached = Reached()

    def stage(self, *, done: bool) -> int:
        """As Adapter.stage; `done`: whether the page has taken an answer."""
        if self._name not in QUOTED | TYPED:
            return self._reached.note(done)
        # A page that has taken its answer may show another one already.
        values = self._first if done else self._values()
        filled = any(values) and values != self._first
        if self._name in TYPED:
            return self._reached.note(filled, done)
        # Twice the same password is one quoted text in two fields.
        right = filled and self._quoted <= set(values)
        return self._reached.note(filled, right, done)

    def _values(self) -> Sequence[str]:
        values: list[str] = self._page.ask(READ) if self._name in QUOTED | TYPED else []
        return values
