"""Actions and results as a person would say them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.core import Discrete, Element, Result, UIAction

__all__ = ["describe_action", "metrics_text", "outcome_text"]


def describe_action(spec: Any, action: Any, elements: Sequence[Element] = ()) -> str:
    """An action as a person would say it. `elements`: what was on the screen before it."""
    if isinstance(action, UIAction):
        return _describe_ui_action(action, elements)
    if isinstance(spec, Discrete) and spec.names:
        return str(spec.names[action])
    if isinstance(action, np.ndarray):
        return "[" + " ".join(f"{value:.4g}" for value in action.ravel().tolist()) + "]"
    return str(action) or "(an empty text)"


def _describe_ui_action(action: UIAction, elements: Sequence[Element]) -> str:
    said = [action.kind.replace("_", " ")]
    if action.text is not None:
        said.append(repr(action.text))
    if action.direction is not None:
        said.append(action.direction)
    for ref, x, y, word in (
        (action.ref, action.x, action.y, "on"),
        (action.to_ref, action.to_x, action.to_y, "to"),
    ):
        element = _element_at(elements, ref, x, y)
        place = "" if x is None or y is None else f"({x:g}, {y:g})"
        if element is not None:
            said.append(f"{word} {_element_name(element)}{f' at {place}' if place else ''}")
        elif place or ref is not None:
            said.append(f"{word} {place or f'element {ref}'}")
    if action.modifier is not None:
        said.append(f"with {action.modifier}")
    return " ".join(said)


def _element_at(
    elements: Sequence[Element], ref: int | None, x: float | None, y: float | None
) -> Element | None:
    """The element with this ref, or the smallest one at this point in px.

    Of elements of equal size it is the one on top, which comes last in the document.
    """
    if ref is not None:
        return next((element for element in elements if element.ref == ref), None)
    if x is None or y is None:
        return None
    under = [
        e for e in reversed(elements) if e.x <= x < e.x + e.width and e.y <= y < e.y + e.height
    ]
    return min(under, key=lambda element: element.width * element.height, default=None)


def _element_name(element: Element) -> str:
    text = " ".join((element.text or element.value).split())
    name = f"#{element.name}" if element.name else ""
    return f"{element.tag}{name}{f' {text[:60]!r}' if text else ''}"


def outcome_text(result: Result) -> str:
    """How an episode ended, as a phrase."""
    if result.status != "finished":
        return f"{result.status}: {result.error}"
    if result.success is None:
        return f"{result.ended}, score {result.score:g}"
    return "success" if result.success else f"failed: {result.ended}"


def metrics_text(result: Result) -> str:
    """The score and the metrics, as `name value`, with commas."""
    told = {"score": result.score, **result.metrics}
    return ", ".join(f"{name} {value:.4g}" for name, value in told.items() if value is not None)
