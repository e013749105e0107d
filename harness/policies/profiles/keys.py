"""How a policy's keys are made from our views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.core import Field, UserError
from harness.core.layout import ROTATION_SIZES
from harness.policies.profiles.normalisation import Normalisation
from harness.policies.profiles.rotations import convert

__all__ = ["FLIPS", "ImageKey", "Part", "VectorKey", "place_of"]

Array = np.ndarray[Any, Any]
AS_THEY_ARE = Normalisation("none")
FLIPS: Mapping[str, str] = {
    "": "upright",
    "horizontal": "mirrored",
    "vertical": "upside down and mirrored",
    "both": "turned by 180 degrees",
}
"""What is flipped -> how an upright picture stands then. All our images are upright."""


@dataclass(frozen=True, kw_only=True)
class ImageKey:
    """A key that holds a picture."""

    key: str
    view: str
    optional: bool = False
    """Left out where the view is not on offer."""
    flip: str = ""
    """One of FLIPS; done before everything else."""
    bgr: bool = False
    """Whether the channels are turned from RGB to BGR."""
    resize: tuple[int, int] | None = None
    """(height, width) in px."""
    pad: bool = False
    """Whether black borders keep the picture's proportions."""
    channels: str = "last"
    """`last`: (H, W, 3); `first`: (3, H, W)."""
    dtype: str = "uint8"
    """`uint8` of 0 to 255, or `float32` of `range`."""
    range: tuple[float, float] = (0.0, 1.0)
    shape: tuple[int, int] | None = None
    """What the policy expects: (height, width)."""
    orientation: str = ""
    """What it expects: a value of FLIPS; empty if it is not said."""
    colours: str = ""
    """What it expects: `rgb` or `bgr`."""
    camera: str = ""
    """What it expects: `hand`, a camera that moves with the hand, or `scene`."""

    def value(self, observation: Mapping[str, Any]) -> Array:
        """The picture as the policy sees it."""
        picture = np.asarray(observation[self.view])
        if self.flip in ("vertical", "both"):
            picture = picture[::-1]
        if self.flip in ("horizontal", "both"):
            picture = picture[:, ::-1]
        if self.bgr:
            picture = picture[..., ::-1]
        if self.resize is not None and picture.shape[:2] != self.resize:
            picture = _resized(picture, self.resize, self.pad)
        if self.channels == "first":
            picture = np.moveaxis(picture, -1, 0)
        if self.dtype == "uint8":
            return np.ascontiguousarray(picture, np.uint8)
        low, high = self.range
        scaled = np.asarray(picture, np.float32) * np.float32((high - low) / 255.0)
        return np.ascontiguousarray(scaled + np.float32(low), np.float32)

    def upright(self, value: Any) -> Array:
        """The inverse of `value`, but for its size: uint8 (H, W, 3)."""
        picture = np.asarray(value)
        if picture.ndim != 3 or picture.dtype.kind not in "fiu":
            raise ValueError(f"{self.key!r} is no picture: {picture.dtype} {picture.shape}")
        if self.channels == "first":
            picture = np.moveaxis(picture, 0, -1)
        if picture.dtype.kind == "f":
            low, high = self.range
            picture = np.clip(np.rint((picture - low) / (high - low) * 255.0), 0, 255)
        if self.bgr:
            picture = picture[..., ::-1]
        if self.flip in ("vertical", "both"):
            picture = picture[::-1]
        if self.flip in ("horizontal", "both"):
            picture = picture[:, ::-1]
        return np.ascontiguousarray(picture.astype(np.uint8))


