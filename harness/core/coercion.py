"""The door that every action goes through, the same for all kinds of action specs."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

from harness.core.errors import BadAction

__all__ = ["Coercing", "deprecated"]

Value = TypeVar("Value")


def deprecated(old: str, new: str) -> None:
    """Warn the caller's caller that `old` is called `new` now."""
    warnings.warn(f"{old} is called {new} now", DeprecationWarning, stacklevel=3)


class Coercing(ABC, Generic[Value]):
    """A kind of action: what is given becomes a value of the spec's own type, or is refused."""

    @abstractmethod
    def coerce(self, action: Any) -> tuple[Value, bool]:
        """The action as a value of this spec, and whether it was clipped. Raises BadAction."""

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
        return f"the action {action!r} is out of bounds"

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
