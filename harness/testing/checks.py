"""How a check fails: ContractError, and the helpers that raise it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from typing import Any

__all__ = ["ContractError", "call", "demand", "naming"]


class ContractError(AssertionError):
    """An adapter or an agent breaks its contract. The message says what is wrong and the fix."""


@contextlib.contextmanager
def naming(subject: str) -> Generator[None]:
    """Put the name of what is checked in front of a ContractError's message."""
    try:
        yield
    except ContractError as error:
        raise ContractError(f"{subject}: {error}") from error.__cause__


def demand(holds: bool, message: str) -> None:
    """Raise ContractError with `message` unless `holds`."""
    if not holds:
        raise ContractError(message)


def call(what: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call the code under test. An exception becomes a ContractError that says what was called."""
    try:
        return function(*arguments)
    except Exception as error:
        raise ContractError(f"{what} raised {type(error).__name__}: {error}") from error
