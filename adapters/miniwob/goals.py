"""Other goals of MiniWoB++ pages: another of the choices that the very page offers.

Only of pages that name one of several choices and end with the answer. A page judges its own answer
alone, so what was answered is read from the page: a listener notes it before the page's own does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.core import OWN, Goal

__all__ = ["PAGES", "Choices"]

TEXTS = "[...document.querySelectorAll({})].map((each) => each.textContent.trim())"


@dataclass(frozen=True)
class _Form:
    """What a page asks, and what its answers are."""

    said: str
    """Its instruction, with {} in the place of the choice."""
    choices: str
    """An expression: the texts of all choices."""
    trigger: str
    """What is clicked, or gets the focus, with the answer: a selector."""
    answer: str
    """An expression of `hit`, the element that the trigger matched: the choice that it stands
    for."""
    event: str = "click"


def _clicked(said: str, which: str, chosen: str = "") -> _Form:
    """A page whose choices are what is to be clicked."""
    choices = TEXTS.format(json.dumps(chosen or which))
    return _Form(said, choices, which, "hit.textContent.trim()")


PAGES: Mapping[str, _Form] = {
    "choose-list": _Form(
        "Select {} from the list and click Submit.",
        TEXTS.format("'#options option'"),
        "#area button",
        "document.querySelector('#options').selectedOptions[0].textContent.trim()",
    ),
    "click-button": _clicked('Click on the "{}" button.', "#area button"),
    "click-dialog-2": _Form(
        'Click the button in the dialog box labeled "{}".',
        '["Cancel", "OK", "x"]',
        ".ui-dialog button",
        "hit.closest('.ui-dialog-titlebar') ? 'x' : hit.textContent.trim()",
    ),
    "click-link": _clicked('Click on the link "{}".', ".alink"),
    "click-option": _Form(
        "Select {} and click Submit.",
        TEXTS.format("'#boxes label'"),
        "#subbtn",
        "(document.querySelector('#boxes label:has(:checked)')?.textContent ?? '').trim()",
    ),
    # The page never asks for the tab that is open, except in the middle.
    "click-tab": _clicked("Click on {}.", "#area ul a", "#area li:not(.ui-tabs-active) a"),
    "click-test-2": _clicked("Click button {}.", "#area button"),
    "focus-text-2": _Form(
        "Focus into the {} input textbox.",
        '["1st", "2nd", "3rd"]',
        "#area input",
        "['1st', '2nd', '3rd'][[...document.querySelectorAll('#area input')].indexOf(hit)]",
        event="focus",
    ),
}
"""Page -> its form."""


class Choices:
    """The choices of one episode. Made right after the page was opened."""

    def __init__(self, name: str, utterance: str, page: Any) -> None:
        form = PAGES[name]
        own = re.fullmatch(re.escape(form.said).replace(r"\{\}", "(.+)"), utterance)
        offered: list[str] = page.ask(form.choices)
        self._own = own[1] if own else ""
        self._page, self._form = page, form
        others = sorted({each for each in offered if each} - {self._own}) if own else []
        self.others = tuple(
            Goal(f"choice-{each}", form.said.format(each), ("choice",)) for each in others
        )
        page.ask(_LISTEN.format(event=form.event, trigger=form.trigger, answer=form.answer))

    def ask(self, goal: Goal) -> None:
        """Let the page show the instruction of another goal."""
        said = json.dumps(goal.instruction)
        self._page.ask(f"void (document.querySelector('#query').textContent = {said})")

    def met(self, *, done: bool) -> tuple[str, ...]:
        """Ids of the goals that are met. `done`: whether the page has taken an answer."""
        answer = self._page.ask("window.benchAnswer ?? null") if done else None
        if answer is None:
            return ()
        if answer == self._own:
            return (OWN,)
        return tuple(goal.id for goal in self.others if goal.id == f"choice-{answer}")


_LISTEN = """void document.addEventListener('{event}', (event) => {{
  const hit = event.target instanceof Element && event.target.closest('{trigger}');
  if (hit && window.benchAnswer === undefined) window.benchAnswer = {answer};
}}, true)"""
"""Notes the first answer, before the page's own listener."""
