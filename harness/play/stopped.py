"""What ends a run before its end through nobody's fault in it. Imports nothing."""

from __future__ import annotations

__all__ = ["Stopped"]


class Stopped(Exception):
    """The run cannot go on here and now; nothing is lost, and the same command continues.

    Its text says why, without a full stop.
    """
