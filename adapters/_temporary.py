"""Temporary folders that are removed with their owner, at the latest when the process ends."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable
from typing import Any

__all__ = ["finally_here", "temporary_folder"]


def finally_here(owner: object, work: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """As weakref.finalize, but a process that is forked from this one does nothing when it ends."""
    return weakref.finalize(owner, _unless_forked, os.getpid(), work, *arguments)


def temporary_folder(owner: object, prefix: str) -> tuple[str, Callable[[], Any]]:
    """(a new folder in the folder for temporary files, a function that removes it at once)."""
    folder = tempfile.mkdtemp(prefix=prefix)
    return folder, finally_here(owner, shutil.rmtree, folder, True)


def _unless_forked(process: int, work: Callable[..., Any], *arguments: Any) -> None:
    if os.getpid() == process:
        work(*arguments)
