"""Errors of the contracts, and how an error becomes one line. Imports no other module of bench."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["BadAction", "UserError", "describe", "suggest"]


class UserError(Exception):
    """Wrong use or wrong input.

    It is shown as one message with its remedy and exit code 2, never as a traceback.
    """


class BadAction(ValueError):
    """An action that the action spec does not allow: wrong shape, dtype or value.

    The message says what was wanted and what came.
    """


def describe(fault: BaseException) -> str:
    """The exception as one line, with the place where it was raised. Raises nothing itself."""
    place = ""
    trace = fault.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is not None:
        code = trace.tb_frame.f_code
        place = f" ({code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} in {code.co_name})"
    try:
        text = " ".join(str(fault)[:5000].split())[:500]
    except (Exception, SystemExit):  # its class is foreign code
        text = "(its message cannot be read)"
    return f"{type(fault).__name__}{': ' if text else ''}{text}{place}"


def suggest(word: str, names: Iterable[str]) -> str:
    """`did you mean A or B?`, with at most three of `names`; empty if none resembles `word`.

    Upper and lower case count as equal.
    """
    known = {name.lower(): name for name in names}
    close = (
        [word.lower()]
        if word.lower() in known
        else difflib.get_close_matches(word.lower(), known, n=3)
    )
    return f"did you mean {' or '.join(known[name] for name in close)}?" if close else ""
