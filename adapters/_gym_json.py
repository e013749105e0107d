"""Values of Gymnasium's spaces as JSON, for spaces whose values fit no array of a fixed shape.

Box, MultiBinary            a list of numbers, nested as its shape; a number if the shape is ()
Discrete                    a whole number, counted from 0
MultiDiscrete               a list of such numbers, nested as its shape
Text                        a text
Dict                        an object with the space's keys
Tuple                       a list with one value for each of its spaces
Sequence                    a list
OneOf                       [which of its spaces, counted from 0, and a value of that one]
Graph (observations only)   {"nodes": ..., "edges": ..., "edge_links": ...}; null: there is none
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from harness.core import BadAction, Text
from harness.core.values import BadValue

__all__ = ["LONGEST_JSON", "graph_text", "json_action", "one_of_text", "plain"]

LONGEST_JSON = 1_000_000
"""The longest text of JSON, in characters."""
CHOICES = 16
"""How many actions a text of JSON offers as examples: the no-op, and draws from the space."""
LONGEST_MEANING = 2_000


def plain(value: Any) -> Any:
    """What json.dumps does not know by itself: numpy's arrays and numbers, as lists and numbers."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(type(value).__name__)


def graph_text(value: Any) -> str:
    """An observed graph as JSON. Raises BadValue on what is none."""
    try:
        parts = {name: getattr(value, name) for name in ("nodes", "edges", "edge_links")}
        return json.dumps(parts, default=plain)
    except (AttributeError, TypeError, ValueError, RecursionError):
        raise BadValue(f"a Graph of the observation is {value!r:.200}") from None


def one_of_text(value: Any) -> str:
    """An observed value of a OneOf as JSON. Raises BadValue on what is none."""
    try:
        which, inner = value
        return json.dumps([int(which), inner], default=plain)
    except (TypeError, ValueError, RecursionError):
        raise BadValue(f"a OneOf of the observation is {value!r:.200}") from None


def json_action(space: Any) -> tuple[Text, Callable[[str], Any]] | None:
    """The spec of an action that is JSON, and its conversion into a value of the space.

    The conversion raises BadAction on a text that is no value of the space: numbers out of bounds
    are not clipped, because a text is not a number. None where the space holds a Graph, a Sequence
    with `stack`, or a space that is not Gymnasium's.
    """
    drawn = copy.deepcopy(space)
    drawn.seed(0)
    meaning = _described(space)
    if meaning is None:
        return None
    draws = [_as_json(space, drawn.sample()) for _ in range(CHOICES - 1)]
    texts = [json.dumps(value) for value in (_least(space), *draws)]
    choices = tuple(dict.fromkeys(text for text in texts if len(text) <= LONGEST_JSON))
    spec = Text(LONGEST_JSON, choices, f"JSON: {meaning}"[:LONGEST_MEANING])
    return spec, lambda text: _read(space, text)


def _described(space: Any) -> str | None:
    """How a value of the space is written, in words; None where it cannot be written."""
    from gymnasium import spaces

    parts: list[Any]
    if isinstance(space, spaces.Box):
        kind = "whole numbers" if space.dtype.kind in "iu" else "numbers"
        span = f" from {space.low.min():g} to {space.high.max():g}" if space.low.size else ""
        return f"{kind} of shape {space.shape}{span}"
    if isinstance(space, spaces.Discrete):
        return f"0 to {int(space.n) - 1}"
    if isinstance(space, spaces.MultiDiscrete):
        return f"choices of shape {space.shape} below {np.asarray(space.nvec).tolist()}"
    if isinstance(space, spaces.MultiBinary):
        return f"0 or 1 of shape {space.shape}"
    if isinstance(space, spaces.Text):
        return f"a text of {space.min_length} to {space.max_length} characters"
    if isinstance(space, spaces.Sequence) and not space.stack:
        inner = _described(space.feature_space)
        return None if inner is None else f"a list, each of it {inner}"
    if isinstance(space, spaces.Dict):
        names, parts = list(space.spaces), [_described(each) for each in space.spaces.values()]
        if None in parts or not all(isinstance(name, str) for name in names):
            return None
        return (
            "{" + ", ".join(f"{json.dumps(name)}: {part}" for name, part in zip(names, parts)) + "}"
        )
    if isinstance(space, (spaces.Tuple, spaces.OneOf)):
        parts = [_described(each) for each in space.spaces]
        if None in parts:
            return None
        if isinstance(space, spaces.Tuple):
            return f"[{', '.join(parts)}]"
        which = "; ".join(f"[{number}, {part}]" for number, part in enumerate(parts))
        return f"one of {which}"
    return None


