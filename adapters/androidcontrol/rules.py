"""The recorded action of a step, and whether an answer is correct: two rules, `grid` and `box`.

Both require the same kind of action, and the same direction of a scroll. They differ in points and
texts:
    grid   GEA's rule (arXiv 2412.08442): the screen is divided into 50 x 50 blocks, and the point
           must lie within 5 blocks of the recorded one on each axis; one of the two texts or app
           names must contain the other, ignoring case
    box    the community's rule: the point must lie in the box of the intended element, the smallest
           visible one that contains the recorded point; if there is none, the grid decides. Texts
           and app names must be equal, ignoring case and surrounding spaces
Every text contains the empty one, so an empty answer or record never counts as correct.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from adapters.androidcontrol.records import Episode
from harness.core import BadAction, Element, UIAction

__all__ = ["KINDS", "RULES", "recorded", "right"]

RULES = ("grid", "box")
BLOCKS, NEAR = 50, 5
KINDS = {
    "click": "click",
    "long_press": "long_press",
    "scroll": "scroll",
    "input_text": "type",
    "type": "type",
    "open_app": "open_app",
    "navigate_home": "navigate_home",
    "navigate_back": "navigate_back",
    "wait": "wait",
}
"""The data set's action types -> the kinds of UIAction."""


def recorded(episode: Episode, step: int) -> UIAction:
    """The recorded action of a step, its point clipped to the screen.

    Raises BadAction where no UIAction expresses it.
    """
    try:
        record: dict[str, Any] = json.loads(episode.actions[step])
        kind = KINDS[record["action_type"]]
        if kind in ("click", "long_press"):
            places = zip((record["x"], record["y"]), episode.sizes[step])
            x, y = (min(max(float(value), 0.0), size - 1.0) for value, size in places)
            return UIAction(kind, x=x, y=y)
        if kind == "scroll":
            return UIAction(kind, direction=str(record["direction"]).lower())
        if kind in ("type", "open_app"):
            text = record["text" if kind == "type" else "app_name"]
            if not isinstance(text, str) or not text.strip():
                raise BadAction("the recorded text is empty")
            return UIAction(kind, text=text)
        return UIAction(kind)
    except (KeyError, ValueError, TypeError, AttributeError) as fault:
        raise BadAction(
            f"step {step} of episode {episode.id} has no action that we know: {fault!r}"
        ) from None


def right(
    action: UIAction, true: UIAction, size: tuple[int, int], seen: Sequence[Element], rule: str
) -> bool:
    """Whether `action` is correct by `rule`, one of RULES.

    `true` is the recorded action, `size` the (width, height) of the screen in px, and `seen` its
    elements. Both actions give places as points, not as refs.
    """
    if action.kind != true.kind:
        return False
    if true.kind in ("click", "long_press"):
        return _in_target(action, true, size, seen) if rule == "box" else _near(action, true, size)
    if true.kind == "scroll":
        return action.direction == true.direction
    if true.kind in ("type", "open_app"):
        mine, theirs = ((each.text or "").strip().casefold() for each in (action, true))
        if not mine or not theirs:
            return False
        return mine == theirs if rule == "box" else mine in theirs or theirs in mine
    return True


def _near(action: UIAction, true: UIAction, size: tuple[int, int]) -> bool:
    for mine, theirs, length in ((action.x, true.x, size[0]), (action.y, true.y, size[1])):
        assert mine is not None
        assert theirs is not None
        if abs(math.floor(mine * BLOCKS / length) - math.floor(theirs * BLOCKS / length)) > NEAR:
            return False
    return True


def _in_target(
    action: UIAction, true: UIAction, size: tuple[int, int], seen: Sequence[Element]
) -> bool:
    holding = [element for element in seen if _holds(element, true)]
    if not holding:
        return _near(action, true, size)
    return _holds(min(holding, key=lambda element: element.width * element.height), action)


def _holds(element: Element, action: UIAction) -> bool:
    assert action.x is not None
    assert action.y is not None
    return (
        element.x <= action.x < element.x + element.width
        and element.y <= action.y < element.y + element.height
    )
