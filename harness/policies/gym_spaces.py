"""Our views and actions as the spaces of Gymnasium that a checkpoint was trained on.

A part of an observation space takes the view that has its kind: `image` for uint8 pictures,
`state_index` for Discrete and MultiDiscrete, `state` for everything else. A part of a Dict takes
the view of its own name where there is one, and else the view that `adapters.gym` makes of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.core import Box, Brief, Discrete, MultiDiscrete, Spec, UserError

__all__ = ["Part", "action_problem", "as_observation", "parts_of", "problem", "views_read"]

SMALLEST_IMAGE = 16
"""Pixels; a uint8 array with fewer a side is no picture. `adapters.gym` has the same rule."""


@dataclass(frozen=True)
class Part:
    """A part of an observation space, and where it comes from."""

    key: str | None
    """Its key in a Dict; None: it is the whole space."""
    space: Any
    """A space of Gymnasium that is no Dict or Tuple."""
    views: tuple[str, ...]
    """The views that may become it; the first that is on offer does."""


def parts_of(space: Any, named: Mapping[str, str] | str | None = None) -> tuple[Part, ...]:
    """The parts of an observation space.

    `named`: the view of each key of a Dict that does not take the usual one, or that of the whole
    space. Raises UserError on a space that has no views, or a key that the space lacks.
    """
    from gymnasium import spaces

    if not isinstance(space, spaces.Dict):
        if named is not None and not isinstance(named, str):
            raise UserError(f"views={named!r}: the observation is no Dict; write views=VIEW")
        return (Part(None, space, (named or _kind(space),)),)
    chosen = {} if named is None else named
    if not isinstance(chosen, Mapping) or not all(isinstance(v, str) for v in chosen.values()):
        raise UserError(f"views={named!r}: the observation is a Dict; write a view for each key")
    absent = [key for key in chosen if key not in space.spaces]
    if absent:
        raise UserError(f"views: the observation has no key {absent[0]!r}; it has {_keys(space)}")
    kinds = {str(key): _kind(part) for key, part in space.spaces.items()}
    parts = []
    for key, kind in kinds.items():
        sole = sum(other == kind for other in kinds.values()) == 1
        usual = kind if sole else f"{kind}_{key}"
        views = (chosen[key],) if key in chosen else tuple(dict.fromkeys((key, usual)))
        parts.append(Part(key, space.spaces[key], views))
    return tuple(parts)


def views_read(parts: Sequence[Part]) -> tuple[str, ...]:
    """What an agent declares that reads these parts; `?` where one of several views is enough."""
    return tuple(
        dict.fromkeys(
            view if len(part.views) == 1 else f"{view}?" for part in parts for view in part.views
        )
    )


def problem(parts: Sequence[Part], brief: Brief, stack: int = 1) -> str | None:
    """Why the views on offer do not become this observation; None: they do.

    `stack`: how many observations lie one after the other along the axis of the channels.
    """
    for part in parts:
        view = _view(part, brief.observation)
        if view is None:
            return (
                f"its observation{_of(part)} is the view {' or '.join(part.views)}, which the task "
                f"lacks: it offers {', '.join(brief.observation)}"
            )
        wrong = _difference(part, brief.observation[view], stack)
        if wrong is not None:
            return f"its observation{_of(part)} is {wrong} of the view {view}"
    return None


def action_problem(space: Any, spec: Spec) -> str | None:
    """Why an action of this space is none of the task's; None: it is."""
    from gymnasium import spaces

    if isinstance(space, spaces.Discrete) and isinstance(spec, Discrete):
        theirs, ours = f"{int(space.n)} choices", f"{spec.n} choices"
    elif isinstance(space, spaces.MultiDiscrete) and isinstance(spec, MultiDiscrete):
        theirs, ours = str(np.ravel(space.nvec).tolist()), str(list(spec.nvec))
    elif isinstance(space, spaces.MultiBinary) and isinstance(spec, MultiDiscrete):
        theirs, ours = str([2] * int(np.prod(space.shape))), str(list(spec.nvec))
    elif isinstance(space, spaces.Box) and isinstance(spec, Box):
        theirs, ours = f"numbers of shape {space.shape}", f"numbers of shape {spec.shape}"
        low, high = spec.bounds()
        if theirs == ours and not (
            np.allclose(space.low, low, atol=1e-6) and np.allclose(space.high, high, atol=1e-6)
        ):
            theirs, ours = _bounds(space.low, space.high), _bounds(low, high)
    else:
        theirs, ours = f"of {type(space).__name__}", f"of {type(spec).__name__}"
    return None if theirs == ours else f"its action is {theirs}, that of the task {ours}"


