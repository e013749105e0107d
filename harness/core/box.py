"""The spec of a dense array with bounds.

Standard library and numpy only; runs on Python 3.9, as harness/core/specs.py does.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.core.coercion import Coercing, shown, unfit
from harness.core.errors import BadAction
from harness.core.layout import Field, problem

__all__ = ["Box"]

_FLOATS = (np.dtype("float32"), np.dtype("float64"))
MOST_LOOPED = 64
"""Up to so many elements a loop in Python is faster than numpy."""
_BOX_FIELDS = ("shape", "dtype", "low", "high", "unit", "meaning", "neutral", "layout")

_is_finite = np.isfinite
_all = np.logical_and.reduce


def _finite(values: np.ndarray) -> bool:
    """Whether no element is NaN or infinite.

    The sum of squares (`dot`), `min` or `max` would tell it in a microsecond less. On processors
    with AVX-512 they leave its wide registers in use, and what comes next, a step of MuJoCo for
    instance, takes 10 to 14 microseconds longer.
    """
    return bool(_all(_is_finite(values), axis=None))


@dataclass(frozen=True)
class Box(Coercing["np.ndarray"]):
    """A dense array with bounds.

    `low` and `high`: one number for all elements, or prod(shape) numbers in C order; infinite where
    there is no bound. Both bounds are inclusive.
    `neutral`: the value that does nothing, one number or prod(shape) of them. It is clipped into
    the bounds, so that the default is the value nearest to 0. `noop=` is its old name.
    `unit`: the physical unit ("m", "rad", "N", "px", "1" for a dimensionless range).
    `meaning`: the elements and their frame.
    `layout`: the same as data, of a vector: fields that cover it exactly. It describes and is no
    part of what two boxes are compared by.

    Raises ValueError where `low` exceeds `high`, or the layout does not fit.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    low: float | tuple[float, ...] = -math.inf
    high: float | tuple[float, ...] = math.inf
    unit: str = ""
    meaning: str = ""
    neutral: float | tuple[float, ...] = 0.0
    layout: tuple[Field, ...] = field(default=(), compare=False, repr=False)

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: str = "float32",
        low: float | tuple[float, ...] = -math.inf,
        high: float | tuple[float, ...] = math.inf,
        unit: str = "",
        meaning: str = "",
        neutral: float | tuple[float, ...] = 0.0,
        layout: tuple[Field, ...] = (),
        *,
        noop: float | tuple[float, ...] | None = None,
    ) -> None:
        still = neutral if noop is None else noop
        values = (shape, dtype, low, high, unit, meaning, still, layout)
        for name, value in zip(_BOX_FIELDS, values):
            object.__setattr__(self, name, value)
        if layout and (wrong := problem(layout, shape)) is not None:
            raise ValueError(f"Box: {wrong}")
        if not np.all(np.asarray(self.low, np.float64) <= np.asarray(self.high, np.float64)):
            raise ValueError(f"Box: low must not exceed high; got low={self.low}, high={self.high}")

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """(low, high), each of this spec's shape; of its dtype, or float64 for integers.

        Integers may have an infinite bound, which their dtype cannot hold.
        """
        return self._spread(self.low), self._spread(self.high)

    def _spread(self, value: float | tuple[float, ...]) -> np.ndarray:
        array = np.asarray(value, dtype=np.float64)
        array = np.full(self.shape, array) if array.ndim == 0 else array.reshape(self.shape)
        # Rounded as the values are, so that what is clipped to a bound lies on it.
        return array.astype(self.dtype) if np.dtype(self.dtype).kind == "f" else array

    @functools.cached_property
    def limits(self) -> tuple[np.ndarray, np.ndarray]:
        """`bounds()`, made once: not to be written to."""
        return self.bounds()

    @functools.cached_property
    def unbounded(self) -> bool:
        """Whether every number of the dtype lies within the bounds."""
        dtype = self.np_dtype
        if dtype.kind not in "iu":
            low, high = -math.inf, math.inf
        else:
            low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        lows, highs = self.limits
        return bool((lows <= low).all() and (highs >= high).all())

    @functools.cached_property
    def _any_number(self) -> bool:
        """Whether every value of the dtype conforms; a float may always be NaN."""
        return self.np_dtype.kind != "f" and self.unbounded

    @functools.cached_property
    def _any_finite(self) -> bool:
        """Whether the dtype is one of floats, and every finite one conforms."""
        lows, highs = self.limits
        return self.np_dtype.kind == "f" and bool(
            np.isneginf(lows).all() and np.isposinf(highs).all()
        )

    @functools.cached_property
    def _few(self) -> list[tuple[float, float]] | None:
        """`pairs`, if there are few in one row and all bounds are finite, or None.

        For few elements a loop in Python is faster than numpy.
        """
        lows, highs = self.limits
        if (
            len(self.shape) != 1
            or lows.size > 24
            or not (np.isfinite(lows).all() and np.isfinite(highs).all())
        ):
            return None
        return self.pairs

    @functools.cached_property
    def pairs(self) -> list[tuple[float, float]]:
        """(low, high) of each element, in C order."""
        lows, highs = self.limits
        return list(zip(lows.ravel().tolist(), highs.ravel().tolist()))

    @functools.cached_property
    def np_dtype(self) -> np.dtype[Any]:
        """`dtype` as numpy's own object."""
        return np.dtype(self.dtype)

    @functools.cached_property
    def _finite_pairs(self) -> list[tuple[float, float]]:
        """`pairs` without infinite bounds, which infinity would not exceed."""
        most = sys.float_info.max
        return [(max(low, -most), min(high, most)) for low, high in self.pairs]

    @functools.cached_property
    def _finite_range(self) -> tuple[float, float] | None:
        """The same of all elements, if their bounds are equal."""
        return self._finite_pairs[0] if len(set(self._finite_pairs)) == 1 else None

    def holds(self, value: Any) -> bool:
        """Whether `value` conforms, as `problem` says it; made for every view that is read."""
        if (
            type(value) is not np.ndarray
            or value.dtype != self.np_dtype
            or value.shape != self.shape
        ):
            return False
        if self._any_number:
            return True
        if self._any_finite:
            return _finite(value)
        if value.size <= MOST_LOOPED:
            for number, (low, high) in zip(value.ravel().tolist(), self._finite_pairs):
                if not low <= number <= high:
                    return False
            return True
        if self._finite_range is None:
            return self.problem(value) is None
        low, high = self._finite_range
        if value.dtype.kind == "f":  # not by min and max: see _finite
            within = np.logical_and(np.less_equal(low, value), np.less_equal(value, high))
            return bool(_all(within, axis=None))
        return bool(low <= value.min() and value.max() <= high)

    def checker(self) -> Callable[[Any], bool]:
        """`holds` as a function in which all that follows from the spec is decided already."""
        dtype, shape = self.np_dtype, self.shape

        def is_alike(value: Any) -> bool:
            return type(value) is np.ndarray and value.dtype == dtype and value.shape == shape

        def is_finite(value: Any) -> bool:
            if type(value) is np.ndarray and value.dtype == dtype and value.shape == shape:
                return _finite(value)
            return False

        holds = self.holds
        if self._any_number:
            return is_alike
        return is_finite if self._any_finite else holds

    def problem(self, value: Any) -> str | None:
        """Why `value` does not conform (shape, dtype, bounds, NaN or infinity), or None."""
        if not isinstance(value, np.ndarray):
            return f"expected an array of shape {self.shape}, got {type(value).__name__}"
        if value.shape != self.shape:
            return f"expected shape {self.shape}, got {value.shape}"
        if value.dtype != self.np_dtype:
            return f"expected dtype {self.dtype}, got {value.dtype}"
        if value.dtype.kind == "f" and not _finite(value):
            return "holds NaN or infinity"
        lows, highs = self.limits
        if not (np.all(value >= lows) and np.all(value <= highs)):
            return (
                f"outside its bounds [{self.low}, {self.high}]: "
                f"min {value.min()}, max {value.max()}"
            )
        return None

    def coerce(self, action: Any) -> tuple[np.ndarray, bool]:
        """A copy of the action in this spec's dtype, and whether it was clipped into the bounds.

        Raises BadAction on anything but finite real numbers of the right shape, and on fractions
        where the dtype is an integer.
        """
        few = self._few
        if (
            few is not None
            and type(action) is np.ndarray
            and action.shape == self.shape
            and action.dtype in _FLOATS
            and self.np_dtype in _FLOATS
        ):
            values = action.tolist()
            clipped = False
            for place, (low, high) in enumerate(few):
                value = values[place]
                if not low <= value <= high:
                    if value - value != 0.0:  # NaN or infinity
                        break
                    values[place] = low if value < low else high
                    clipped = True
            else:
                if clipped:
                    return np.array(values, self.np_dtype), True
                return action.astype(self.np_dtype), False
        try:
            return self._converted(action)
        except BadAction:
            raise
        except Exception as fault:
            raise unfit(action, fault) from None

    def _converted(self, action: Any) -> tuple[np.ndarray, bool]:
        array = np.asarray(action)
        if array.dtype.kind not in "fiu":
            raise BadAction(
                f"expected numbers ({self.dtype}) of shape {self.shape}, got {array.dtype} from "
                f"{type(action).__name__}"
            )
        if array.shape != self.shape:
            raise BadAction(f"expected an action of shape {self.shape}, got {array.shape}")
        if not _finite(array):
            raise BadAction("the action holds NaN or infinity")
        if (
            self.np_dtype.kind in "iu"
            and array.dtype.kind == "f"
            and (array != np.floor(array)).any()
        ):
            raise BadAction(f"expected integers ({self.dtype}), got {shown(array.tolist())}")
        lows, highs = self.limits
        clipped = bool((array < lows).any() or (array > highs).any())
        if clipped:
            array = np.clip(array, lows, highs)
        return self._cast(array), clipped

    def _cast(self, array: np.ndarray) -> np.ndarray:
        """A copy in this spec's dtype. Raises BadAction where a number does not fit into it."""
        if array.dtype == self.np_dtype:
            return array.copy()
        with np.errstate(all="ignore"):
            cast = array.astype(self.np_dtype)
            exact = self.np_dtype.kind == "f" or bool((cast == array).all())
            if not exact or not _finite(cast):
                raise BadAction(
                    f"the action holds a number that does not fit into {self.dtype}: "
                    f"{shown(array.tolist())}"
                )
        return cast

    def _out_of_bounds(self, action: Any) -> str:
        return f"the action is outside its bounds [{self.low}, {self.high}]: {shown(action)}"

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """A random value of this spec's shape and dtype.

        Each element is uniform within its bounds; standard normal, clipped into the bounds, where
        a bound is infinite.
        """
        if self._few is not None and self.np_dtype.kind == "f":
            lows, highs = self.limits
            return np.minimum(lows + rng.random(self.shape) * (highs - lows), highs).astype(
                self.np_dtype
            )
        # Adding 0 turns -0.0 into 0.0: numpy refuses bounds of which 0.0 is the lower one and -0.0
        # the upper one.
        lows, highs = (limit.astype(np.float64) + 0.0 for limit in self.limits)
        if self.np_dtype.kind in "iu":
            highs = highs + 1.0
        bounded = np.isfinite(lows) & np.isfinite(highs)
        uniform = rng.uniform(
            np.where(bounded, lows, 0.0), np.where(bounded, highs, 1.0), self.shape
        )
        normal = rng.standard_normal(self.shape)
        values = np.where(bounded, uniform, normal)
        if self.np_dtype.kind in "iu":
            values = np.floor(values)
        return np.asarray(np.clip(values, *self.limits), self.dtype)

    @functools.cached_property
    def _noop(self) -> np.ndarray:
        return np.asarray(np.clip(self._spread(self.neutral), *self.limits), self.dtype)

    def noop(self) -> np.ndarray:
        return self._noop.copy()
