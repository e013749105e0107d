"""What a policy expects against what a task offers, before anything moves.

Every mismatch has a code that does not change: scripts and reports may name it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.core import Box, Brief, Field
from harness.core.errors import suggest
from harness.core.layout import ROTATION_SIZES, UNKNOWN
from harness.policies.profiles.expectations import Expectations
from harness.policies.profiles.keys import FLIPS, ImageKey, Part, VectorKey, place_of
from harness.policies.profiles.moves import ActionField, ActionVector
from harness.policies.profiles.normalisation import METHODS, Normalisation

__all__ = ["CODES", "Mismatch", "find_mismatches"]

CODES: Mapping[str, str] = {
    "missing-view": "a view that the policy reads is not on offer",
    "view-kind": "a view is no picture, or no vector, where the policy expects one",
    "view-size": "a picture has another size than the policy expects",
    "orientation": "a picture is flipped otherwise than the policy expects",
    "colour-order": "a picture's channels are RGB where the policy expects BGR, or the reverse",
    "camera": "a picture comes from a camera at the hand where the policy expects one of the "
    "scene, or the reverse",
    "missing-field": "a vector lacks a field that the other side needs",
    "dimension": "a vector has another number of elements",
    "rotation-representation": "a rotation is written in another way",
    "gripper-sign": "a positive number opens the gripper on one side and closes it on the other",
    "frame": "a quantity is given in another frame",
    "kind": "a quantity is given as a target on one side and as a difference on the other",
    "unit": "a quantity is given in another unit",
    "scale": "the number 1 is another amount",
    "rate": "the policy decides more or less often than the task asks",
    "missing-statistics": "the policy's numbers are normalised and the statistics are missing, or "
    "nothing says whether they are",
    "degenerate-statistics": "an element of the statistics has no spread",
    "action-kind": "the task takes no vector as its action",
    "unknown-layout": "the task does not say what its elements are, so nothing was compared",
}
"""Code -> what it means."""
DELTAS = ("delta", "target_delta")
AT_HAND = ("hand", "wrist", "gripper")
RATE = 0.02
"""Relative difference of rates below which they are the same."""


@dataclass(frozen=True)
class Mismatch:
    """One thing that does not fit."""

    code: str
    """One of CODES."""
    theirs: str
    """What the policy expects."""
    ours: str
    """What the task offers."""
    remedy: str
    fatal: bool = True
    """Whether the policy is not played because of it."""

    @property
    def reason(self) -> str:
        """The mismatch in one line."""
        return f"{self.code}: the policy expects {self.theirs}, the task has {self.ours}"


def find_mismatches(profile: Expectations, brief: Brief) -> tuple[Mismatch, ...]:
    """All mismatches between a profile and a task, the fatal ones first."""
    found = [
        *(each for image in profile.images for each in _of_image(image, brief)),
        *(each for vector in profile.vectors for each in _of_vector(vector, brief)),
        *_of_action(profile.action, brief),
        *_of_rate(profile.control_hz, brief.control_hz),
    ]
    return tuple(sorted(found, key=lambda each: not each.fatal))


def _missing_view(view: str, key: str, brief: Brief) -> Mismatch:
    offered = ", ".join(brief.observation) or "no views"
    hint = suggest(view, brief.observation) or "name one of these views"
    return Mismatch("missing-view", f"the view {view!r} for {key!r}", offered, hint)


def _of_image(image: ImageKey, brief: Brief) -> Iterator[Mismatch]:
    spec = brief.observation.get(image.view)
    if spec is None:
        if not image.optional:
            yield _missing_view(image.view, image.key, brief)
        return
    if not (isinstance(spec, Box) and spec.dtype == "uint8" and len(spec.shape) == 3):
        yield Mismatch(
            "view-kind", f"a picture for {image.key!r}", f"{image.view}: {_shape(spec)}",
            "name a view that is uint8 (H, W, 3)",
        )  # fmt: skip
        return
    size = image.resize or (spec.shape[0], spec.shape[1])
    if image.shape is not None and size != image.shape:
        yield Mismatch(
            "view-size", f"{image.key!r} of {_times(image.shape)}",
            f"{image.view} of {_times(size)}",
            f"write resize = [{image.shape[0]}, {image.shape[1]}]",
        )  # fmt: skip
    stands = FLIPS[image.flip]
    if image.orientation and image.orientation != stands:
        flip = next(name for name, means in FLIPS.items() if means == image.orientation)
        yield Mismatch(
            "orientation", f"{image.key!r} {image.orientation}", f"{image.view} {stands}",
            f'write flip = "{flip}"' if flip else "leave flip out",
        )  # fmt: skip
    order = "bgr" if image.bgr else "rgb"
    if image.colours and image.colours != order:
        yield Mismatch(
            "colour-order", f"{image.key!r} as {image.colours.upper()}",
            f"{image.view} as {order.upper()}", f"write bgr = {str(not image.bgr).lower()}",
        )  # fmt: skip
    place = "hand" if any(word in image.view.lower() for word in AT_HAND) else "scene"
    if image.camera and image.camera != place:
        others = [
            view
            for view in brief.observation
            if view.startswith("image")
            and any(word in view.lower() for word in AT_HAND) == (image.camera == "hand")
        ]
        yield Mismatch(
            "camera", f"{image.key!r} from a camera of the {image.camera}",
            f"{image.view} from one of the {place}",
            f"name one of {', '.join(others)}" if others else "the task has no such camera",
        )  # fmt: skip


def _of_vector(vector: VectorKey, brief: Brief) -> Iterator[Mismatch]:
    total, whole = 0, True
    for part in vector.parts:
        if part.constant:
            total += len(part.constant)
            continue
        spec = brief.observation.get(part.view)
        if spec is None:
            whole = False
            yield _missing_view(part.view, vector.key, brief)
        elif not isinstance(spec, Box) or len(spec.shape) != 1:
            whole = False
            yield Mismatch(
                "view-kind", f"a vector for {vector.key!r}", f"{part.view}: {_shape(spec)}",
                "name a view that is a vector",
            )  # fmt: skip
        elif (place := place_of(spec, part)) is None:
            whole = False
            yield _no_place(vector.key, part, spec)
        else:
            size = place[1].size if part.field and place[1] is not None else part.size
            total += len(part.select) or ROTATION_SIZES.get(part.representation, size)
            yield from _of_part(part, place[1], size)
    if whole and vector.size is not None and total != vector.size:
        yield _dimension(f"{vector.key!r} with {vector.size} elements", str(total))
    statistics = vector.normalisation
    yield from _of_statistics(vector.key, statistics, total if whole else None)


def _no_place(key: str, part: Part, spec: Box) -> Mismatch:
    if not part.field:
        wanted = f"elements {part.start} to {part.start + part.size - 1} of {part.view!r}"
        return _dimension(wanted, f"{part.view} with {spec.shape[0]} elements")
    names = [field.name for field in spec.layout]
    ours = f"{part.view} with {', '.join(names)}" if names else f"no layout of {part.view}"
    hint = suggest(part.field, names) or "name one of these fields, or start and size"
    return Mismatch("missing-field", f"the field {part.field!r} for {key!r}", ours, hint)


def _of_part(part: Part, field: Field | None, size: int) -> Iterator[Mismatch]:
    what = f"{part.view}.{part.field or f'{part.start}-{part.start + size - 1}'}"
    needed = part.source or part.representation
    if field is None:
        if needed or part.frame or part.unit or part.sign:
            yield _unknown(what, needed or part.frame or part.unit or part.sign)
        return
    if part.field and part.size and part.size != size:
        yield _dimension(f"{what} with {part.size} elements", str(size))
    there = ROTATION_SIZES.get(part.representation, size)
    if max(part.select, default=0) >= there:
        yield _dimension(f"element {max(part.select)} of {what}", f"{there} elements")
    if needed and field.representation != needed:
        if field.representation == UNKNOWN:
            yield _unknown(what, needed)
        else:
            ours = field.representation or "no rotation"
            yield Mismatch(
                "rotation-representation", f"{what} as {needed}", ours,
                f'write from = "{ours}"' if field.representation else "name a rotation",
            )  # fmt: skip
    yield from _compared("frame", what, part.frame, field.frame, "name a field in this frame")
    ours = field.unit if part.field else _raw_unit(field)
    yield from _compared("unit", what, part.unit, ours, "convert it with scale")
    sign = _opposite(field.sign) if part.scale < 0 else field.sign
    yield from _compared("gripper-sign", what, part.sign, sign, "turn it with scale = -1")


def _raw_unit(field: Field) -> str:
    """The unit of the numbers as they are; `1` where they are a share of something."""
    return field.unit if field.scale == 1.0 else f"{field.scale} {field.unit}"


def _compared(code: str, what: str, theirs: str, ours: str, remedy: str) -> Iterator[Mismatch]:
    if not theirs or theirs == ours:
        return
    if ours in ("", UNKNOWN):
        yield _unknown(what, theirs)
    else:
        yield Mismatch(code, f"{what} as {theirs!r}", repr(ours), remedy)


def _of_statistics(what: str, normalisation: Normalisation, size: int | None) -> Iterator[Mismatch]:
    problem = normalisation.problem
    if normalisation.size is not None and size is not None and normalisation.size != size:
        yield _dimension(f"statistics of {what!r} for {normalisation.size} elements", str(size))
    elif problem is not None and normalisation.rows is not None:
        yield Mismatch(
            "degenerate-statistics", f"a spread in every element of {what!r}", problem,
            "leave the element out with mask",
        )  # fmt: skip
    elif problem is not None:
        rows = METHODS.get(normalisation.method)
        yield Mismatch(
            "missing-statistics", f"statistics for {what!r}", problem,
            f'write {rows[0]} and {rows[1]}, or statistics = "FILE.json"'
            if rows
            else 'write normalisation = { method = "none" } if the policy undoes its own',
        )  # fmt: skip


def _of_action(action: ActionVector, brief: Brief) -> Iterator[Mismatch]:
    yield from _of_statistics("action", action.normalisation, action.size)
    spec = brief.action
    if not isinstance(spec, Box) or len(spec.shape) != 1:
        yield Mismatch(
            "action-kind", "a vector as action", _shape(spec),
            "play the tasks that the policy was trained on",
        )  # fmt: skip
        return
    used = [field for field in action.fields if not field.ignore]
    if not spec.layout:
        total = sum(field.size for field in used)
        if total != spec.shape[0]:
            yield _dimension(f"actions of {total} elements", str(spec.shape[0]))
        yield _unknown("action", "fields")
        return
    ours = {field.name: field for field in spec.layout}
    for field in used:
        if field.theirs.name not in ours:
            yield Mismatch(
                "missing-field", f"the field {field.theirs.name!r} in the action",
                ", ".join(ours), suggest(field.theirs.name, ours) or "mark it with ignore = true",
            )  # fmt: skip
        else:
            yield from _of_field(field, ours[field.theirs.name])
    given = [field.theirs.name for field in used]
    others = [name for name in ours if name not in given and name != "unused"]
    if others:
        yield Mismatch(
            "missing-field", f"to move nothing but {', '.join(given)}", f"{', '.join(others)} too",
            "play the tasks that the policy was trained on, or another control mode",
        )  # fmt: skip


def _of_field(field: ActionField, ours: Field) -> Iterator[Mismatch]:
    theirs, what = field.theirs, f"action.{ours.name}"
    if field.size != ours.size:
        yield _dimension(f"{what} with {field.size} elements", str(ours.size))
    rotation = field.to or theirs.representation
    yield from _compared(
        "rotation-representation", what, rotation, ours.representation,
        f'write to = "{ours.representation}"',
    )  # fmt: skip
    gripper = ours.quantity == "gripper"
    known = UNKNOWN not in (theirs.kind, ours.kind)
    if known and theirs.kind != ours.kind and not gripper:
        yield Mismatch(
            "kind", f"{what} as {theirs.kind}", ours.kind,
            "play another control mode, or another checkpoint",
            fatal=not (theirs.kind in DELTAS and ours.kind in DELTAS),
        )  # fmt: skip
    elif not known:
        yield _unknown(what, theirs.kind)
    yield from _compared("frame", what, theirs.frame, ours.frame, "rotate it in the policy")
    yield from _compared("gripper-sign", what, field.sign, ours.sign, _turned(field))
    if gripper and theirs.kind != ours.kind:
        return  # a command has no amount
    yield from _compared("unit", what, theirs.unit, ours.unit, "convert it in the policy")
    if ours.scale is None:
        yield _unknown(what, "scale")
    elif (
        field.scale is not None
        and theirs.unit == ours.unit
        and field.range is None
        and not np.allclose(field.scale, ours.scale, rtol=1e-3)
    ):
        yield Mismatch(
            "scale", f"{what} with 1 as {_amount(field.scale, theirs.unit)}",
            f"1 as {_amount(ours.scale, ours.unit)}", f"write to_scale = {ours.scale}",
        )  # fmt: skip


def _turned(field: ActionField) -> str:
    return f"write invert = {str(not field.invert).lower()}"


def _amount(scale: Any, unit: str) -> str:
    return f"{scale} {unit}".strip()


def _of_rate(theirs: float | None, ours: float | None) -> Iterator[Mismatch]:
    if theirs is None:
        return
    if ours is None:
        yield Mismatch(
            "rate", f"{theirs:g} decisions a second", "no clock", "nothing has to be done",
            fatal=False,
        )  # fmt: skip
    elif abs(theirs - ours) > RATE * ours:
        yield Mismatch(
            "rate", f"{theirs:g} decisions a second", f"{ours:g}",
            "leave control_hz out if the policy was trained on this task's steps",
        )  # fmt: skip


def _opposite(sign: str) -> str:
    return {"positive opens": "positive closes", "positive closes": "positive opens"}.get(
        sign, sign
    )


def _dimension(theirs: str, ours: str) -> Mismatch:
    return Mismatch("dimension", theirs, ours, "check the parts, or play another task")


def _unknown(what: str, wanted: str) -> Mismatch:
    return Mismatch(
        "unknown-layout", f"{what}: {wanted}", "nothing that says it",
        "compare it with the task's own documentation",
        fatal=False,
    )  # fmt: skip


def _shape(spec: Any) -> str:
    if isinstance(spec, Box):
        return f"{spec.dtype} {spec.shape}"
    return type(spec).__name__


def _times(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]} px"
