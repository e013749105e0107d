"""What the classes of agents and adapters declare, checked before anything is built.

A text is a sequence of texts, and True is a number: what is declared by mistake must not be read
letter by letter, or fail long after the run has begun.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

from harness.core import UserError
from harness.core.errors import describe

__all__ = ["check_adapter_class", "check_agent_class", "check_reading", "declared"]

_Rule = tuple[str, Callable[[Any], bool]]


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _texts(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(each, str) and each for each in value)


TEXTS: _Rule = ('a tuple of texts, such as ("image",)', _texts)
TEXT: _Rule = ("a text", lambda value: isinstance(value, str))
COUNT: _Rule = ("a whole number from 1 on", lambda value: type(value) is int and value >= 1)
GPUS: _Rule = ("a number from 0 on", lambda value: _number(value) and value >= 0)
SECONDS: _Rule = ("a number of seconds above 0", lambda value: _number(value) and value > 0)
YES_OR_NO: _Rule = ("True or False", lambda value: isinstance(value, bool))

START: _Rule = (
    "countable, continuous or empty",
    lambda value: value in ("countable", "continuous", ""),
)

AGENT: Mapping[str, _Rule] = {
    "reads": TEXTS,
    "history": COUNT,
    "gpus": GPUS,
    "served": YES_OR_NO,
    "files": TEXTS,
    "outputs": TEXTS,
    "training_data": TEXT,
}
ADAPTER: Mapping[str, _Rule] = {
    "packages": TEXTS,
    "extra": TEXT,
    "guide": TEXT,
    "requirements": TEXTS,
    "pythons": TEXTS,
    "conda": TEXT,
    "conda_installs": TEXTS,
    "privileged_views": TEXTS,
    "derived_views": TEXTS,
    "patience_s": SECONDS,
    "nondeterminism": TEXT,
    "tolerance": GPUS,
    "own_streams": YES_OR_NO,
    "start_kind": START,
}


def check_agent_class(kind: type[Any], entry: str) -> None:
    """Raises UserError that names the first attribute of a wrong type; also for an object's own."""
    _check(kind, entry, AGENT)


def check_adapter_class(kind: Any, entry: str) -> None:
    """Raises UserError that names the first attribute of a wrong type."""
    _adapter_class(kind, entry)


@functools.lru_cache(maxsize=256)
def _adapter_class(kind: Any, entry: str) -> None:
    _check(kind, entry, ADAPTER)


def check_reading(who: str, reads: Any, history: Any) -> None:
    """Raises UserError if these are no names of views, or no number of observations."""
    for name, value in (("reads", reads), ("history", history)):
        _demand(who, name, value, AGENT[name])


def declared(kind: Any, entry: str, args: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
    """What `kind.declares` says of an instance with these arguments, checked. Raises UserError."""
    try:
        found = kind.declares(args)
    except (UserError, KeyboardInterrupt):
        raise
    except BaseException as fault:
        raise UserError(f"{entry}.declares failed: {describe(fault)}") from fault
    if not isinstance(found, tuple) or len(found) != 2:
        raise UserError(f"{entry}.declares returns the tuple (reads, history), got {_shown(found)}")
    reads, history = found
    check_reading(f"the answer of {entry}.declares", reads, history)
    return reads, history


def _check(kind: type[Any], entry: str, rules: Mapping[str, _Rule]) -> None:
    for name, rule in rules.items():
        _demand(entry, name, getattr(kind, name), rule)


def _demand(who: str, name: str, value: Any, rule: _Rule) -> None:
    what, holds = rule
    if not holds(value):
        raise UserError(f"{who} has {name} = {_shown(value)}: it must be {what}")


def _shown(value: Any) -> str:
    try:
        text = " ".join(repr(value).split())
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."
