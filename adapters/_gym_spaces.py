"""Gymnasium's spaces as views and actions."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from harness.core import ActionSpec, Box, Discrete, MultiDiscrete, Spec, Text, UserError

__all__ = ["Path", "action_of", "parts_of", "pick", "view_of"]

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
    """The part of a value at this path."""
    for key in path:
        value = value[key]
    return value


def view_of(space: Any, path: Path) -> tuple[str, Spec, Callable[[Any], Any]]:
    """(kind, spec, how to read a value).

    Arrays are copied, because an environment may write into the same one again.
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
            lambda value: np.array(value, space.dtype),
        )
    if isinstance(space, spaces.MultiBinary):
        return "state", Box(space.shape, "int8", 0, 1), lambda value: np.array(value, np.int8)
    if isinstance(space, spaces.Discrete):
        return "state_index", Discrete(int(space.n)), lambda value: int(value) - int(space.start)
    if isinstance(space, spaces.MultiDiscrete):
        return (
            "state_index",
            _choices(space.nvec),
            lambda value: np.ravel(value - space.start).astype(np.int64),
        )
    if isinstance(space, spaces.Text):
        return "text", Text(space.max_length), str
    if not isinstance(space, (spaces.Graph, spaces.Sequence, spaces.OneOf)) and isinstance(
        space.sample(), str
    ):
        return "text", Text(), str
    where = f" under {'/'.join(map(str, path))}" if path else ""
    raise UserError(
        f"the observation space {space}{where} is not supported; register the environment with an "
        "observation wrapper"
    )


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
    raise UserError(
        f"the action space {space} is not supported; register the environment with an action "
        "wrapper"
    )


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
