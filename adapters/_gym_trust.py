"""Whether a task of `adapters.gym` runs nothing but Gymnasium's own code, whoever wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.core import Task

__all__ = ["not_of_gymnasium"]

ADAPTER = "adapters.gym:GymAdapter"
OWN = "gymnasium."
"""Begins the entry points of the environments that Gymnasium itself registers."""
FORBIDDEN = ("entry", "wrapper", "render", "file", "path", "xml", "module", "class", "env", "spec")
"""In a keyword's name: what it names is loaded or opened."""


def not_of_gymnasium(task: Task) -> str:
    """Why a task may load anything but an environment that Gymnasium itself registers.

    Empty if it cannot: its id is one of Gymnasium's own, without a module, and no keyword names
    code or a file. The keywords' values must be plain words and numbers; the caller checks that.
    Nothing that the id names is imported to find out.
    """
    env_id, kwargs = task.params.get("id"), task.params.get("kwargs", {})
    if task.adapter != ADAPTER or not isinstance(env_id, str):
        return "it is no Gymnasium environment"
    if ":" in env_id:
        return f"its id {env_id[:100]!r} names a module"
    if not task.params.keys() <= {"id", "kwargs", "success_key", "fresh"}:
        return "its params are not those of a Gymnasium environment"
    if not _plain(kwargs):
        return "its kwargs may name code or files"
    try:
        import gymnasium
    except ImportError:
        return "Gymnasium is not installed here"
    spec = gymnasium.registry.get(env_id)
    entry = getattr(spec, "entry_point", None)
    if not (isinstance(entry, str) and entry.startswith(OWN)):
        return f"Gymnasium itself registers no environment {env_id[:100]!r}"
    return ""


def _plain(kwargs: Any) -> bool:
    return isinstance(kwargs, Mapping) and all(
        isinstance(name, str)
        and name.isidentifier()
        and not any(word in name.lower() for word in FORBIDDEN)
        for name, value in kwargs.items()
    )