def _least(space: Any) -> Any:
    """The JSON of an action that does little: zeros where they are allowed, and empty lists."""
    from gymnasium import spaces

    if isinstance(space, spaces.Box):
        zeros = np.clip(np.zeros(space.shape, space.dtype), space.low, space.high)
        return zeros.astype(space.dtype).tolist()
    if isinstance(space, spaces.Discrete):
        return 0
    if isinstance(space, (spaces.MultiDiscrete, spaces.MultiBinary)):
        return np.zeros(space.shape, int).tolist()
    if isinstance(space, spaces.Text):
        return sorted(space.character_set)[0] * space.min_length if space.min_length else ""
    if isinstance(space, spaces.Dict):
        return {key: _least(part) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return [_least(part) for part in space.spaces]
    return [0, _least(space.spaces[0])] if isinstance(space, spaces.OneOf) else []


def _as_json(space: Any, value: Any) -> Any:
    """The JSON of a value of the space."""
    from gymnasium import spaces

    if isinstance(space, (spaces.Discrete, spaces.MultiDiscrete)):
        return (np.asarray(value) - space.start).tolist()
    if isinstance(space, spaces.Dict):
        return {key: _as_json(part, value[key]) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return [_as_json(part, each) for part, each in zip(space.spaces, value)]
    if isinstance(space, spaces.Sequence):
        return [_as_json(space.feature_space, each) for each in value]
    if isinstance(space, spaces.OneOf):
        return [int(value[0]), _as_json(space.spaces[int(value[0])], value[1])]
    return value if isinstance(value, str) else np.asarray(value).tolist()


def _read(space: Any, text: str) -> Any:
    """The value that a text of JSON stands for. Raises BadAction."""
    try:
        written = json.loads(text, parse_constant=_no_constant)
        value = _value(space, written, "the action")
    except (ValueError, RecursionError) as wrong:
        raise BadAction(f"the action is no JSON: {str(wrong)[:200]}") from None
    if not space.contains(value):
        raise BadAction(f"{text:.200} is no action of the space {str(space)[:200]}")
    return value


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def _refuse(place: str, written: Any, wanted: str) -> NoReturn:
    raise BadAction(f"{place} is {str(written)[:100]}: expected {wanted}")


def _value(space: Any, written: Any, place: str) -> Any:
    from gymnasium import spaces

    if isinstance(space, spaces.Text):
        return written if isinstance(written, str) else _refuse(place, written, "a text")
    if isinstance(space, spaces.Dict):
        if not isinstance(written, dict) or written.keys() != space.spaces.keys():
            _refuse(place, written, f"an object with the keys {', '.join(space.spaces)}")
        return {
            key: _value(part, written[key], f"{place}/{key}") for key, part in space.spaces.items()
        }
    if isinstance(space, (spaces.Tuple, spaces.Sequence, spaces.OneOf)):
        return _items(space, written, place)
    return _numbers(space, written, place)


def _items(space: Any, written: Any, place: str) -> tuple[Any, ...]:
    from gymnasium import spaces

    if not isinstance(written, list):
        _refuse(place, written, "a list")
    if isinstance(space, spaces.OneOf):
        known = len(space.spaces)
        if len(written) != 2 or type(written[0]) is not int or not 0 <= written[0] < known:
            _refuse(place, written, f"[which of {known} spaces, and its value]")
        return np.int64(written[0]), _value(space.spaces[written[0]], written[1], f"{place}/1")
    parts = (
        [space.feature_space] * len(written) if isinstance(space, spaces.Sequence) else space.spaces
    )
    if len(parts) != len(written):
        _refuse(place, written, f"a list of {len(parts)}")
    return tuple(
        _value(part, each, f"{place}/{number}")
        for number, (part, each) in enumerate(zip(parts, written))
    )


def _numbers(space: Any, written: Any, place: str) -> Any:
    """A value of a Box, Discrete, MultiDiscrete or MultiBinary."""
    from gymnasium import spaces

    shape = tuple(space.shape)
    real = isinstance(space, spaces.Box) and space.dtype.kind == "f"
    wanted = f"{'numbers' if real else 'whole numbers'} of shape {shape}"
    try:
        array = np.asarray(written)
    except ValueError:
        _refuse(place, written, wanted)
    if array.shape != shape or (array.size and array.dtype.kind not in ("iuf" if real else "iu")):
        _refuse(place, written, wanted)
    if not all(math.isfinite(number) for number in array.ravel().tolist()):
        _refuse(place, written, "finite numbers")
    if isinstance(space, spaces.Box):
        if (array < space.low).any() or (array > space.high).any():
            _refuse(place, written, f"numbers from {space.low.min():g} to {space.high.max():g}")
        return array.astype(space.dtype)
    if isinstance(space, spaces.Discrete):
        return space.dtype.type(int(array) + int(space.start))
    if isinstance(space, spaces.MultiDiscrete):
        return (array + space.start).astype(space.dtype)
    return array.astype(space.dtype)
