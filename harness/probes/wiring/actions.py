"""Counter-changes of what an agent answers: scale, normalisation, axes, gripper, rotation, the
numbers of choices, chunks."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from harness.core import Answer, BadAction, Box, Brief, Discrete
from harness.core.batches import on_host
from harness.core.layout import ROTATION_SIZES, Field
from harness.play.values import AgentFault, Chunk
from harness.policies.profiles.rotations import convert
from harness.probes.changes import Change
from harness.probes.wiring.pictures import is_picture

__all__ = ["of_actions", "of_chunks"]

Function = Callable[[np.ndarray], np.ndarray]
SCALES = (0.1, 0.5, 2.0, 10.0)
MOVING = ("delta", "target_delta", "velocity")
"""Kinds of a position that another frame turns about zero."""


def of_actions(brief: Brief) -> Iterator[Change]:
    """What fits the brief's action: choices; vectors of numbers, and what their layout names."""
    spec = brief.action
    if isinstance(spec, Discrete):
        yield from _of_choices(spec)
    if not isinstance(spec, Box) or len(spec.shape) != 1:
        return
    low, high = (each.astype(np.float64) for each in spec.limits)
    parts = list(_parts(spec))
    moving = np.ones(spec.shape, bool)
    for field, part in parts:
        if field.holds or field.kind == "flag":
            moving[part] = False
    if moving.any():
        for scale in SCALES:
            yield _changed(f"actions {scale:g} times as large", spec, _scaled(moving, scale))
    bounded = np.isfinite(low).all() and np.isfinite(high).all() and (high > low).all()
    if bounded and not ((low == -1).all() and (high == 1).all()):
        yield _changed(
            "actions un-normalised from -1..1", spec, lambda a: low + (a + 1) / 2 * (high - low)
        )
        yield _changed(
            "actions normalised into -1..1", spec, lambda a: 2 * (a - low) / (high - low) - 1
        )
    # Beside a picture, axes that are turned look as the picture turned or mirrored does.
    if not any(is_picture(name, each) for name, each in brief.observation.items()):
        for field, part in parts:
            if field.quantity.endswith("position") and field.frame and field.kind in MOVING:
                yield from _of_axes(field, part, spec)
    for field, part in parts:
        if field.quantity == "gripper" and np.isfinite([low[part], high[part]]).all():
            yield from _of_gripper(field, part, spec, low[part], high[part])
        size = ROTATION_SIZES.get(field.representation)
        for other, elements in ROTATION_SIZES.items():
            if elements == size and other != field.representation:
                yield _changed(
                    f"action: {field.name} read as {other}",
                    spec,
                    _converted(part, other, field.representation),
                )
        if field.unit == "rad" and field.kind == "absolute":
            for factor, what in ((math.pi / 180, "degrees"), (180 / math.pi, "radians twice")):
                yield _changed(
                    f"action: {field.name} read as {what}", spec, _scaled(_mask(spec, part), factor)
                )


def _of_choices(spec: Discrete) -> Iterator[Change]:
    """Choices that are counted from another first one; with two of them both are one change."""
    for by, what in ((-1, "lower"), (1, "higher"))[: spec.n - 1]:
        yield _changed(f"the number of each action one {what}", spec, _shifted(spec, by))


def _shifted(spec: Discrete, by: int) -> Callable[[Any], Any]:
    def function(action: Any) -> Any:
        try:
            number, _ = spec.coerce(action)
        except BadAction:
            return action  # whoever executes it says what is wrong with it
        return (number + by) % spec.n

    return function


def _parts(spec: Box) -> Iterator[tuple[Field, slice]]:
    start = 0
    for field in spec.layout:
        yield field, slice(start, start + field.size)
        start += field.size


def _mask(spec: Box, part: slice) -> np.ndarray:
    mask = np.zeros(spec.shape, bool)
    mask[part] = True
    return mask


def _scaled(mask: np.ndarray, scale: float) -> Function:
    return lambda action: np.where(mask, action * scale, action)


