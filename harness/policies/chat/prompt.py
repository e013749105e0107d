"""What a model is told: the system message, and one message for each observation.

The conversation is made anew for every turn, from what the turn holds: the last observations and
the actions between them. So an answer depends on nothing else, and a lost worker loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.core import Box, Brief, Discrete, Element, Elements, Spec, Text, Texts, Turn
from harness.core.text import shorten
from harness.policies.chat import forms, grammar
from harness.policies.chat.png import data_url

__all__ = ["Telling", "is_image", "meanings", "messages", "observed", "opened", "tellable"]

MOST_NUMBERS = 64
"""Elements of a view that is told as numbers."""
MOST_LISTED = 200
"""Commands, or elements of a screen, that a message lists."""
MOST_WORDS = 200
"""Characters of one of them."""


@dataclass(frozen=True)
class Telling:
    """What of a turn is told, and how much of it."""

    views: tuple[str, ...]
    images: int
    """How many of the newest observations show their images."""
    image_px: int
    """The largest side of an image."""
    view_chars: int
    """The most characters of a text; of observations before the newest a quarter of it."""
    system: str
    """The role of the first message; `user`: it is the beginning of the first user message."""
    thought: bool


def is_image(spec: Spec) -> bool:
    """Whether a view is shown as an image: uint8 of shape (H, W) or (H, W, 3), at least 8 px."""
    return (
        isinstance(spec, Box)
        and spec.dtype == "uint8"
        and (len(spec.shape) == 2 or (len(spec.shape) == 3 and spec.shape[-1] in (3, 4)))
        and min(spec.shape[:2]) >= 8
    )


def tellable(spec: Spec) -> bool:
    """Whether a view can be told at all."""
    if isinstance(spec, Box):
        return is_image(spec) or int(np.prod(spec.shape)) <= MOST_NUMBERS
    return isinstance(spec, (Text, Texts, Elements, Discrete))


def messages(turn: Turn, form: str, telling: Telling) -> list[dict[str, Any]]:
    """The conversation, up to the request for the next action."""
    said: list[dict[str, Any]] = []
    count = len(turn.observations)
    for number, observation in enumerate(turn.observations):
        newest = number == count - 1
        step = turn.step - (count - 1 - number)
        shows = number >= count - telling.images
        question = "What is the next action?" if newest else ""
        content = _observation(turn, observation, telling, question, shows)
        said.append({"role": "user", "content": content})
        if not newest and number < len(turn.actions):
            action = turn.actions[number]
            said += forms.spoken(form, turn.brief.action, action, step)
    return opened(said, _system(turn.brief, form, telling), telling)


def observed(turn: Turn, telling: Telling, question: str) -> str | list[dict[str, Any]]:
    """The content of a message: the newest observation, the instruction and a question."""
    return _observation(turn, turn.observation, telling, question, telling.images > 0)


def opened(said: list[dict[str, Any]], opening: str, telling: Telling) -> list[dict[str, Any]]:
    """A conversation that begins with a user's message, with `opening` before it."""
    if telling.system != "user":
        return [{"role": telling.system, "content": opening}, *said]
    first = said[0]["content"]
    part = {"type": "text", "text": opening}
    said[0]["content"] = f"{opening}\n\n{first}" if isinstance(first, str) else [part, *first]
    return said


def _system(brief: Brief, form: str, telling: Telling) -> str:
    lines = [
        "You choose the actions of an agent, one at a time, to do what the instruction says.",
        f"The agent: {brief.embodiment}.",
        f"Where it acts: {brief.simulator}.",
    ]
    lines += meanings(brief, telling.views)
    lines += [grammar.described(brief.action), forms.explained(form, telling.thought)]
    return "\n".join(lines)


def meanings(brief: Brief, views: Sequence[str]) -> list[str]:
    """A line for each of these views that says what it is."""
    found = [(name, getattr(brief.observation.get(name), "meaning", "")) for name in views]
    return [f"What it is told as [{name}]: {meaning}." for name, meaning in found if meaning]


def _observation(
    turn: Turn,
    observation: Mapping[str, Any],
    telling: Telling,
    question: str,
    shows: bool,
) -> str | list[dict[str, Any]]:
    """A text, or parts where there are images. `question`: of the newest one; else empty.

    It does not tell the step: where nothing else changed, the request is the same, and its reply
    known.
    """
    newest = bool(question)
    lines: list[str] = []
    pictures = []
    for name in telling.views:
        spec = turn.brief.observation.get(name)
        if spec is None:
            continue
        if is_image(spec):
            if shows:
                pictures.append((name, observation[name]))
            continue
        # What was possible then is of no use now.
        if isinstance(spec, (Texts, Elements)) and not newest:
            continue
        most = telling.view_chars if newest else telling.view_chars // 4
        lines.append(f"[{name}]\n{shorten(_told(spec, observation[name]), max(most, 1))}")
    if newest:
        lines.append(f"Instruction: {shorten(turn.instruction, telling.view_chars)}")
        lines.append(question)
    text = "\n".join(lines)
    if not pictures:
        return text
    shown = [
        {"type": "image_url", "image_url": {"url": data_url(np.asarray(each), telling.image_px)}}
        for _, each in pictures
    ]
    names = ", ".join(f"[{name}]" for name, _ in pictures)
    return [{"type": "text", "text": f"{text}\nThe images: {names}."}, *shown]


def _told(spec: Spec, value: Any) -> str:
    if isinstance(spec, Text):
        return str(value).strip()
    if isinstance(spec, Texts):
        return _listed([str(each) for each in value])
    if isinstance(spec, Elements):
        return _listed([_element(each) for each in value if _matters(each)])
    if isinstance(spec, Discrete):
        return spec.names[int(value)] if spec.names else str(int(value))
    numbers = np.asarray(value).ravel().tolist()
    return "[" + ", ".join(f"{number:.4g}" for number in numbers) + "]"


def _listed(entries: Sequence[str]) -> str:
    lines = [shorten(" ".join(each.split()), MOST_WORDS) for each in entries[:MOST_LISTED]]
    more = len(entries) - MOST_LISTED
    return "\n".join([*lines, *([f"({more} more)"] if more > 0 else [])]) or "(nothing)"


def _matters(element: Element) -> bool:
    """Whether an element says anything or can be used: boxes that only hold others do not."""
    return bool(
        element.text or element.value or element.flags or element.tag in ("input", "button", "a")
    )


def _element(element: Element) -> str:
    """`[3] button "OK" at (80, 20)`: the ref, what it is, what it says, and its centre in px."""
    x, y = element.center
    parts = [f"[{element.ref}] {element.tag}"]
    if element.text:
        parts.append(f'"{shorten(" ".join(element.text.split()), 120)}"')
    if element.value:
        parts.append(f'holds "{shorten(" ".join(element.value.split()), 60)}"')
    if element.name:
        parts.append(f"#{shorten(element.name, 40)}")
    parts.append(f"at ({x:.0f}, {y:.0f})")
    if element.flags:
        parts.append(" ".join(element.flags))
    return " ".join(parts)
