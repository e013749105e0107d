"""A file that a run appends to, in a process in which foreign code runs too.

An agent or a simulator may close descriptors that are not its own; the number then belongs to the
next file that anybody opens. So before each write the descriptor is asked whether it is still this
file. It may also fork a helper that outlives the run and would keep the file locked, so a forked
process lets go of the file.
"""

from __future__ import annotations

import errno
import fcntl
import os
import weakref
from pathlib import Path

__all__ = ["Displaced", "HeldFile"]

_held: weakref.WeakSet[HeldFile] = weakref.WeakSet()
_watches_forks = False


class Displaced(OSError):
    """Foreign code has closed this file, or runs on in a copy of the process that holds it."""


class HeldFile:
    """A file open for appending, unbuffered: what `append` has written is with the system."""

    def __init__(self, path: Path, *, lock: bool = False, new: bool = False) -> None:
        """Open or make the file.

        `lock`: hold an exclusive lock until it is closed; the system releases it when this process
        ends, however it ends. `new`: the file must not exist.

        Raises BlockingIOError if another process holds the lock, and OSError.
        """
        self._path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(path, flags | (os.O_EXCL if new else 0), 0o666)
        self._locked = lock
        self._identity = _identity(os.fstat(self._descriptor))
        try:
            if lock:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise
        _watch_forks()
        _held.add(self)

    def check(self) -> os.stat_result:
        """What the system says of the file.

        Raises Displaced if the descriptor is not this file's any more.
        """
        try:
            found = os.fstat(self._descriptor)
            if _identity(found) == self._identity:
                return found
        except OSError:
            pass
        self._descriptor = -1
        raise Displaced(errno.EBADF, f"foreign code has closed its file {self._path.name}")

    def in_place(self) -> bool:
        """Whether the path still leads to this file."""
        try:
            return _identity(os.stat(self._path, follow_symlinks=False)) == self._identity
        except OSError:
            return False

    def size(self) -> int:
        """In bytes."""
        return self.check().st_size

    def read(self, size: int, offset: int) -> bytes:
        """Up to `size` bytes from `offset` on."""
        self.check()
        return os.pread(self._descriptor, size, offset)

    def append(self, content: bytes) -> None:
        """Write all of it, or none. Raises OSError when the disk is full, and Displaced."""
        before = self.size()
        # A write to a full disk may write a part and raise nothing.
        try:
            if os.write(self._descriptor, content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            self.truncate(before)
            raise

    def truncate(self, size: int) -> None:
        """Cut it off after `size` bytes."""
        self.check()
        os.ftruncate(self._descriptor, size)

    def sync(self) -> None:
        """Have the system write it to the disk."""
        self.check()
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Release the lock and close the file, if it is still this one. Calling it again is fine.

        The lock goes even if a copy of the descriptor lives on in another process.
        """
        if self._locked and self._is_ours():
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._let_go()

    def _is_ours(self) -> bool:
        try:
            self.check()
        except Displaced:
            return False
        return True

    def _let_go(self) -> None:
        if self._is_ours():
            os.close(self._descriptor)
            self._descriptor = -1


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _watch_forks() -> None:
    global _watches_forks
    if not _watches_forks:
        os.register_at_fork(after_in_child=_let_all_go)
        _watches_forks = True


def _let_all_go() -> None:
    for file in list(_held):
        file._let_go()
