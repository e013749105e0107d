"""How views and actions are stored in Parquet columns, and a Brief in JSON.

image*, uint8 (H, W[, 3])      binary        a PNG (lossless) or JPEG file
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
    "spec_from_json",
    "spec_to_json",
]

SPECS: Mapping[str, type[Any]] = {
    kind.__name__: kind for kind in (Box, Discrete, MultiDiscrete, Text, Texts, UI, Elements)
}
JPEG_QUALITY = 95
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
    """A value in the form that its column takes; `images` is `png` or `jpeg`."""
    if is_image(name, spec):
        from PIL import Image

        file = io.BytesIO()
        how: dict[str, Any] = (
            {"compress_level": 3} if images == "png" else {"quality": JPEG_QUALITY}
        )
        Image.fromarray(value).save(file, images, **how)
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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            try:
                picture = Image.open(io.BytesIO(value), formats=("PNG", "JPEG"))
            except Image.DecompressionBombError as bomb:
                raise ValueError(str(bomb)) from None
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
