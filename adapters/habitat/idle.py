"""Simulators that nobody uses at present. They are kept until the process ends.

The first simulator of a thread owns the GL context that later ones share, and making one takes
seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Any

__all__ = ["idle"]

_pool = threading.local()
"""Attribute `idle`, per thread: what a simulator was made for -> unused ones, with their scene."""


def idle(made_for: Hashable) -> list[tuple[Any, Any]]:
    """This thread's unused simulators for one body or camera, each with the scene loaded in it."""
    table: dict[Hashable, list[tuple[Any, Any]]] = _pool.__dict__.setdefault("idle", {})
    return table.setdefault(made_for, [])