def as_observation(
    parts: Sequence[Part], observations: Sequence[Mapping[str, Any]], stack: int = 1
) -> Any:
    """What the checkpoint is shown: an array, or a dict of arrays for a Dict.

    `observations`: the last `stack` of them, the newest last. At the start of an episode there are
    fewer; zeros stand for those that are missing, as in SB3's VecFrameStack.
    """
    values = {}
    for part in parts:
        view = _view(part, observations[-1])
        frames = [_frame(part, each[view]) for each in observations[-stack:] if view is not None]
        if not frames:
            raise KeyError(f"the view {' or '.join(part.views)} is missing")
        frames = [np.zeros_like(frames[0])] * (stack - len(frames)) + frames
        values[part.key] = (
            frames[0] if stack == 1 else np.concatenate(frames, axis=0 if _first(part) else -1)
        )
    return values[None] if list(values) == [None] else values


def _kind(space: Any) -> str:
    from gymnasium import spaces

    if isinstance(space, (spaces.Discrete, spaces.MultiDiscrete)):
        return "state_index"
    if isinstance(space, spaces.MultiBinary):
        return "state"
    if isinstance(space, spaces.Box):
        return "image" if _is_image(space) else "state"
    raise UserError(
        f"an observation of {type(space).__name__} cannot be shown to a checkpoint; it may be a "
        "Box, Discrete, MultiDiscrete, MultiBinary, or a Dict of these"
    )


def _is_image(space: Any) -> bool:
    shape = tuple(space.shape)
    return space.dtype == np.uint8 and len(shape) == 3 and sorted(shape)[1] >= SMALLEST_IMAGE


def _first(part: Part) -> bool:
    """Whether the channels of this picture come first, as in the convention of PyTorch."""
    shape = tuple(part.space.shape)
    return bool(shape) and _is_image(part.space) and shape[0] == min(shape)


def _frame(part: Part, value: Any) -> np.ndarray:
    array = np.asarray(value)
    array = np.moveaxis(array, -1, 0) if _first(part) and array.ndim == 3 else array
    array = array.reshape(part.space.shape) if array.size == np.prod(part.space.shape) else array
    return np.ascontiguousarray(array, dtype=part.space.dtype)


def _view(part: Part, offered: Mapping[str, Any]) -> str | None:
    return next((view for view in part.views if view in offered), None)


def _difference(part: Part, spec: Spec, stack: int) -> str | None:
    from gymnasium import spaces

    space = part.space
    if isinstance(space, spaces.Discrete):
        theirs, ours = f"{int(space.n)} choices", _choices(spec)
    elif isinstance(space, spaces.MultiDiscrete):
        theirs, ours = f"choices {np.ravel(space.nvec).tolist()}", _choices(spec)
    elif not isinstance(spec, Box):
        theirs, ours = f"an array of {space.dtype}", _choices(spec)
    else:
        shape = spec.shape
        if _is_image(space) and len(shape) == 3:
            height, width, channels = shape
            shape = (channels * stack, height, width)
            shape = shape if _first(part) else (height, width, channels * stack)
        elif stack > 1 and shape:
            shape = (*shape[:-1], shape[-1] * stack)
        kinds = [np.dtype(each).kind for each in (space.dtype, spec.dtype)]
        theirs = f"{space.dtype} {tuple(space.shape)}"
        same = tuple(space.shape) == tuple(shape) and (kinds[0] == kinds[1] or kinds[0] == "f")
        ours = theirs if same else f"{spec.dtype} {tuple(shape)}"
    return None if theirs == ours else f"{theirs}, and not the {ours}"


def _choices(spec: Spec) -> str:
    if isinstance(spec, Discrete):
        return f"{spec.n} choices"
    if isinstance(spec, MultiDiscrete):
        return f"choices {list(spec.nvec)}"
    return type(spec).__name__


def _bounds(low: Any, high: Any) -> str:
    lows, highs = (np.unique(np.round(each, 4)).tolist()[:4] for each in (low, high))
    return f"from {'/'.join(f'{v:g}' for v in lows)} to {'/'.join(f'{v:g}' for v in highs)}"


def _of(part: Part) -> str:
    return "" if part.key is None else f" {part.key!r}"


def _keys(space: Any) -> str:
    return ", ".join(map(str, space.spaces))
