"""Loads an adapter's class, or the class that stands for it if it lives in another interpreter."""

from __future__ import annotations

from typing import Any

from harness.core import Adapter, BatchedAdapter, UserError
from harness.host.hosted import hosted
from harness.host.interpreters import interpreter_of
from harness.records.declared import check_adapter_class
from harness.records.registry import load

__all__ = ["load_adapter"]


def load_adapter(entry: str) -> Any:
    """The adapter class `entry`, or the class that stands for it in this interpreter.

    Raises UserError as `load` does, and if the entry is not an adapter.
    """
    kind = load(entry)
    if not (isinstance(kind, type) and issubclass(kind, (Adapter, BatchedAdapter))):
        raise UserError(
            f"{entry} is no adapter: derive a class from harness.core.Adapter; see docs/adapters.md"
        )
    check_adapter_class(kind, entry)
    python = interpreter_of(entry)
    if python is None:
        return kind
    return hosted(kind, entry, python)
