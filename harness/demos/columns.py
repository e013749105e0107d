"""How views and actions are stored in Parquet columns, and a Brief in JSON.

image*, uint8 (H, W[, 3])      binary        a PNG (lossless), JPEG or WebP (lossless) file
Box                            list<dtype>   the array in C order; its shape is in the brief
Discrete                       int64
MultiDiscrete                  list<int64>
Text                           string
Texts                          list<string>
UI                             string        UIAction.encode: compact JSON
Elements                       string        a JSON list with one object for each Element
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.core import (
    UI,
    Box,
    Brief,
    Discrete,
    Element,
    Elements,
    MultiDiscrete,
    Spec,
    Text,
    Texts,
    UIAction,
    UserError,
)
from harness.records.safe_json import parse

__all__ = [
    "arrow_type",
    "brief_from_json",
    "brief_to_json",
    "decode",
    "encode",
    "is_image",
    "modules",
    "shrunk",
    "shrunk_spec",
    "spec_from_json",
    "spec_to_json",
]

SPECS: Mapping[str, type[Any]] = {
    kind.__name__: kind for kind in (Box, Discrete, MultiDiscrete, Text, Texts, UI, Elements)
}
FORMATS: Mapping[str, Mapping[str, Any]] = {
    "png": {"compress_level": 3},
    "jpeg": {"quality": 95},
    "webp": {"lossless": True, "quality": 0, "method": 0},  # the fastest of the lossless ones
}
"""Formats of stored pictures, and how Pillow writes them."""
MOST_ELEMENTS = 1 << 26
MOST_AXES = 8
DTYPES = (
    "bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16",
    "uint32", "uint64",
)  # fmt: skip


def modules() -> tuple[Any, Any]:
    """(pyarrow, pyarrow.parquet). Raises UserError if a package is missing."""
    try:
        import PIL  # noqa: F401
        import pyarrow
        import pyarrow.parquet
    except ImportError as lack:
        raise UserError(
            f"demonstrations need the package {lack.name}: pip install 'generalist-bench[gea]'"
        ) from None
    return pyarrow, pyarrow.parquet


def is_image(name: str, spec: Spec) -> bool:
    """Whether a view is stored as an image file."""
    return (
        name.startswith("image")
        and isinstance(spec, Box)
        and spec.dtype == "uint8"
        and (len(spec.shape) == 2 or spec.shape[2:] == (3,))
    )


def shrunk(picture: np.ndarray, side: int) -> np.ndarray:
    """A picture, uint8 (H, W[, 3]), as one of (side, side[, 3]): each pixel is the mean of an area.

    An agent that reads small pictures and the recording of its demonstrations both call this, so
    both see the same. A picture of that size is returned as it is.
    """
    if picture.shape[:2] == (side, side):
        return picture
    from PIL import Image

    small: np.ndarray = np.asarray(
        Image.fromarray(picture).resize((side, side), Image.Resampling.BOX)
    )
    return small


def shrunk_spec(name: str, spec: Spec, side: int | None) -> Spec:
    """The spec of what `shrunk` makes of a view; the same where it is no picture."""
    if side is None or not is_image(name, spec):
        return spec
    assert isinstance(spec, Box)
    return dataclasses.replace(spec, shape=(side, side, *spec.shape[2:]))


def arrow_type(name: str, spec: Spec) -> Any:
    """The type of a column, a pyarrow.DataType."""
    pa, _ = modules()
    if is_image(name, spec):
        return pa.binary()
    if isinstance(spec, Box):
        return pa.list_(pa.from_numpy_dtype(np.dtype(spec.dtype)))
    if isinstance(spec, Discrete):
        return pa.int64()
    if isinstance(spec, MultiDiscrete):
        return pa.list_(pa.int64())
    return pa.list_(pa.string()) if isinstance(spec, Texts) else pa.string()


def encode(name: str, spec: Spec, value: Any, images: str = "png") -> Any:
    """A value in the form that its column takes; `images` is one of FORMATS."""
    if is_image(name, spec):
        from PIL import Image

        file = io.BytesIO()
        Image.fromarray(value).save(file, images, **FORMATS[images])
        return file.getvalue()
    if isinstance(spec, (Box, MultiDiscrete)):
        return np.asarray(value).reshape(-1)
    if isinstance(spec, UI):
        return value.encode()
    if isinstance(spec, Elements):
        return json.dumps(
            [dataclasses.asdict(element) for element in value],
            ensure_ascii=False,
            separators=(",", ":"),
        )
    return list(value) if isinstance(spec, Texts) else value


def decode(name: str, spec: Spec, value: Any) -> Any:
    """The inverse of `encode`, except for the losses of JPEG."""
    if is_image(name, spec):
        from PIL import Image

        assert isinstance(spec, Box)
        if value[:4] == b"RIFF" and _webp_size(value) != tuple(spec.shape[:2]):
            raise ValueError(f"a picture of {name} is not of the size {tuple(spec.shape)}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            try:
                picture = Image.open(io.BytesIO(value), formats=("PNG", "JPEG", "WEBP"))
            except Image.DecompressionBombError as bomb:
                raise ValueError(str(bomb)) from None
        if picture.format == "WEBP" and len(spec.shape) == 2:
            picture = picture.convert("L")  # WebP has no grey pictures; equal channels stay exact
        size = (picture.height, picture.width, *([3] if picture.mode == "RGB" else []))
        if size != tuple(spec.shape) or picture.mode not in ("L", "RGB"):
            raise ValueError(f"a picture of {name} has the size {size}, not {tuple(spec.shape)}")
        return np.asarray(picture)
    if isinstance(spec, Box):
        return np.asarray(value, spec.dtype).reshape(spec.shape)
    if isinstance(spec, MultiDiscrete):
        return np.asarray(value, np.int64)
    if isinstance(spec, UI):
        return UIAction.decode(value)
    if isinstance(spec, Elements):
        return tuple(
            Element(
                **{**fields, "classes": tuple(fields["classes"]), "flags": tuple(fields["flags"])}
            )
            for fields in json.loads(value)
        )
    return tuple(value) if isinstance(spec, Texts) else value


def _webp_size(file: bytes) -> tuple[int, int]:
    """(height, width) of a simple lossless WebP file, the only kind that `encode` writes.

    Pillow takes memory for the whole picture when it opens one, so the size is read before.
    Raises ValueError where it is another kind.
    """
    if file[8:16] != b"WEBPVP8L" or len(file) < 25:
        raise ValueError("it is not a simple lossless WebP file")
    bits = int.from_bytes(file[21:25], "little")
    return 1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF)


_NAMES_ON_DISK = {"neutral": "noop"}
"""Fields of specs that the files keep under older names; constructors take these too."""


def spec_to_json(spec: Spec) -> dict[str, Any]:
    """A spec as JSON values, its class under `kind`; infinite bounds become "inf" and "-inf"."""
    return {
        "kind": type(spec).__name__,
        **{
            _NAMES_ON_DISK.get(field.name, field.name): _plain(getattr(spec, field.name))
            for field in dataclasses.fields(spec)
            if field.compare  # a layout describes; other programs read these files
        },
    }


def spec_from_json(fields: Mapping[str, Any]) -> Spec:
    """The inverse of spec_to_json. Raises UserError on an unknown kind or field."""
    values = {name: _typed(value) for name, value in fields.items()}
    try:
        kind = SPECS[values.pop("kind")]
        if kind is Box:
            _check_array(values)
        return kind(**values)  # type: ignore[no-any-return]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as wrong:
        raise UserError(f"{dict(fields)!r:.200} is not a spec: {wrong}") from None


def _check_array(fields: Mapping[str, Any]) -> None:
    """Raises ValueError where the arrays of a Box would not fit in memory, or hold no numbers."""
    shape, dtype = fields["shape"], fields.get("dtype", "float32")
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError("its shape is not a list of sizes")
    if len(shape) > MOST_AXES or math.prod(shape) > MOST_ELEMENTS:
        raise ValueError(f"it has more than {MOST_ELEMENTS} elements")
    if dtype not in DTYPES:
        raise ValueError(f"its dtype is not one of {', '.join(DTYPES)}")


def brief_to_json(brief: Brief) -> str:
    """A brief as JSON text."""
    return json.dumps(
        {
            "observation": {name: spec_to_json(spec) for name, spec in brief.observation.items()},
            "action": spec_to_json(brief.action),
            "embodiment": brief.embodiment,
            "simulator": brief.simulator,
            "control_hz": brief.control_hz,
        },
        ensure_ascii=False,
    )


def brief_from_json(text: str) -> Brief:
    """The inverse of brief_to_json. Raises UserError on anything else."""
    try:
        fields = parse(text)
        observation = {name: spec_from_json(spec) for name, spec in fields["observation"].items()}
        action: Any = spec_from_json(fields["action"])
        return Brief(
            observation, action, fields["embodiment"], fields["simulator"], fields["control_hz"]
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as wrong:
        raise UserError(f"this is not a brief: {wrong}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def _typed(value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_typed(each) for each in value)
    return float(value) if value in ("inf", "-inf") else value