def _of_axes(field: Field, part: slice, spec: Box) -> Iterator[Change]:
    """A movement in a frame that is mirrored, or turned about z."""
    if field.size not in (2, 3):
        return
    for axis, name in enumerate("xyz"[: field.size]):
        signs = np.ones(field.size)
        signs[axis] = -1
        yield _changed(
            f"the sign of {field.name} {name} turned", spec, _at(part, _turned(np.diag(signs)))
        )
    for what, plane in (
        ("x and y of {} exchanged", [[0, 1], [1, 0]]),
        ("{} turned by 90 degrees about z", [[0, -1], [1, 0]]),
        ("{} turned by -90 degrees about z", [[0, 1], [-1, 0]]),
        ("{} turned by 180 degrees about z", [[-1, 0], [0, -1]]),
    ):
        matrix = np.eye(field.size)
        matrix[:2, :2] = plane
        yield _changed(what.format(field.name), spec, _at(part, _turned(matrix)))


def _turned(matrix: np.ndarray) -> Function:
    return lambda vector: matrix @ vector


def _of_gripper(
    field: Field, part: slice, spec: Box, low: np.ndarray, high: np.ndarray
) -> Iterator[Change]:
    yield _changed(
        f"the sign of {field.name} turned", spec, _at(part, lambda value: low + high - value)
    )
    if (low == -1).all() and (high == 1).all():
        yield _changed(f"{field.name} read as 0..1", spec, _at(part, lambda value: 2 * value - 1))
    else:
        yield _changed(
            f"{field.name} read as -1..1",
            spec,
            _at(part, lambda value: low + (value + 1) / 2 * (high - low)),
        )


def _at(part: slice, act: Function) -> Function:
    def function(action: np.ndarray) -> np.ndarray:
        found = action.copy()
        found[part] = act(action[part])
        return found

    return function


def _converted(part: slice, old: str, new: str) -> Function:
    return _at(part, lambda value: convert(value, old, new))


def _of_vector(spec: Box, function: Function) -> Callable[[Any], Any]:
    def one(action: Any) -> Any:
        try:
            array = np.asarray(on_host(action), dtype=np.float64)
        except (TypeError, ValueError):
            return action  # whoever executes it says what is wrong with it
        return function(array) if array.shape == spec.shape else action

    return one


def _changed(what: str, spec: Box | Discrete, function: Callable[[Any], Any]) -> Change:
    """Each action of an answer passes through a function; a Box's as float64 of its shape."""
    one = _of_vector(spec, function) if isinstance(spec, Box) else function

    def answer(answer: Any) -> Any:
        if isinstance(answer, AgentFault):
            return answer
        if isinstance(answer, Chunk):  # its actions were taken, and maybe clipped, already
            moves = [
                each if isinstance(each, AgentFault) else spec.coerce(one(each[0]))
                for each in answer.moves
            ]
            return dataclasses.replace(answer, moves=moves)
        if isinstance(answer, Answer):
            return dataclasses.replace(
                answer,
                actions=[one(each) for each in answer.actions],
                rest=[one(each) for each in answer.rest],
            )
        return one(answer)

    return Change(kind="actions", what=what, says=what, answer=answer)


def of_chunks(chunks: bool, rest: bool) -> Iterator[Change]:
    """How many actions of an answer are executed.

    `chunks`: whether answers hold several actions; `rest`: whether they have more to give.
    """
    if chunks:
        yield _length("asked at every step", lambda actions, rest: actions[:1])
        yield _length(
            "asked again after half a chunk",
            lambda actions, rest: actions[: max(1, len(actions) // 2)],
        )
    else:
        yield _length("each action held for 2 steps", lambda actions, rest: [*actions, *actions])
    if rest:
        yield _length("asked again after the whole chunk", lambda actions, rest: [*actions, *rest])


def _length(what: str, chosen: Callable[[list[Any], list[Any]], list[Any]]) -> Change:
    def answer(answer: Any) -> Any:
        if isinstance(answer, AgentFault):
            return answer
        if isinstance(answer, Chunk):
            return dataclasses.replace(answer, moves=chosen(answer.moves, answer.rest), rest=[])
        if isinstance(answer, Answer):
            actions = chosen(list(answer.actions), list(answer.rest))
            return dataclasses.replace(answer, actions=actions, rest=())
        return Answer(chosen([answer], []))

    return Change(kind="chunk", what=what, says=what, answer=answer)
