"""Counter-changes of what an agent sees: pictures, vectors, cameras, the order of its history."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from harness.core import Box, Brief, Turn
from harness.core.layout import ROTATION_SIZES
from harness.play.lazy_views import LazyViews
from harness.policies.profiles.rotations import convert
from harness.probes.changes import Change

__all__ = ["is_picture", "other_edge", "with_views"]

Function = Callable[[Any], Any]
SMALLEST = 8
"""Pixels of a side of a picture; smaller arrays are tables of cells."""
ZOOM = 1.25
EACH = ("turned by 180 degrees", "turned upside down", "mirrored", "with red and blue exchanged")
"""What is tried of each of several pictures alone; the rest of all of them only."""


def is_picture(name: str, spec: object) -> bool:
    """Whether a view is a picture, of the shape (height, width) or (height, width, channels)."""
    return (
        isinstance(spec, Box)
        and len(spec.shape) in (2, 3)
        and min(spec.shape[:2]) >= SMALLEST
        and (name.startswith(("image", "depth")) or spec.dtype == "uint8")
    )


def zoomed(image: np.ndarray, factor: float) -> np.ndarray:
    """The picture enlarged about its centre, or shrunk with black around it; nearest pixels."""
    places, inside = [], []
    for size in image.shape[:2]:
        place = np.floor((np.arange(size) + 0.5 - size / 2) / factor + size / 2).astype(int)
        inside.append((place >= 0) & (place < size))
        places.append(np.clip(place, 0, size - 1))
    found = image[np.ix_(*places)]
    found[~(inside[0][:, None] & inside[1][None, :])] = 0
    return found


def other_edge(image: np.ndarray) -> np.ndarray:
    """The picture with other pixels in its outer tenth: the least for the largest, and so on."""
    found: np.ndarray = image.max() + (image.min() - image)
    rows, columns = (max(1, size // 10) for size in image.shape[:2])
    inside = slice(rows, len(image) - rows), slice(columns, image.shape[1] - columns)
    found[inside] = image[inside]
    return found


def _is_table(name: str, spec: object) -> bool:
    """Whether a view is a table of cells, such as MiniGrid's `grid`."""
    return (
        isinstance(spec, Box)
        and len(spec.shape) in (2, 3)
        and min(spec.shape[:2]) > 1
        and spec.np_dtype.kind in "iu"
        and not is_picture(name, spec)
    )


def _turning_functions(spec: Box) -> Iterator[tuple[str, Function]]:
    turned, upside_down, mirrored, _ = EACH
    yield turned, lambda image: image[::-1, ::-1]
    yield upside_down, lambda image: image[::-1]
    yield mirrored, lambda image: image[:, ::-1]
    if spec.shape[0] == spec.shape[1]:
        yield "with rows and columns exchanged", lambda image: np.swapaxes(image, 0, 1)
        yield "turned by 90 degrees clockwise", lambda image: np.rot90(image, -1)
        yield "turned by 90 degrees counterclockwise", np.rot90


def _table_functions(spec: Box) -> Iterator[tuple[str, Function]]:
    yield from _turning_functions(spec)
    if spec.shape[2:] and spec.shape[2] > 1:
        yield "with what it says of a cell in reverse order", lambda table: table[..., ::-1]


def _picture_functions(spec: Box) -> Iterator[tuple[str, Function]]:
    yield from _turning_functions(spec)
    if spec.shape[2:] == (3,):
        yield EACH[-1], lambda image: image[..., ::-1]
    yield f"enlarged {ZOOM} times", lambda image: zoomed(image, ZOOM)
    yield f"shrunk {ZOOM} times", lambda image: zoomed(image, 1 / ZOOM)


class _Mapped(Mapping[str, Any]):
    """Views that are changed when they are read, so that none is drawn in vain."""

    def __init__(self, seen: Mapping[str, Any], functions: Mapping[str, Function]) -> None:
        self._seen, self._functions = seen, functions

    def __getitem__(self, name: str) -> Any:
        value = self._seen[name]
        return self._functions[name](value) if name in self._functions else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._seen)

    def __len__(self) -> int:
        return len(self._seen)


def _changed(seen: Mapping[str, Any], functions: Mapping[str, Function]) -> Mapping[str, Any]:
    if isinstance(seen, LazyViews):
        return _Mapped(seen, functions)
    return {**seen, **{name: act(seen[name]) for name, act in functions.items() if name in seen}}


