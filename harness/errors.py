"""What may be wrong with an action. It stands alone, so that every kind of spec can raise it."""

from __future__ import annotations

__all__ = ["BadAction"]


class BadAction(ValueError):
    """An action that the action spec does not allow: wrong shape, dtype or value. The message says what was wanted and what came."""
