"""Messages of policy servers: msgpack with numpy arrays as maps, bounded before they are unpacked.

Two forms of arrays are in use. openpi's has keys of bytes: `{b"__ndarray__": True, b"data": ...,
b"dtype": "<f4", b"shape": [...]}`, and `{b"__npgeneric__": True, b"data": 1.5, b"dtype": ...}` for
a scalar. That of vla-eval has the same keys as texts, and sends scalars as numbers. Both are read;
which one is written is chosen. Neither can carry objects, so that no message runs code.

Sources: openpi_client/msgpack_numpy.py (openpi-client 0.1.2), vla_eval/protocol/numpy_codec.py
(vla-evaluation-harness 0.8.0).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgpack
import numpy as np

__all__ = ["MB", "Malformed", "pack", "pack_with_texts", "unpack"]

MB = 1 << 20
MOST_DIMENSIONS = 32
MOST_ITEMS = 1_000_000
"""Elements of all lists and maps of a message together: each takes far more memory than its byte
in the message. Arrays are not among them."""
_DTYPE = re.compile(r"[<>|=]?(?:[biufSU][0-9]{0,7}|[?mM]8?(?:\[[0-9a-zA-Z]{1,8}\])?)")


class Malformed(Exception):
    """What arrived is no message; the text says why."""


def pack(message: Any) -> bytes:
    """The message with arrays in openpi's form. Raises TypeError for what cannot be packed."""
    packed: bytes = msgpack.packb(message, default=_with_bytes)
    return packed


def pack_with_texts(message: Any) -> bytes:
    """The message with arrays in vla-eval's form. Raises TypeError for what cannot be packed."""
    packed: bytes = msgpack.packb(message, default=_with_texts)
    return packed


def unpack(data: bytes, revive: Callable[[dict[Any, Any]], Any] | None = None) -> Any:
    """The message. Its arrays cannot be written to: they share the memory of `data`.

    `revive` is called with each map that is no array, and returns what stands for it. Raises
    Malformed.
    """
    items = 0

    def counted(size: int) -> None:
        nonlocal items
        items += 1 + size
        if items > MOST_ITEMS:
            raise Malformed(f"it holds more than {MOST_ITEMS} values")

    def of_map(found: dict[Any, Any]) -> Any:
        counted(len(found))
        for form in (_BYTES, _TEXTS):
            if form["array"] in found:
                return _array(found, form)
            if form["scalar"] in found:
                return _scalar(found, form)
        return found if revive is None else revive(found)

    def of_list(found: list[Any]) -> list[Any]:
        counted(len(found))
        return found

    try:
        return msgpack.unpackb(
            data,
            object_hook=of_map,
            list_hook=of_list,
            strict_map_key=False,
            max_array_len=MOST_ITEMS,
            max_map_len=MOST_ITEMS,
            max_ext_len=0,
        )
    except Malformed:
        raise
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as wrong:
        raise Malformed(f"it is no msgpack message: {str(wrong)[:200]}") from None


_BYTES: Mapping[str, Any] = {
    "array": b"__ndarray__",
    "scalar": b"__npgeneric__",
    "data": b"data",
    "dtype": b"dtype",
    "shape": b"shape",
}
_TEXTS: Mapping[str, Any] = {name: key.decode() for name, key in _BYTES.items()}


def _with_bytes(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        if value.dtype.kind in "VOc":
            raise TypeError(f"an array of {value.dtype} cannot be sent")
        if isinstance(value, np.ndarray):
            return {
                b"__ndarray__": True,
                b"data": _contents(value),
                b"dtype": value.dtype.str,
                b"shape": value.shape,
            }
        return {b"__npgeneric__": True, b"data": value.item(), b"dtype": value.dtype.str}
    raise TypeError(f"{type(value).__name__} cannot be sent")


def _with_texts(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biuf":
            raise TypeError(f"an array of {value.dtype} cannot be sent")
        return {
            "__ndarray__": True,
            "data": _contents(value),
            "dtype": value.dtype.str,
            "shape": list(value.shape),
        }
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be sent")


def _contents(array: np.ndarray) -> Any:
    """The array's bytes in C order, without a copy where they lie so."""
    if array.flags.c_contiguous and array.size and array.dtype.kind in "biuf":
        return array.data.cast("B")
    return array.tobytes()


def _dtype(name: Any) -> np.dtype[Any]:
    if isinstance(name, bytes):
        name = name.decode("ascii", "replace")
    if not isinstance(name, str) or not _DTYPE.fullmatch(name):
        raise Malformed(f"it holds an array of the dtype {str(name)[:40]!r}, which is not taken")
    try:
        dtype = np.dtype(name)
    except (TypeError, ValueError):
        raise Malformed(f"it holds an array of the unknown dtype {name!r}") from None
    if not 0 < dtype.itemsize <= MB:
        raise Malformed(f"it holds an array of the dtype {name!r}, which is not taken")
    return dtype


def _array(found: Mapping[Any, Any], form: Mapping[str, Any]) -> np.ndarray:
    dtype = _dtype(found.get(form["dtype"]))
    data, shape = found.get(form["data"]), found.get(form["shape"])
    if not isinstance(data, bytes) or not isinstance(shape, (list, tuple)):
        raise Malformed("it holds an array without data or without a shape")
    size = 1
    for side in shape:
        if type(side) is not int or not 0 <= side <= 2**31 or len(shape) > MOST_DIMENSIONS:
            raise Malformed(f"it holds an array of the shape {str(shape)[:80]}")
        size *= side
    if size * dtype.itemsize != len(data):
        raise Malformed(
            f"it holds an array of the shape {str(shape)[:80]} and dtype {dtype} with "
            f"{len(data)} bytes instead of {size * dtype.itemsize}"
        )
    return np.ndarray(tuple(shape), dtype, data)


def _scalar(found: Mapping[Any, Any], form: Mapping[str, Any]) -> Any:
    dtype, data = _dtype(found.get(form["dtype"])), found.get(form["data"])
    if not isinstance(data, (bool, int, float, str, bytes)):
        raise Malformed(f"it holds a scalar of {type(data).__name__}")
    if dtype.kind in "iu" and type(data) is int:
        limits = np.iinfo(dtype)
        if not limits.min <= data <= limits.max:
            raise Malformed(f"it holds a scalar that is no {dtype}")
    try:
        return dtype.type(data)
    except (TypeError, ValueError, OverflowError):
        raise Malformed(f"it holds a scalar that is no {dtype}") from None
