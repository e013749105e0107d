"""Opening files that a stranger may have made: regular ones only, and no larger than expected.

A run directory, an archive or a folder of demonstrations may hold a pipe that never ends, a link
to a device or a link that leads outside. Every reader opens its files here.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from harness.core import UserError

__all__ = [
    "check_writable", "files_inside", "open_inside", "open_regular", "path_inside", "read_inside",
    "read_regular",
]  # fmt: skip

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
MOST_ENTRIES = 100_000
"""Entries of a folder that is listed."""


def open_regular(path: str | os.PathLike[str], most_bytes: int | None = None) -> BinaryIO:
    """A regular file that the user named, open for reading; it may be a symbolic link to one.

    Raises FileNotFoundError, and UserError if it is anything but a regular file of at most
    `most_bytes`, or cannot be opened.
    """
    return _open(os.fspath(path), Path(path), None, most_bytes, follow=True)


def read_regular(path: str | os.PathLike[str], most_bytes: int) -> bytes:
    """The content of a file. Raises as open_regular does."""
    with open_regular(path, most_bytes) as file:
        return _whole(file, Path(path), most_bytes)


def open_inside(
    folder: str | os.PathLike[str], name: str, most_bytes: int | None = None
) -> BinaryIO:
    """A regular file below `folder`, open for reading. No link below the folder is followed.

    Raises as open_regular does, and UserError if `name` leads outside of the folder.
    """
    path = Path(folder) / name
    parts = _parts(Path(folder), name)
    try:
        where = os.open(folder, _FOLDER)
        try:
            for part in parts[:-1]:
                below = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=where)
                os.close(where)
                where = below
            return _open(parts[-1], path, where, most_bytes, follow=False)
        finally:
            os.close(where)
    except (OSError, ValueError) as fault:
        raise _refusal(path, fault) from None


def read_inside(folder: str | os.PathLike[str], name: str, most_bytes: int) -> bytes:
    """The content of a file below `folder`. Raises as open_inside does."""
    with open_inside(folder, name, most_bytes) as file:
        return _whole(file, Path(folder) / name, most_bytes)


def files_inside(folder: str | os.PathLike[str], name: str, pattern: str) -> list[str]:
    """The names in the folder `name` below `folder` that match a regular expression, sorted.

    Empty if there is no such folder. Raises UserError if it is a link or no folder, or holds more
    than MOST_ENTRIES entries.
    """
    path = Path(folder) / name
    try:
        mode = os.lstat(path).st_mode
        if not stat.S_ISDIR(mode):
            raise UserError(f"{path} cannot be read: it is {_kind(mode)}, not a directory")
        with os.scandir(path) as entries:
            return sorted(each for each in _bounded(entries, path) if re.fullmatch(pattern, each))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as fault:
        raise UserError(f"{path} cannot be read: {_reason(fault)}") from None


def check_writable(
    folder: str | os.PathLike[str], files: Iterable[str], folders: Iterable[str] = ()
) -> None:
    """Raises UserError if one of these names below `folder` is a link, or of another kind.

    Whoever writes into a folder that a stranger made would else write where the stranger says.
    """
    for names, holds, wanted in (
        (files, stat.S_ISREG, "a regular file"),
        (folders, stat.S_ISDIR, "a directory"),
    ):
        for name in names:
            path = Path(folder) / name
            try:
                mode = os.lstat(path).st_mode
            except OSError:
                continue  # it is not there; and if it cannot be looked at, writing will say why
            if not holds(mode):
                raise UserError(
                    f"cannot write to {folder}: {name} is {_kind(mode)}, not {wanted}. Choose "
                    "another place with --out"
                )


def _bounded(entries: Iterator[os.DirEntry[str]], path: Path) -> Iterator[str]:
    for number, entry in enumerate(entries):
        if number >= MOST_ENTRIES:
            raise UserError(f"{path} holds more than {MOST_ENTRIES} files: no run of bench does")
        yield entry.name


def path_inside(folder: str | os.PathLike[str], name: str) -> Path:
    """`folder` / `name`. Raises UserError if `name` leads outside of the folder."""
    return Path(folder, *_parts(Path(folder), name))


def _parts(folder: Path, name: str) -> tuple[str, ...]:
    parts = Path(name).parts
    if not parts or Path(name).is_absolute() or ".." in parts or "\0" in name:
        raise UserError(f"{folder}: the file {name[:200]!r} lies outside of it")
    return parts


def _open(
    name: str, path: Path, where: int | None, most_bytes: int | None, *, follow: bool
) -> BinaryIO:
    flags = _FILE if follow else _FILE | os.O_NOFOLLOW
    try:
        # Opening a pipe or a device can have effects, so it is looked at before.
        _check(path, os.stat(name, dir_fd=where, follow_symlinks=follow), most_bytes)
        number = os.open(name, flags, dir_fd=where)
        try:
            _check(path, os.fstat(number), most_bytes)
            return os.fdopen(number, "rb")
        except BaseException:
            os.close(number)
            raise
    except (OSError, ValueError) as fault:
        raise _refusal(path, fault) from None


def _check(path: Path, found: os.stat_result, most_bytes: int | None) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise UserError(f"{path} cannot be read: it is {_kind(found.st_mode)}, not a regular file")
    if most_bytes is not None and found.st_size > most_bytes:
        raise UserError(f"{path} is larger than {_size(most_bytes)}: bench writes no such file")


def _whole(file: BinaryIO, path: Path, most_bytes: int) -> bytes:
    # No more than is there: `read` makes room for all that it is asked for.
    content = file.read(min(os.fstat(file.fileno()).st_size, most_bytes) + 1)
    if len(content) > most_bytes:
        raise UserError(f"{path} is larger than {_size(most_bytes)}: bench writes no such file")
    return content


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count} bytes"


def _kind(mode: int) -> str:
    return next((name for holds, name in _KINDS if holds(mode)), "something else")


def _refusal(path: Path, fault: OSError | ValueError) -> Exception:
    if isinstance(fault, FileNotFoundError):
        return fault
    if isinstance(fault, OSError) and fault.errno == errno.ELOOP:
        return UserError(f"{path} cannot be read: it is a symbolic link, not a regular file")
    return UserError(f"{path} cannot be read: {_reason(fault)}")


def _reason(fault: OSError | ValueError) -> str:
    return (fault.strerror or str(fault)) if isinstance(fault, OSError) else str(fault)
