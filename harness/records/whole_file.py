"""A file that appears as a whole: it is written beside its place, and renamed at the end."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["write_whole"]

DEVICES = Path("/dev"), Path("/dev/fd"), Path("/dev/pts")
"""Not /dev/shm, where files lie."""


def write_whole(file: Path, content: bytes, first: Path | None = None) -> None:
    """Write a file, whole or not at all. What it replaces may be a link: that goes, not its target.

    `first`: where it is written before it is renamed, in the same folder; by default hidden there.
    A device such as /dev/null or /dev/stdout is written to: who may would otherwise replace it by
    a file, for every program of the machine. Raises OSError.
    """
    if file.absolute().parent in DEVICES:
        with file.open("wb") as device:
            device.write(content)
        return
    new = first or file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)  # it may be a link that leads elsewhere
    with new.open("xb") as out:
        out.write(content)
    os.replace(new, file)
