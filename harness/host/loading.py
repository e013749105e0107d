"""Which class plays an adapter's tasks: the adapter itself, or its stand-in for another interpreter."""

from __future__ import annotations

from typing import Any

from harness.core import Adapter, BatchedAdapter, UserError
from harness.host.hosted import hosted
from harness.host.interpreters import interpreter_of
from harness.records.registry import load

__all__ = ["load_adapter"]


def load_adapter(entry: str) -> Any:
    """The adapter class of this name, or, where it lives in another interpreter, the class that stands for it here.

    Raises UserError as `load` does, and where the entry is no adapter.
    """
    kind = load(entry)
    if not (isinstance(kind, type) and issubclass(kind, (Adapter, BatchedAdapter))):
        raise UserError(
            f"{entry} is no adapter: write a class on harness.core.Adapter; see docs/adapters.md"
        )
    python = interpreter_of(entry)
    if python is None:
        return kind
    return hosted(kind, entry, python)
