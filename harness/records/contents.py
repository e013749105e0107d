"""The files that make an agent what it is: hashed into its fingerprint, and named one by one.

The fingerprint decides whether a run may go on. The names say which file it was that changed.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.core import UserError

__all__ = ["Contents", "changed", "exists", "sources"]

SAMPLE = 1 << 30
"""In bytes. Larger files are not hashed whole, but their size and three samples of 1 MiB."""
MOST_FILES = 100_000
"""Of one folder."""
MOST_NAMED = 1000
"""Of one folder; of a larger one all files together have one line."""


def exists(value: Any) -> bool:
    """Whether an argument is the path of something that exists."""
    return isinstance(value, str) and len(value) < 4096 and os.path.exists(value)


def sources(kind: type) -> Iterator[Path]:
    """The Python files of a class and of each class that it inherits from.

    All files of its folder if that is a package, else the file of its module.
    """
    for ancestor in kind.__mro__:
        module = sys.modules.get(ancestor.__module__)
        file = getattr(module, "__file__", None)
        contract = ancestor.__module__.split(".")[:2] == ["harness", "core"]
        if file is None or contract or ancestor.__module__ in ("builtins", "abc"):
            continue
        path = Path(os.path.realpath(file))
        yield from (
            sorted(path.parent.glob("*.py")) if (path.parent / "__init__.py").exists() else [path]
        )


class Contents:
    """A digest over everything that was added, in order."""

    def __init__(self, first: bytes) -> None:
        self._digest = hashlib.blake2b(first, digest_size=8)
        self.files: dict[str, str] = {}
        """Name -> checksum of each file, to tell which one changed. No proof: it is a CRC."""

    def add_source(self, file: Path, name: str = "") -> None:
        """Add a Python file, under this name. Raises UserError if it cannot be read."""
        name = name or file.name
        try:
            content = file.read_bytes()
        except OSError as fault:
            raise _unreadable(file, fault) from None
        self._digest.update(name.encode() + content)
        self.files[f"source/{name}"] = f"{zlib.crc32(content):08x}"

    def add(self, name: str, path: Path, remedy: str) -> None:
        """Add a file, or all regular files below a folder.

        `name` goes ahead of their names in `files`; `remedy` says what to do if the folder is too
        large. Raises UserError then, and if a file cannot be read.
        """
        try:
            folder = path.is_dir()
            below = _below(path, remedy) if folder else [path]
            sums = [self._add_file(file, path) for file in below]
        except OSError as fault:
            raise _unreadable(path, fault) from None
        names = [file.relative_to(path).as_posix() for file in below]
        if len(below) > MOST_NAMED:
            together = zlib.crc32(repr(list(zip(names, sums))).encode())
            names, sums = [f" ({len(below)} files)"], [together]
        for below_name, sum_ in zip(names, sums):
            self.files[f"{name}/{below_name}" if folder else name] = f"{sum_:08x}"

    def _add_file(self, file: Path, path: Path) -> int:
        found = file.stat()
        if not stat.S_ISREG(found.st_mode):
            return 0  # reading a pipe or a device may never end
        size = found.st_size
        self._digest.update(f"{file.relative_to(path)} {size}".encode())
        sum_ = 0
        with file.open("rb") as handle:
            if size <= SAMPLE:
                # Not beyond the size: a file that somebody is writing to may grow for ever.
                while size > 0 and (block := handle.read(min(1 << 22, size))):
                    size -= len(block)
                    self._digest.update(block)
                    sum_ = zlib.crc32(block, sum_)
            else:
                for place in (0, size // 2, size - (1 << 20)):
                    handle.seek(place)
                    block = handle.read(1 << 20)
                    self._digest.update(block)
                    sum_ = zlib.crc32(block, sum_)
        return sum_

    def hexdigest(self) -> str:
        """16 hexadecimal digits."""
        return self._digest.hexdigest()


def _below(path: Path, remedy: str) -> list[Path]:
    found = []
    for each in path.rglob("*"):
        if each.is_file():
            found.append(each)
        if len(found) > MOST_FILES:
            raise UserError(
                f"{path} holds more than {MOST_FILES} files, which would all be part of the "
                f"agent's fingerprint: {remedy}"
            )
    return sorted(found)


def _unreadable(file: Path, fault: OSError) -> UserError:
    name = fault.filename or file
    return UserError(
        f"{name} is part of the agent's fingerprint and cannot be read: {fault.strerror}"
    )


def changed(old: Mapping[str, str], new: Mapping[str, str], most: int = 3) -> str:
    """Which files differ, as a text; empty if none does."""
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    words = [
        f"{name} is new" if name not in old else f"{name} is gone" if name not in new else name
        for name in names[:most]
    ]
    return ", ".join(words) + (f" and {len(names) - most} more" if len(names) > most else "")
