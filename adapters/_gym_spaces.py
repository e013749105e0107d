"""Gymnasium's spaces as views and actions."""

from __future__ import annotations

import enum
import functools
import json
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from adapters._gym_json import LONGEST_JSON, graph_text, json_action, one_of_text, plain
from adapters._gym_old import WRAP
from harness.core import (
    ActionSpec,
    Box,
    Discrete,
    Field,
    MultiDiscrete,
    Spec,
    Text,
    Texts,
    UserError,
)
from harness.core.layout import UNKNOWN
from harness.core.values import BadValue

__all__ = ["Path", "action_of", "as_it_is", "parts_of", "pick", "view_of"]

SMALLEST_IMAGE = 16

Path = tuple[Any, ...]
"""Keys and indices that lead to a part of a Dict or Tuple space."""


def parts_of(space: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """(path, space) of each part of a space that is no Dict or Tuple."""
    from gymnasium import spaces

    inner = (
        space.spaces.items()
        if isinstance(space, spaces.Dict)
        else enumerate(space.spaces)
        if isinstance(space, spaces.Tuple)
        else None
    )
    if inner is None:
        yield path, space
    else:
        for key, part in inner:
            yield from parts_of(part, (*path, key))


def pick(value: Any, path: Path) -> Any:
    """The part of a value at this path. Raises BadValue where it lacks the part."""
    try:
        for key in path:
            value = value[key]
    except (KeyError, IndexError, TypeError):
        raise BadValue(
            f"the observation lacks the part {'/'.join(map(str, path))} that its space has"
        ) from None
    return value


def view_of(space: Any, path: Path) -> tuple[str, Spec, Callable[[Any], Any]]:
    """(kind, spec, how to read a value).

    Arrays are copied, because an environment may write into the same one again. What they hold is
    left as it is where the spec can tell that it is wrong; else BadValue is raised.
    """
    from gymnasium import spaces

    if isinstance(space, spaces.Box):
        image = (
            space.dtype == np.uint8
            and len(space.shape) == 3
            and space.shape[2] == 3
            and min(space.shape[:2]) >= SMALLEST_IMAGE
        )
        return (
            "image" if image else "state",
            _box(space),
            lambda value: _copy(value, space.dtype),
        )
    if isinstance(space, spaces.MultiBinary):
        return "state", Box(space.shape, "int8", 0, 1), _binary
    if isinstance(space, spaces.Discrete):
        return "state_index", Discrete(int(space.n)), lambda value: _index(value) - int(space.start)
    if isinstance(space, spaces.MultiDiscrete):
        return (
            "state_index",
            _choices(space.nvec),
            lambda value: np.ravel(_integers(value, space.shape) - space.start).astype(np.int64),
        )
    if isinstance(space, spaces.Text):
        return "text", Text(space.max_length), as_it_is
    if isinstance(space, spaces.Sequence):
        meaning = "the items of a sequence: texts, or other values as JSON"
        return "texts", Texts(meaning), functools.partial(_items, space)
    if isinstance(space, spaces.Graph):
        return "text", Text(LONGEST_JSON, meaning="a graph as JSON"), graph_text
    if isinstance(space, spaces.OneOf):
        meaning = "as JSON: which of the spaces it is from, and the value"
        return "text", Text(LONGEST_JSON, meaning=meaning), one_of_text
    if isinstance(space, spaces.Space) and isinstance(space.sample(), str):
        return "text", Text(), as_it_is
    raise UserError(_refused(space, "observation", path))


def _refused(space: Any, what: str, path: Path) -> str:
    """Why no such view or action can be made, and the remedy, in one line."""
    where = f" under {'/'.join(map(str, path))}" if path else ""
    form = type(space)
    if form.__module__.partition(".")[0] == "gym":
        return (
            f"the {what} space{where} is a {form.__name__} of the old package gym, not of "
            f"Gymnasium; {WRAP}"
        )
    return (
        f"the {what} space {str(space)[:300]}{where} is not supported; register the environment "
        f"with an {what} wrapper"
    )


def as_it_is(value: Any) -> Any:
    """How a text is read."""
    return value


def _items(space: Any, value: Any) -> tuple[str, ...]:
    """The items of a Sequence: texts as they are, everything else as JSON.

    How many there are changes from step to step, so that no array holds them.
    """
    if space.stack:  # one array holds all items, or a mapping or tuple of such arrays does
        value = _unstacked(space, value)
    if isinstance(value, (str, bytes, Mapping)) or not hasattr(value, "__iter__"):
        raise BadValue(f"a Sequence of the observation is {value!r:.200}")
    try:
        return tuple(
            item if isinstance(item, str) else json.dumps(item, default=plain) for item in value
        )
    except (TypeError, ValueError, RecursionError):
        raise BadValue(f"a Sequence of the observation holds {value!r:.200}") from None


def _unstacked(space: Any, value: Any) -> list[Any]:
    from gymnasium.vector.utils import iterate

    try:
        return list(iterate(space.stacked_feature_space, value))
    except Exception:  # whatever a value of another kind makes of Gymnasium's own function
        raise BadValue(f"a stacked Sequence of the observation is {value!r:.200}") from None


def _copy(value: Any, dtype: np.dtype[Any]) -> np.ndarray:
    """An array in the dtype that it came in; numbers and lists of them in `dtype`, if of its kind.

    Gymnasium takes both, and only an array says what it is.
    """
    array = np.array(value)
    plain = not hasattr(value, "dtype") and np.can_cast(array.dtype, dtype, "same_kind")
    return array.astype(dtype) if plain else array


def _index(value: Any) -> int:
    single = value.reshape(())[()] if isinstance(value, np.ndarray) and value.size == 1 else value
    try:
        return int(single) if isinstance(single, np.bool_) else int(operator.index(single))
    except TypeError:
        raise BadValue(f"a Discrete part of the observation is {value!r:.200}") from None


def _integers(value: Any, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "iub" or array.shape != tuple(shape):
        raise BadValue(
            f"a MultiDiscrete part of the observation is {array.dtype} of shape {array.shape}, "
            f"expected integers of shape {tuple(shape)}"
        )
    return array


def _binary(value: Any) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "iubf" or not ((array == 0) | (array == 1)).all():
        raise BadValue(f"a MultiBinary part of the observation is {value!r:.200}")
    return array.astype(np.int8)


def action_of(space: Any, env: Any) -> tuple[ActionSpec, Callable[[Any], Any]]:
    """The action's spec, and the conversion of such an action into one of the environment's."""
    from gymnasium import spaces

    if isinstance(space, spaces.Box):
        return _box(space), lambda action: action
    if isinstance(space, spaces.Discrete):
        names = _names(env, int(space.n))
        noop = next((index for index, name in enumerate(names) if name.lower() == "noop"), 0)
        return Discrete(int(space.n), names, neutral=noop), lambda action: action + int(space.start)
    if isinstance(space, spaces.MultiDiscrete):
        return _choices(space.nvec), lambda action: (
            action.reshape(space.shape) + space.start
        ).astype(space.dtype)
    if isinstance(space, spaces.MultiBinary):
        return MultiDiscrete((2,) * int(np.prod(space.shape))), lambda action: action.reshape(
            space.shape
        ).astype(np.int8)
    if isinstance(space, spaces.Text):
        return Text(space.max_length), lambda action: action
    inner = [(path, part) for path, part in parts_of(space, ())]
    arrays = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)
    if inner and all(isinstance(part, arrays) for _, part in inner):
        return _combined(space, [(path, *action_of(part, None)) for path, part in inner])
    found = json_action(space) if inner and isinstance(space, spaces.Space) else None
    if found is None:
        raise UserError(_refused(space, "action", ()))
    return found


_Part = tuple[Path, ActionSpec, Callable[[Any], Any]]


def _combined(space: Any, parts: Sequence[_Part]) -> tuple[ActionSpec, Callable[[Any], Any]]:
    """One array for a Dict or a Tuple: the parts one after another, in the space's own order.

    Choices alone make a MultiDiscrete. Beside numbers, a choice among n is one number, rounded to
    the nearest choice; its bounds are -0.5 and n - 0.5, so that all choices are equally likely
    under a uniform draw. Integers are rounded likewise.
    """
    boxes = [_numbers(spec) for _, spec, _ in parts]
    meaning = ", then ".join(
        f"{'/'.join(map(str, path))} ({'numbers' if isinstance(spec, Box) else 'choices'}, "
        f"{len(lows)} in all)"
        for (path, spec, _), (lows, _) in zip(parts, boxes)
    )
    spec: ActionSpec
    if any(isinstance(part, Box) for _, part, _ in parts):
        low = tuple(bound for lows, _ in boxes for bound in lows)
        high = tuple(bound for _, highs in boxes for bound in highs)
        spec = Box((len(low),), "float64", low, high, meaning=meaning, layout=_layout(parts, boxes))
    else:
        nvec = tuple(round(bound + 0.5) for _, highs in boxes for bound in highs)
        spec = MultiDiscrete(nvec, meaning)

    def convert(action: np.ndarray) -> Any:
        made: dict[Path, Any] = {}
        start = 0
        for (path, part, into), (lows, _) in zip(parts, boxes):
            chunk = action[start : start + len(lows)]
            start += len(lows)
            made[path] = into(_part(chunk, part))
        return _nested(space, (), made)

    return spec, convert


def _layout(
    parts: Sequence[_Part], boxes: Sequence[tuple[list[float], list[float]]]
) -> tuple[Field, ...]:
    """A field for each part, named by its keys: of unknown kind and scale.

    Empty where two parts have one name, as {"a/b": ...} and {"a": {"b": ...}} have.
    """
    names = ["/".join(map(str, path)) for path, _, _ in parts]
    if len(set(names)) < len(names) or not all(names):
        return ()
    return tuple(
        Field(name, len(lows), UNKNOWN, scale=None) for name, (lows, _) in zip(names, boxes) if lows
    )


def _numbers(spec: ActionSpec) -> tuple[list[float], list[float]]:
    """(lowest, highest) of each number that stands for an action of this spec."""
    if isinstance(spec, Box):
        lows, highs = spec.bounds()
        margin = 0.5 if spec.np_dtype.kind in "iu" else 0.0
        return (lows.ravel() - margin).tolist(), (highs.ravel() + margin).tolist()
    counts = _counts(spec)
    return [-0.5] * len(counts), [count - 0.5 for count in counts]


def _counts(spec: ActionSpec) -> tuple[int, ...]:
    """How many choices each element has."""
    assert isinstance(spec, (Discrete, MultiDiscrete))
    return (spec.n,) if isinstance(spec, Discrete) else spec.nvec


def _part(chunk: np.ndarray, spec: ActionSpec) -> Any:
    if isinstance(spec, Box):
        values = np.rint(chunk) if spec.np_dtype.kind in "iu" else chunk
        clipped = np.clip(values.reshape(spec.shape), *spec.bounds())
        return np.asarray(clipped, spec.dtype)  # of shape () too an array
    choices = np.clip(np.rint(chunk), 0, np.asarray(_counts(spec)) - 1).astype(np.int64)
    return int(choices[0]) if isinstance(spec, Discrete) else choices


def _nested(space: Any, path: Path, made: Mapping[Path, Any]) -> Any:
    from gymnasium import spaces

    if isinstance(space, spaces.Dict):
        return {key: _nested(part, (*path, key), made) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(_nested(part, (*path, index), made) for index, part in enumerate(space.spaces))
    return made[path]


def _names(env: Any, count: int) -> tuple[str, ...]:
    """The names of the actions where the environment has them, as ALE and MiniGrid do."""
    members = getattr(env, "actions", None)
    if isinstance(members, type) and issubclass(members, enum.IntEnum):
        names = [member.name for member in sorted(members)]
    else:
        names = env.get_action_meanings() if hasattr(env, "get_action_meanings") else []
    return tuple(names) if len(names) == count else ()


def _box(space: Any) -> Box:
    low, high = (
        float(b.flat[0]) if b.size and (b == b.flat[0]).all() else tuple(b.ravel().tolist())
        for b in (space.low, space.high)
    )
    return Box(space.shape, space.dtype.name, low, high)


def _choices(nvec: np.ndarray) -> MultiDiscrete:
    return MultiDiscrete(tuple(int(n) for n in np.ravel(nvec)))
