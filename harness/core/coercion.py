"""The door that every action goes through, the same for all kinds of action specs."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

from harness.core.errors import BadAction

__all__ = ["Coercing", "deprecated", "shown", "text_problem", "unfit"]

Value = TypeVar("Value")
MOST_SHOWN = 200
"""Characters of a value in a message."""


def shown(value: Any) -> str:
    """`value` for a message: its repr, cut short.

    Never raises: a foreign `__repr__` may, and so does that of an integer of very many digits.
    """
    try:
        text = repr(value)
    except Exception:
        text = f"a value of the type {type(value).__name__} that cannot be printed"
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"


def text_problem(text: str) -> str | None:
    """Why `text` cannot be stored or sent as UTF-8, or None."""
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as wrong:
        return (
            f"the text cannot be encoded as UTF-8: its character {wrong.start} is "
            f"{text[wrong.start]!r}, half of a surrogate pair"
        )
    return None


def unfit(value: Any, fault: Exception) -> BadAction:
    """The refusal of an action whose conversion raised `fault`.

    Tensors that require a gradient, are on a GPU or have a dtype that numpy lacks are the common
    case, also inside a list.
    """
    kind = type(value).__name__
    try:
        why = " ".join(str(fault).split())[:MOST_SHOWN]
        tensor = hasattr(type(value), "detach") or "ensor" in why or "BFloat16" in why
    except Exception:
        why, tensor = "", False
    reason = f"an action of the type {kind} cannot be converted: {type(fault).__name__}: {why}"
    if tensor:
        reason += "; answer tensor.detach().float().cpu().numpy()"
    return BadAction(reason)


def deprecated(old: str, new: str) -> None:
    """Warn the caller's caller that `old` is called `new` now."""
    warnings.warn(f"{old} is called {new} now", DeprecationWarning, stacklevel=3)


class Coercing(ABC, Generic[Value]):
    """A kind of action: what is given becomes a value of the spec's own type, or is refused."""

    @abstractmethod
    def coerce(self, action: Any) -> tuple[Value, bool]:
        """The action as a value of this spec, and whether it was clipped.

        Raises BadAction, and nothing else, whatever the action is and whatever its own methods
        raise. The value is plain: an array of numpy's own class, an int, a str or a UIAction.
        """

    @abstractmethod
    def noop(self) -> Value:
        """The action that does nothing."""

    def validate(self, action: Any) -> Value:
        """The action as a value of this spec. Raises BadAction also where it had to be clipped."""
        value, clipped = self.coerce(action)
        if clipped:
            raise BadAction(self._out_of_bounds(action))
        return value

    def problem(self, value: Any) -> str | None:
        """Why `value` is no value of this spec, or None."""
        try:
            self.validate(value)
        except BadAction as bad:
            return str(bad)
        return None

    def _out_of_bounds(self, action: Any) -> str:
        return f"the action {shown(action)} is out of bounds"

    def take(self, action: Any) -> tuple[Value, bool]:
        """The old name of `coerce`."""
        deprecated("take()", "coerce()")
        return self.coerce(action)

    def check(self, action: Any) -> Value:
        """The old name of `validate`."""
        deprecated("check()", "validate()")
        return self.validate(action)

    def nothing(self) -> Value:
        """The old name of `noop`."""
        deprecated("nothing()", "noop()")
        return self.noop()
