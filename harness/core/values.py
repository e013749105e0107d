"""The door that every value of a simulator goes through: flags, numbers and views.

What a simulator gives is either made a plain value of its kind, or refused with a reason in words:
it never reaches the agent, and is never blamed on it. Standard library and numpy only; runs on
Python 3.9, so that an adapter in another interpreter can use it.
"""

from __future__ import annotations

import math
import numbers
from typing import Any, NamedTuple

import numpy as np

from harness.core.batches import is_tensor
from harness.core.coercion import shown, text_problem
from harness.core.errors import BadAction
from harness.core.specs import Box, Discrete, MultiDiscrete, Spec, Text

__all__ = [
    "ON_GPU", "BadValue", "View", "as_device_view", "as_flag", "as_number", "as_text", "as_view",
]  # fmt: skip

ON_GPU = "gpu/"
"""How the name of a view begins that is a copy of another one, as a tensor on its device."""

LARGEST = 1e45
"""The largest reward or metric: the squares of their sums stay finite in every report."""


class BadValue(ValueError):
    """A value of a simulator that breaks the contract or its spec; the message says which."""


class View(NamedTuple):
    """An observation as its spec wants it."""

    value: Any
    outside: bool = False
    """Whether it leaves the bounds that the spec declares. It is kept as it is."""
    cast: str = ""
    """The dtype that it came in, where that was another one of the same kind; else empty."""


def _single(value: Any, what: str) -> Any:
    """The one element of an array or a tensor; any other value as it is."""
    if isinstance(value, (bool, int, float, str, bytes, type(None))):
        return value
    if not hasattr(value, "__array__"):
        return value
    try:
        array = np.asarray(value)
    except Exception as fault:
        raise BadValue(f"{what} is no number: {type(fault).__name__}: {fault}") from None
    if array.size != 1:
        raise BadValue(f"{what} is an array of shape {array.shape}: expected one value")
    if array.dtype.kind not in "biuf":
        raise BadValue(f"{what} is {shown(value)}, of dtype {array.dtype}: expected a number")
    return array.reshape(())[()].item()


def as_flag(value: Any, what: str) -> bool:
    """`value` as a bool.

    Taken are bools, the numbers 0 and 1, and arrays of one of these. Raises BadValue on anything
    else: a share such as 0.3, NaN, None, a text, an array of several. `what` names the value in
    the message.
    """
    if value is True or value is False:
        return bool(value)
    single = _single(value, what)
    if isinstance(single, (bool, int, float)) and single in (0, 1):
        return bool(single)
    raise BadValue(f"{what} is {shown(value)}: expected True or False")


def as_number(value: Any, what: str) -> float:
    """`value` as a finite float, at most LARGEST.

    Taken are real numbers, bools, and arrays of one of these. Raises BadValue on anything else:
    NaN, infinity, None, a text, an array of several. `what` names the value in the message.
    """
    if type(value) is float and value - value == 0.0:
        return value
    single = _single(value, what)
    try:
        number = float(single) if isinstance(single, numbers.Real) else math.nan
    except Exception:  # an integer beyond all floats, or a number of a foreign class
        number = math.nan
    if not abs(number) <= LARGEST:
        wanted = f"a number up to {LARGEST:g}" if math.isfinite(number) else "a finite number"
        raise BadValue(f"{what} is {shown(value)}: expected {wanted}")
    return number


def as_text(value: Any, what: str) -> str:
    """`value` as a plain str. Raises BadValue if it is none or cannot be encoded as UTF-8."""
    if not isinstance(value, str):
        raise BadValue(f"{what} is {shown(value)}: expected a text")
    text = str.__str__(value)
    if (problem := text_problem(text)) is not None:
        raise BadValue(f"{what}: {problem}")
    return text


def as_view(spec: Spec, value: Any, what: str) -> View:
    """A view as its spec wants it. Raises BadValue where it is no value of the spec.

    Refused are a wrong shape, a wrong kind of dtype, NaN and infinity, a choice that does not
    exist, and text that cannot be encoded. What leaves the declared bounds is kept and told, and
    another dtype of the same kind is cast and told: both are common in public environments.
    """
    if isinstance(spec, Box):
        return _box(spec, value, what)
    if isinstance(spec, Text):
        text = as_text(value, what)
        return View(text, outside=len(text) > spec.max_length)
    if isinstance(spec, Discrete):
        if type(value) is int and 0 <= value < spec.n:
            return View(value)
        return View(_coerced(spec, value, what))
    if isinstance(spec, MultiDiscrete):
        return View(_coerced(spec, value, what))
    try:
        problem = spec.problem(value)
    except Exception as fault:
        problem = f"{type(fault).__name__}: {fault}"
    if problem is not None:
        raise BadValue(f"{what}: {problem}")
    return View(value)


def as_device_view(spec: Spec, value: Any, what: str) -> Any:
    """A tensor as its spec wants it. Raises BadValue where it has another shape or dtype.

    Its numbers are not looked at: that would wait for the device, and copy from it.
    """
    if not is_tensor(value) or not isinstance(spec, Box):
        raise BadValue(f"{what} must be a torch tensor, got {type(value).__name__}")
    shape, dtype = tuple(value.shape), str(value.dtype).replace("torch.", "")
    if shape != spec.shape:
        raise BadValue(f"{what} must have the shape {spec.shape}, got {shape}")
    if dtype != spec.dtype and dtype != spec.np_dtype.name:
        raise BadValue(f"{what} must have the dtype {spec.np_dtype.name}, got {dtype}")
    return value


def _coerced(spec: Discrete | MultiDiscrete, value: Any, what: str) -> Any:
    try:
        return spec.coerce(value)[0]
    except BadAction as bad:
        raise BadValue(f"{what} is no value of its spec: {bad}") from None


def _box(spec: Box, value: Any, what: str) -> View:
    if not isinstance(value, np.ndarray):
        raise BadValue(f"{what} must be an array of shape {spec.shape}, got {type(value).__name__}")
    if value.shape != spec.shape:
        raise BadValue(f"{what} must have the shape {spec.shape}, got {value.shape}")
    cast = ""
    wanted = spec.np_dtype
    if value.dtype != wanted:
        value, cast = _cast(value, wanted, what), value.dtype.name
    if spec.holds(value):
        return View(value, False, cast)
    if wanted.kind == "f" and not np.isfinite(value).all():
        raise BadValue(f"{what} holds NaN or infinity")
    return View(value, True, cast)


def _cast(value: np.ndarray, wanted: np.dtype[Any], what: str) -> np.ndarray:
    """The array in another dtype of the same kind: floats, or integers that fit."""
    floats = value.dtype.kind == wanted.kind == "f"
    if not floats and not (value.dtype.kind in "iu" and wanted.kind in "iu"):
        raise BadValue(f"{what} must have the dtype {wanted}, got {value.dtype}")
    with np.errstate(all="ignore"):
        cast = value.astype(wanted)
        if not floats and (cast != value).any():
            raise BadValue(
                f"{what} must have the dtype {wanted}, got {value.dtype} that does not fit"
            )
    return cast
