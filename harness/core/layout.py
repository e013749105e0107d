"""The layout of a vector: what its elements are, as data that two sides can compare.

Standard library only; runs on Python 3.9, as harness/core/specs.py does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["FRAMES", "KINDS", "REPRESENTATIONS", "ROTATION_SIZES", "SIGNS", "UNKNOWN", "Field"]

UNKNOWN = "unknown"
"""What a simulator does not document. Nothing is concluded from it."""
KINDS = (
    "absolute", "delta", "target_delta", "velocity", "torque", "force", "command", "flag", UNKNOWN,
)  # fmt: skip
"""How the numbers of a field are to be taken.

`absolute`: the quantity itself, as it is measured or as a target. `delta`: a change of what is now;
`target_delta`: a change of the last target. `velocity`, `torque`, `force`. `command`: a value that
opens or closes, without a physical amount. `flag`: 0 or 1.
"""
FRAMES = ("", "world", "base", "eef", "body", UNKNOWN)
"""`world`; `base`: of the robot's base; `eef`: of the end effector; `body`: of the moving body
itself. Empty where a quantity has no frame, such as a joint's angle."""
ROTATION_SIZES = {
    "axis_angle": 3,
    "euler_xyz": 3,
    "euler_xyz_intrinsic": 3,
    "quaternion_wxyz": 4,
    "quaternion_xyzw": 4,
    "rot6d": 6,
    "matrix": 9,
}
"""Representation of a rotation -> its elements.

`axis_angle` is the rotation vector (rad). `euler_xyz` turns about the fixed axes x, then y, then z;
`euler_xyz_intrinsic` about the turned axes x, then y, then z. `rot6d` is the first two columns of
the matrix, one after the other; `matrix` has its rows one after the other.
"""
REPRESENTATIONS = ("", *ROTATION_SIZES, UNKNOWN)
SIGNS = ("", "positive opens", "positive closes", UNKNOWN)


@dataclass(frozen=True)
class Field:
    """Consecutive elements of a vector that belong together.

    Raises ValueError on a word that is none of the tables above.
    """

    name: str
    """The quantity: `eef_position`, `eef_rotation`, `gripper`, `joint_position`, ... A part of a
    body stands before a slash: `left/joint_position`."""
    size: int
    """How many elements, from 1 on."""
    kind: str
    """One of KINDS."""
    frame: str = ""
    """One of FRAMES."""
    unit: str = ""
    """The physical unit of `scale`, such as `m`; `1` for a fraction; empty if it is not known."""
    representation: str = ""
    """Of a rotation: one of REPRESENTATIONS."""
    sign: str = ""
    """Of a gripper: one of SIGNS."""
    scale: float | tuple[float, ...] | None = 1.0
    """What the number 1 is in `unit`, for all elements or for each. None if it is not known."""

    def __post_init__(self) -> None:
        for value, known, what in (
            (self.kind, KINDS, "kind"),
            (self.frame, FRAMES, "frame"),
            (self.representation, REPRESENTATIONS, "representation"),
            (self.sign, SIGNS, "sign"),
        ):
            if value not in known:
                raise ValueError(
                    f"field {self.name}: the {what} {value!r} is not one of "
                    f"{', '.join(repr(each) for each in known)}"
                )
        if not (isinstance(self.name, str) and isinstance(self.unit, str)):
            raise ValueError(f"field {self.name!r}: its name and its unit are texts")
        if not self.name or type(self.size) is not int or self.size < 1:
            raise ValueError(f"field {self.name!r}: it needs a name and a size from 1 on")
        expected = ROTATION_SIZES.get(self.representation, self.size)
        if expected != self.size:
            raise ValueError(
                f"field {self.name}: {self.representation} has {expected} elements, not {self.size}"
            )
        scales = self.scale if isinstance(self.scale, tuple) else (self.scale,)
        if len(scales) not in (1, self.size) or not all(
            scale is None or (math.isfinite(scale) and scale) for scale in scales
        ):
            raise ValueError(
                f"field {self.name}: the scale {self.scale} is not a number other than 0, or one "
                f"for each of {self.size} elements"
            )

    @property
    def quantity(self) -> str:
        """The name without the part of the body."""
        return self.name.rpartition("/")[2]

    @property
    def holds(self) -> bool:
        """Whether a body that is told nothing new keeps this field's last value.

        True of targets and of grippers, False of differences, velocities, torques and forces.
        """
        return self.kind in ("absolute", "command") or self.quantity == "gripper"


def problem(layout: Any, shape: tuple[int, ...]) -> str | None:
    """Why `layout` does not describe a vector of this shape, or None. It may be empty."""
    if not isinstance(layout, tuple) or not all(isinstance(field, Field) for field in layout):
        return "a layout is a tuple of harness.core.Field"
    if not layout:
        return None
    if len(shape) != 1:
        return f"only a vector has a layout, not an array of shape {shape}"
    covered = sum(field.size for field in layout)
    if covered != shape[0]:
        return f"its layout has {covered} elements, the vector {shape[0]}"
    twice = _repeated(field.name for field in layout)
    return f"its layout has two fields {twice!r}" if twice else None


def _repeated(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
