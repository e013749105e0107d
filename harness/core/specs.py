"""What an observation or an action looks like: shape, dtype, unit and bounds.

`Box`, `Discrete`, `MultiDiscrete` and `Text` are specs of actions and of observations; their names
are Gymnasium's. `UI` is a spec of actions only, `Texts` and `Elements` are specs of observations
only. Standard library and numpy only; runs on Python 3.9, so that an adapter in another interpreter
can use it.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np

from harness.core.box import Box
from harness.core.coercion import Coercing, shown, text_problem, unfit
from harness.core.elements import Elements
from harness.core.errors import BadAction
from harness.core.ui import UI

__all__ = [
    "UI",
    "ActionSpec",
    "BadAction",
    "Box",
    "Discrete",
    "Elements",
    "MultiDiscrete",
    "Spec",
    "Text",
    "Texts",
]


_DISCRETE_FIELDS = ("n", "names", "meaning", "neutral")


@dataclass(frozen=True)
class Discrete(Coercing[int]):
    """One of `n` choices, 0..n-1. `names` says what they are, in order.

    `neutral` is the index that does nothing (0 unless given); `noop=` is its old name.
    """

    n: int
    names: tuple[str, ...] = ()
    meaning: str = ""
    neutral: int = 0

    def __init__(
        self,
        n: int,
        names: tuple[str, ...] = (),
        meaning: str = "",
        neutral: int = 0,
        *,
        noop: int | None = None,
    ) -> None:
        neutral = neutral if noop is None else noop
        for name, value in zip(_DISCRETE_FIELDS, (n, names, meaning, neutral)):
            object.__setattr__(self, name, value)
        if n < 1 or not 0 <= neutral < n or (names and len(names) != n):
            raise ValueError(
                f"Discrete: needs n >= 1, neutral below n, and no names or n of them; got {self}"
            )

    def coerce(self, action: Any) -> tuple[int, bool]:
        """The action as a Python int, and False: nothing is clipped.

        An array or tensor of one integer is taken as that integer. Raises BadAction on a value
        that is no integer (a bool is none) or not one of 0..n-1.
        """
        number = action if type(action) is int else self._index(action)
        if 0 <= number < self.n:
            return number, False
        raise BadAction(f"action {shown(number)} does not exist; expected 0 to {self.n - 1}")

    def _index(self, action: Any) -> int:
        try:
            if isinstance(action, np.ndarray) and action.size == 1:
                action = action.reshape(())[()]
            # For Python a bool is an integer, but whoever answers one has not chosen.
            kind = "bool" if isinstance(action, bool) else str(getattr(action, "dtype", ""))
            if "bool" not in kind:
                return int(operator.index(action))
        except TypeError:
            pass
        except Exception as fault:
            raise unfit(action, fault) from None
        raise BadAction(
            f"expected an integer from 0 to {self.n - 1}, got {type(action).__name__} "
            f"{shown(action)}"
        )

    def sample(self, rng: np.random.Generator) -> int:
        """Each choice with the same probability."""
        return int(rng.integers(self.n))

    def noop(self) -> int:
        return self.neutral


@dataclass(frozen=True)
class MultiDiscrete(Coercing["np.ndarray"]):
    """Several discrete choices at once: int64 of shape (len(nvec),), element i in 0..nvec[i]-1."""

    nvec: tuple[int, ...]
    meaning: str = ""

    def coerce(self, action: Any) -> tuple[np.ndarray, bool]:
        """The action as int64 of shape (len(nvec),), and False: nothing is clipped.

        Raises BadAction on a wrong shape, a dtype that is no integer, or a value out of range.
        """
        try:
            array = np.asarray(action)
            if array.dtype.kind not in "iu" or array.shape != (len(self.nvec),):
                raise BadAction(
                    f"expected {len(self.nvec)} integers, got {array.dtype} of shape {array.shape}"
                )
            if (array < 0).any() or (array >= np.asarray(self.nvec)).any():
                raise BadAction(
                    f"action {shown(array.tolist())} does not exist; the numbers of choices are "
                    f"{self.nvec}"
                )
            return array.astype(np.int64), False
        except BadAction:
            raise
        except Exception as fault:
            raise unfit(action, fault) from None

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """int64 of shape (len(nvec),): each choice of each element with the same probability."""
        return rng.integers(0, np.asarray(self.nvec), dtype=np.int64)

    def noop(self) -> np.ndarray:
        """All zeros."""
        return np.zeros(len(self.nvec), dtype=np.int64)


@dataclass(frozen=True)
class Text(Coercing[str]):
    """A string of at most `max_length` characters.

    `choices`: some sensible values; the first one is the no-op.
    """

    max_length: int = 10_000
    choices: tuple[str, ...] = ()
    meaning: str = ""

    def coerce(self, action: Any) -> tuple[str, bool]:
        """The string, and False: nothing is clipped.

        Raises BadAction on anything but a string, on a string that is too long, and on one that
        cannot be encoded as UTF-8.
        """
        if not isinstance(action, str):
            raise BadAction(f"expected text, got {type(action).__name__}")
        action = str.__str__(action)  # of a subclass too a plain string
        if len(action) > self.max_length:
            raise BadAction(f"expected at most {self.max_length} characters, got {len(action)}")
        if (problem := text_problem(action)) is not None:
            raise BadAction(problem)
        return action, False

    def sample(self, rng: np.random.Generator) -> str:
        """One of the choices, or the empty string where there is none."""
        choices: Sequence[str] = self.choices or ("",)
        return choices[int(rng.integers(len(choices)))]

    def noop(self) -> str:
        """The first choice, or the empty string."""
        return self.choices[0] if self.choices else ""


@dataclass(frozen=True)
class Texts:
    """A tuple of any number of strings, such as the commands that are possible now.

    For observations only.
    """

    meaning: str = ""

    def problem(self, value: Any) -> str | None:
        """Why `value` does not conform, or None."""
        if not isinstance(value, tuple) or not all(isinstance(text, str) for text in value):
            return f"expected a tuple of strings, got {type(value).__name__}"
        return next(filter(None, map(text_problem, value)), None)


Spec = Union[Box, Discrete, MultiDiscrete, Text, Texts, UI, Elements]
"""Any spec."""

ActionSpec = Union[Box, Discrete, MultiDiscrete, Text, UI]
"""The specs of actions."""
