"""What an observation or an action looks like: shape, dtype, unit, bounds, and the door every action goes through.

Four kinds cover every domain: `Box` (continuous), `Discrete`, `MultiDiscrete` and `Text`. The names are Gymnasium's. Standard library and numpy
only; runs on Python 3.9, so that an adapter in another interpreter can use it.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np

__all__ = ["BadAction", "Box", "Discrete", "MultiDiscrete", "Spec", "Text"]


class BadAction(ValueError):
    """An action that the action spec does not allow: wrong shape, dtype or value. The message says what was wanted and what came."""


@dataclass(frozen=True)
class Box:
    """A dense array with bounds.

    `low` and `high` are one number for all elements, or prod(shape) numbers in C order; infinite where there is no bound.
    `noop` is the value that does nothing (the element nearest to 0 inside the bounds unless given, likewise).
    `unit` names the physical unit ("m", "rad", "N", "px", "1" for a dimensionless range) and `meaning` the elements and their frame.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    low: float | tuple[float, ...] = -math.inf
    high: float | tuple[float, ...] = math.inf
    unit: str = ""
    meaning: str = ""
    noop: float | tuple[float, ...] = 0.0

    def __post_init__(self) -> None:
        lows, highs = self.bounds()
        if not np.all(lows <= highs):
            raise ValueError(f"Box: low must not exceed high; got low={self.low}, high={self.high}")

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """(low, high), each float64 of this spec's shape."""
        return self._spread(self.low), self._spread(self.high)

    def _spread(self, value: float | tuple[float, ...]) -> np.ndarray:
        array = np.asarray(value, dtype=np.float64)
        return np.full(self.shape, array) if array.ndim == 0 else array.reshape(self.shape)

    def problem(self, value: Any) -> str | None:
        """Why `value` does not conform (dtype and bounds included), or None."""
        if not isinstance(value, np.ndarray):
            return f"expected an array of shape {self.shape}, got {type(value).__name__}"
        if value.shape != self.shape:
            return f"expected shape {self.shape}, got {value.shape}"
        if value.dtype != np.dtype(self.dtype):
            return f"expected dtype {self.dtype}, got {value.dtype}"
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            return "holds NaN or infinity"
        lows, highs = self.bounds()
        if not (np.all(value >= lows) and np.all(value <= highs)):
            return f"outside its bounds [{self.low}, {self.high}]: min {value.min()}, max {value.max()}"
        return None

    def take(self, action: Any) -> tuple[np.ndarray, bool]:
        """The action as this spec's dtype, and whether it had to be clipped into the bounds. Raises BadAction on anything that is not a finite
        real array of the right shape."""
        array = np.asarray(action)
        if array.dtype.kind not in "fiu":
            raise BadAction(f"expected numbers ({self.dtype}) of shape {self.shape}, got {array.dtype} from {type(action).__name__}")
        if array.shape != self.shape:
            raise BadAction(f"expected an action of shape {self.shape}, got {array.shape}")
        if not np.isfinite(array).all():
            raise BadAction("the action holds NaN or infinity")
        clipped = np.clip(array, *self._limits())
        return clipped.astype(self.dtype), bool((clipped != array).any())

    def check(self, action: Any) -> np.ndarray:
        """The action as this spec's dtype. Raises BadAction also when it is out of bounds."""
        array, clipped = self.take(action)
        if clipped:
            raise BadAction(f"the action is outside its bounds [{self.low}, {self.high}]: {np.asarray(action)!r}")
        return array

    def _limits(self) -> tuple[np.ndarray, np.ndarray]:
        limits: tuple[np.ndarray, np.ndarray] | None = self.__dict__.get("_cached_limits")
        if limits is None:
            limits = self.bounds()
            object.__setattr__(self, "_cached_limits", limits)
        return limits

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Uniform within the bounds; a standard normal where a side is unbounded."""
        lows, highs = self._limits()
        bounded = np.isfinite(lows) & np.isfinite(highs)
        uniform = rng.uniform(np.where(bounded, lows, 0.0), np.where(bounded, highs, 1.0), self.shape)
        normal = np.clip(rng.standard_normal(self.shape), lows, highs)
        values = np.where(bounded, uniform, normal)
        return (np.floor(values) if np.dtype(self.dtype).kind in "iu" else values).astype(self.dtype)

    def nothing(self) -> np.ndarray:
        """The action that does nothing."""
        return np.clip(self._spread(self.noop), *self._limits()).astype(self.dtype)


@dataclass(frozen=True)
class Discrete:
    """One of `n` choices, 0..n-1. `names` are their words, in order; `noop` is the index that does nothing (0 unless said)."""

    n: int
    names: tuple[str, ...] = ()
    meaning: str = ""
    noop: int = 0

    def __post_init__(self) -> None:
        if self.n < 1 or not 0 <= self.noop < self.n or (self.names and len(self.names) != self.n):
            raise ValueError(f"Discrete: needs n >= 1, a noop below n and no names or n of them; got {self}")

    def problem(self, value: Any) -> str | None:
        """Why `value` does not conform, or None."""
        try:
            self.take(value)
        except BadAction as bad:
            return str(bad)
        return None

    def take(self, action: Any) -> tuple[int, bool]:
        """The action as a Python int (nothing is ever clipped). Raises BadAction on a value that is no integer or does not exist."""
        if type(action) is not int:
            try:
                action = operator.index(action)
            except TypeError:
                raise BadAction(f"expected an integer from 0 to {self.n - 1}, got {type(action).__name__} {action!r}") from None
        if 0 <= action < self.n:
            return action, False
        raise BadAction(f"action {action} does not exist; expected 0 to {self.n - 1}")

    def check(self, action: Any) -> int:
        """The action as a Python int. Raises BadAction."""
        return self.take(action)[0]

    def sample(self, rng: np.random.Generator) -> int:
        """Each choice with the same probability."""
        return int(rng.integers(self.n))

    def nothing(self) -> int:
        """The action that does nothing."""
        return self.noop


@dataclass(frozen=True)
class MultiDiscrete:
    """Several discrete choices at once: element i is one of 0..nvec[i]-1. int64 of shape (len(nvec),)."""

    nvec: tuple[int, ...]
    meaning: str = ""

    def problem(self, value: Any) -> str | None:
        """Why `value` does not conform, or None."""
        try:
            self.take(value)
        except BadAction as bad:
            return str(bad)
        return None

    def take(self, action: Any) -> tuple[np.ndarray, bool]:
        """The action as int64 (nothing is ever clipped). Raises BadAction on a wrong shape, dtype or value."""
        array = np.asarray(action)
        if array.dtype.kind not in "iu" or array.shape != (len(self.nvec),):
            raise BadAction(f"expected {len(self.nvec)} integers, got {array.dtype} of shape {array.shape}")
        if (array < 0).any() or (array >= np.asarray(self.nvec)).any():
            raise BadAction(f"action {array.tolist()} does not exist; the numbers of choices are {self.nvec}")
        return array.astype(np.int64), False

    def check(self, action: Any) -> np.ndarray:
        """The action as int64. Raises BadAction."""
        return self.take(action)[0]

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Each choice of each element with the same probability."""
        return rng.integers(0, np.asarray(self.nvec), dtype=np.int64)

    def nothing(self) -> np.ndarray:
        """All zeros."""
        return np.zeros(len(self.nvec), dtype=np.int64)


