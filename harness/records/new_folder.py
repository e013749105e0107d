"""A folder that appears as a whole: it is filled beside its place, and renamed at the end."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.core import UserError

__all__ = ["new_folder"]


@contextlib.contextmanager
def new_folder(parent: Path, place: Path, option: str) -> Iterator[Path]:
    """An empty folder in `parent`, which is made. The caller renames it; else it is removed.

    Raises UserError, also of what the caller writes in the block, where the system refuses: it
    names `place` and the option that chooses another one.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=parent))
        try:
            yield new
        finally:
            shutil.rmtree(new, ignore_errors=True)
    except OSError as fault:
        raise UserError(
            f"cannot write to {place}: {fault.strerror}. Choose another place with {option}"
        ) from None
