"""Errors of the contracts, and how an error becomes one line."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterable
from types import FrameType

from harness.core.text import printable

__all__ = ["AgentUnavailable", "BadAction", "UserError", "describe", "suggest"]

_HOME = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_OURS = tuple(
    os.path.join(_HOME, package) + os.sep
    for package in ("harness", "adapters", "suites", "baselines", "leaderboards")
)
_STANDARD = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_USERS = 3
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


class UserError(Exception):
    """Wrong use or wrong input.

    It is shown as one message with its remedy and exit code 2, never as a traceback. Its text is
    printable: it may quote a stranger's file, and Python's own traceback shows it as it is.
    """

    def __str__(self) -> str:
        return printable(super().__str__(), lines=True)


class BadAction(ValueError):
    """An action that the action spec does not allow: wrong shape, dtype or value.

    The message says what was wanted and what came.
    """


class AgentUnavailable(Exception):
    """What an agent raises when it could not ask whoever answers for it.

    A policy server or an endpoint is unreachable, died, refuses for its load, or stays silent after
    all retries. The case is an `error` like that of a lost worker, not a failure of the agent: it
    has no score and is tried again. Do not raise it for an answer that is wrong.
    """


def describe(fault: BaseException) -> str:
    """The exception as one line, with the place in foreign code where it came from, if any.

    That is the innermost frame of a user's own file, say `agents/mine.py:12 in act`; without one,
    of an installed package; without one, the innermost frame of all. Raises nothing itself.
    """
    place = _place(fault)
    try:
        text = " ".join(str(fault)[:5000].split())[:500]
    except (Exception, SystemExit):  # its class is foreign code
        text = "(its message cannot be read)"
    return f"{type(fault).__name__}{': ' if text else ''}{text}{place and f' ({place})'}"


def _place(fault: BaseException) -> str:
    found = _innermost(fault)
    # A package may have raised it in place of the error that came from the user's file.
    cause: BaseException | None = fault
    for _ in range(10):
        cause = cause and (cause.__cause__ or cause.__context__)
        if cause is None or found[0] == _USERS:
            break
        found = max(found, _innermost(cause), key=lambda each: each[0])
    return found[1]


def _innermost(fault: BaseException) -> tuple[int, str]:
    """The innermost frame of those that weigh most, and its weight."""
    found: tuple[int, str] = 0, ""
    trace = fault.__traceback__
    while trace is not None:
        weight = _foreign(trace.tb_frame)
        if weight >= found[0]:
            code = trace.tb_frame.f_code
            found = weight, f"{_short(code.co_filename)}:{trace.tb_lineno} in {code.co_name}"
        trace = trace.tb_next
    return found


def _foreign(frame: FrameType) -> int:
    """_USERS: a user's own file; 2: an installed package; 1: Python itself, or bench."""
    file = frame.f_code.co_filename
    if not os.path.isabs(file):
        return 1 if file.startswith("<") else _USERS
    if file.startswith(_OURS):
        return 1
    if any(folder in file for folder in _INSTALLED):
        return 2
    return 1 if file.startswith(_STANDARD) else _USERS


def _short(file: str) -> str:
    """The path from the current folder, or else from where Python finds the file's module."""
    if not os.path.isabs(file):
        return file
    for folder in _INSTALLED:
        if folder in file:
            return file.rpartition(folder)[2]
    try:
        here: str | None = os.getcwd()
    except OSError:  # it was removed
        here = None
    inside = [each for each in (here, *sys.path) if each and _holds(each, file)]
    if not inside:
        return file
    root = here if here in inside else max(inside, key=len)
    return os.path.relpath(file, root)


def _holds(folder: object, file: str) -> bool:
    return (
        isinstance(folder, str)
        and os.path.isabs(folder)
        and file.startswith(folder.rstrip(os.sep) + os.sep)
    )


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