@dataclass(frozen=True)
class Text:
    """A string of at most `max_length` characters; `choices` are some sensible values, the first one doing the least."""

    max_length: int = 10_000
    choices: tuple[str, ...] = ()
    meaning: str = ""

    def problem(self, value: Any) -> str | None:
        """Why `value` does not conform, or None."""
        try:
            self.take(value)
        except BadAction as bad:
            return str(bad)
        return None

    def take(self, action: Any) -> tuple[str, bool]:
        """The string (nothing is ever clipped). Raises BadAction on anything else or when it is too long."""
        if not isinstance(action, str):
            raise BadAction(f"expected text, got {type(action).__name__}")
        if len(action) > self.max_length:
            raise BadAction(f"expected at most {self.max_length} characters, got {len(action)}")
        return action, False

    def check(self, action: Any) -> str:
        """The string. Raises BadAction."""
        return self.take(action)[0]

    def sample(self, rng: np.random.Generator) -> str:
        """One of the choices, or the empty string where there is none."""
        choices: Sequence[str] = self.choices or ("",)
        return choices[int(rng.integers(len(choices)))]

    def nothing(self) -> str:
        """The first choice, or the empty string."""
        return self.choices[0] if self.choices else ""


Spec = Union[Box, Discrete, MultiDiscrete, Text]
"""Any of the four kinds."""
