"""The errors of the contracts, and how an exception is told in one line. It imports nothing of ours."""

from __future__ import annotations

__all__ = ["BadAction", "UserError", "describe"]


class UserError(Exception):
    """Wrong use or wrong input. It is shown as one message with its remedy and exit code 2, never as a traceback."""


class BadAction(ValueError):
    """An action that the action spec does not allow: wrong shape, dtype or value.

    The message says what was wanted and what came.
    """


def describe(fault: BaseException) -> str:
    """An exception in one line, with the place where it was raised."""
    place = ""
    trace = fault.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is not None:
        code = trace.tb_frame.f_code
        place = f" ({code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} in {code.co_name})"
    text = " ".join(str(fault).split())[:500]
    return f"{type(fault).__name__}{': ' if text else ''}{text}{place}"
