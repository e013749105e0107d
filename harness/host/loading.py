"""Loads an adapter's class, or the class that stands for it if it lives in another interpreter.

A backend is another adapter that plays the same cases, by code that is faster (`Adapter.backends`).
Whether it is equal is found out by harness/verify/backends.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.core import Adapter, BatchedAdapter, Task, UserError
from harness.host.hosted import Hosted, hosted
from harness.host.interpreters import interpreter_of
from harness.records.code_versions import code_versions
from harness.records.declared import check_adapter_class
from harness.records.registry import load

__all__ = ["BACKEND", "backend_entry", "backend_versions", "code_of", "load_adapter"]

BACKEND = "backend"
"""The name under which a backend stands among the packages of a protocol."""


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


def code_of(kind: Any, task: Task) -> Mapping[str, str]:
    """What a task's results depend on beside the packages of its adapter.

    For tasks of our own families that is nothing. See harness/records/code_versions.py.
    """
    if issubclass(kind, Hosted):
        found: Mapping[str, str] = kind.code(task)
        return found
    known = {name.lower() for name in kind.packages}
    modules = kind.modules(task)
    return code_versions(name for name in modules if name.partition(".")[0].lower() not in known)


def backend_entry(task: Task, backend: str) -> str:
    """The `module:Class` of the adapter that plays `task`: its own, or that of a backend.

    Raises UserError where its adapter has no such backend.
    """
    if not backend:
        return task.adapter
    backends: Mapping[str, str] = load(task.adapter).backends
    if backend not in backends:
        there = ", ".join(backends)
        remedy = f"there is {there}" if there else "leave --backend out, or choose other --tasks"
        raise UserError(f"{task.id} has no backend {backend!r}: {remedy}")
    return backends[backend]


def backend_versions(kind: Any, task: Task, backend: str) -> dict[str, str]:
    """The versions of an adapter's packages, and of its backend where one plays.

    So the protocol of a run names the backend, and that of a run without one stays what it was.
    """
    versions = dict(kind.versions())
    if backend:
        found: Mapping[str, str] = load_adapter(backend_entry(task, backend)).versions()
        versions.update(found)
        versions[BACKEND] = backend
    return versions