def _resized(picture: Array, size: tuple[int, int], pad: bool) -> Array:
    """Bilinear, as Pillow does it; the rest black if `pad`, as openpi's resize_with_pad."""
    image = pillow().fromarray(np.ascontiguousarray(picture))
    height, width = size
    if not pad:
        return np.asarray(image.resize((width, height), resample=2))
    ratio = max(picture.shape[1] / width, picture.shape[0] / height)
    inner = int(picture.shape[1] / ratio), int(picture.shape[0] / ratio)
    canvas = np.zeros((height, width, 3), np.uint8)
    left, top = max(0, (width - inner[0]) // 2), max(0, (height - inner[1]) // 2)
    canvas[top : top + inner[1], left : left + inner[0]] = np.asarray(
        image.resize(inner, resample=2)
    )
    return canvas


def pillow() -> Any:
    """PIL.Image. Raises UserError where Pillow is not installed."""
    try:
        from PIL import Image
    except ImportError:
        raise UserError(
            "a profile that resizes pictures needs Pillow: pip install pillow"
        ) from None
    return Image


@dataclass(frozen=True, kw_only=True)
class Part:
    """Consecutive elements of a key's vector: a field of a view, some of its elements, or numbers.

    Either `view` and `field`, `view` with `start` and `size`, or `constant`.
    """

    view: str = ""
    field: str = ""
    """The name of a field in the layout of the view."""
    start: int = 0
    """Without a field: the first element of the view."""
    size: int = 0
    """How many elements; with a field it may be left out, and is checked if it is not."""
    select: tuple[int, ...] = ()
    """Which elements of the field; all if empty."""
    constant: tuple[float, ...] = ()
    source: str = ""
    """The representation of the rotation that ours must have; empty: `representation`."""
    representation: str = ""
    """The representation that the policy expects."""
    frame: str = ""
    """The frame that the policy expects; empty if it is not said."""
    unit: str = ""
    """The unit that the policy expects, before `scale`; empty if it is not said."""
    sign: str = ""
    """What a gripper's sign means to the policy, after `scale`."""
    scale: float = 1.0
    offset: float = 0.0
    """The policy's number is scale * ours + offset, with ours in its field's unit."""

    def sent_size(self) -> int:
        """How many elements it has in the policy's vector; 0 if only a task's layout tells it."""
        if self.constant or self.select:
            return len(self.constant or self.select)
        return ROTATION_SIZES.get(self.representation, self.size)

    def value(self, observation: Mapping[str, Any], specs: Mapping[str, Any]) -> Array:
        """The elements, float64."""
        if self.constant:
            return np.asarray(self.constant, np.float64)
        vector = np.asarray(observation[self.view], np.float64)
        where = place_of(specs[self.view], self)
        if where is None:
            raise ValueError(f"{self.view} has no field {self.field!r}")
        begin, field = where
        values = vector[begin : begin + (field.size if field is not None else self.size)]
        if self.field and field is not None and field.scale is not None:
            values = values * np.asarray(field.scale)
        if self.source and self.source != self.representation:
            values = convert(values, self.source, self.representation)
        if self.select:
            values = values[list(self.select)]
        return values * self.scale + self.offset


def place_of(spec: Any, part: Part) -> tuple[int, Field | None] | None:
    """(the first element, its field) of a part in a view; None where the view lacks it.

    A part that is told by numbers has a field only if it is exactly one.
    """
    begin = 0
    for field in getattr(spec, "layout", ()):
        if part.field == field.name:
            return begin, field
        if not part.field and (part.start, part.size) == (begin, field.size):
            return begin, field
        begin += field.size
    shape: tuple[int, ...] = getattr(spec, "shape", ())
    fits = len(shape) == 1 and part.start + part.size <= shape[0]
    return (part.start, None) if fits and not part.field else None


@dataclass(frozen=True, kw_only=True)
class VectorKey:
    """A key that holds a vector."""

    key: str
    parts: tuple[Part, ...]
    dtype: str = "float32"
    size: int | None = None
    """What the policy expects; None if it is not said."""
    normalisation: Normalisation = AS_THEY_ARE

    def value(self, observation: Mapping[str, Any], specs: Mapping[str, Any]) -> Array:
        """The vector, (size,)."""
        vector = np.concatenate([part.value(observation, specs) for part in self.parts])
        return np.asarray(self.normalisation.inside(vector), self.dtype)
