"""Folders for the temporary files of one command, which are removed even if it was killed.

A lock on a file inside says that somebody alive owns the folder; whoever begins later removes those
that nobody owns.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["FOLDER", "LOCK", "SHORT", "new_name", "owned", "remove", "remove_left"]

FOLDER, LOCK = "bench-", ".bench-lock"
SHORT = Path("/tmp")
"""Where the path of a socket fits; a folder may have a namesake here."""
YOUNG_S = 60.0
"""A folder that is younger is left alone: it may not be locked yet."""
_ours: set[str] = set()
"""Names of the folders that this process owns. Its own locks do not stop it, and to close a second
handle of a file gives the lock on it up."""


def new_name() -> str:
    """A name that no other folder has."""
    return f"{FOLDER}{secrets.token_hex(4)}"


@contextlib.contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Make a folder that only this user may enter, and own it while the block runs.

    The lock is that of this process alone, and not of those that it forks. Raises OSError if the
    folder cannot be made. Removing it is up to the caller.
    """
    folder.mkdir(mode=0o700)
    _ours.add(folder.name)
    try:
        with (folder / LOCK).open("w") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)
            yield
    finally:
        _ours.discard(folder.name)


def remove(folder: Path) -> None:
    """Remove a folder and its namesake in SHORT, if they are there."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(SHORT / folder.name, ignore_errors=True)


def remove_left(place: Path) -> None:
    """Remove the folders in `place` of this user's commands that do not live any more."""
    for lock in place.glob(f"{FOLDER}*/{LOCK}"):
        if lock.parent.name in _ours:
            continue
        with contextlib.suppress(OSError):
            found = lock.lstat()
            young = time.time() - found.st_mtime < YOUNG_S
            if lock.is_symlink() or found.st_uid != os.getuid() or young:
                continue
            with lock.open("r+") as held:
                fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