def with_views(what: str, functions: Mapping[str, Function], kind: str = "views") -> Change:
    """These views pass through a function each before the agent sees them."""
    kept = {name: _kept(act) for name, act in functions.items()}

    def turn(turn: Turn) -> Turn:
        observations = tuple(_changed(seen, kept) for seen in turn.observations)
        return dataclasses.replace(turn, observations=observations)

    return Change(kind=kind, what=what, says=what, turn=turn)


def _kept(act: Function) -> Function:
    """The function, whose result has the dtype of the view and lies in memory in its own order."""
    return lambda value: np.ascontiguousarray(act(np.asarray(value)), dtype=value.dtype)


def of_pictures(brief: Brief) -> Iterator[Change]:
    """Pictures, each and all, turned, mirrored, recoloured and zoomed; tables of cells turned,
    mirrored, and with what they say of a cell in reverse order; two pictures exchanged."""
    pictures = {
        name: spec
        for name, spec in brief.observation.items()
        if isinstance(spec, Box) and is_picture(name, spec)
    }
    together: dict[str, dict[str, Function]] = {}
    for name, spec in pictures.items():
        for what, act in _picture_functions(spec):
            together.setdefault(what, {})[name] = act
    for what, functions in together.items():
        if len(functions) == 1 or what in EACH:
            for name, act in functions.items():
                yield with_views(f"{name} {what}", {name: act})
        if len(functions) > 1:
            yield with_views(f"all pictures {what}", functions)
    for name, view in brief.observation.items():
        if isinstance(view, Box) and _is_table(name, view):
            for what, act in _table_functions(view):
                yield with_views(f"{name} {what}", {name: act})
    for one, other in itertools.combinations(pictures, 2):
        if (pictures[one].shape, pictures[one].dtype) == (
            pictures[other].shape,
            pictures[other].dtype,
        ):
            yield _exchanged(one, other)


def _exchanged(one: str, other: str) -> Change:
    def turn(turn: Turn) -> Turn:
        observations = tuple(
            {**dict(seen), one: seen[other], other: seen[one]} for seen in turn.observations
        )
        return dataclasses.replace(turn, observations=observations)

    what = f"{one} and {other} exchanged"
    return Change(kind="views", what=what, says=what, turn=turn)


def of_vectors(brief: Brief) -> Iterator[Change]:
    """Rotations in another representation, and bounded vectors normalised into -1..1."""
    for name, spec in brief.observation.items():
        if not isinstance(spec, Box) or len(spec.shape) != 1 or spec.np_dtype.kind != "f":
            continue
        start, together = 0, dict[str, list[Function]]()
        for field in spec.layout:
            part = slice(start, start + field.size)
            start += field.size
            for new in _others(field.representation):
                act = _rotated(part, field.representation, new)
                together.setdefault(new, []).append(act)
                yield with_views(f"{name}: {field.name} as {new}", {name: act})
        for new, functions in together.items():
            if len(functions) > 1:
                yield with_views(f"{name}: all rotations as {new}", {name: _each(functions)})
        low, high = spec.limits
        wide = np.isfinite(low).all() and np.isfinite(high).all() and (high > low).all()
        if wide and not ((low == -1).all() and (high == 1).all()):
            yield with_views(f"{name} normalised into -1..1", {name: _normalised(low, high)})


def _others(representation: str) -> Iterator[str]:
    """What the rotation may be taken for: representations with as many elements."""
    size = ROTATION_SIZES.get(representation)
    for other, elements in ROTATION_SIZES.items():
        if elements == size and other != representation:
            yield other


def _each(functions: Sequence[Function]) -> Function:
    return lambda vector: functools.reduce(lambda value, act: act(value), functions, vector)


def _rotated(part: slice, old: str, new: str) -> Function:
    def act(vector: np.ndarray) -> np.ndarray:
        found = vector.astype(np.float64)
        found[part] = convert(found[part], old, new)
        return found

    return act


def _normalised(low: np.ndarray, high: np.ndarray) -> Function:
    return lambda vector: 2 * (vector - low) / (high - low) - 1


def of_history(history: int) -> Iterator[Change]:
    """What an agent with several observations takes for the newest one."""
    if history > 1:

        def turn(turn: Turn) -> Turn:
            return dataclasses.replace(turn, observations=turn.observations[::-1])

        what = "observations in the order newest first"
        yield Change(kind="views", what=what, says=what, turn=turn)
