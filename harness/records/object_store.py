"""Files below a URL, as fsspec reaches them: listed, read, and written as a whole.

Object stores know no appending and no locks. What they have is enough for a run: an object is
there as a whole or not at all, and one of several writers can be the one who makes it.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from harness.core import UserError

__all__ = [
    "MOST_OBJECTS",
    "ObjectStore",
    "StoreFault",
    "is_url",
    "refuse_read_only",
    "without_secret",
]

LOCAL = ("file://", "local://")
READ_ONLY = ("http", "https", "github", "gist", "data", "zip", "tar", "libarchive")
ATOMIC = frozenset(
    ("abfs", "abfss", "adl", "az", "gcs", "gs", "memory", "oci", "oss", "r2", "s3", "s3a")
)
"""File systems without folders, in which an object appears as a whole."""
MOST_OBJECTS = 2_000_000
"""Names below a URL that are listed."""
REFUSED = ("NoCredentials", "PartialCredentials", "CredentialRetrieval", "DefaultCredentials")
"""How the classes of errors begin that say that nobody knows who we are."""
_SECRET = re.compile(r"(://)[^/@\s]+@")


def is_url(text: str) -> bool:
    """Whether a location is a URL of a file system other than that of this machine."""
    return "://" in text and not text.startswith(LOCAL)


def without_secret(text: str) -> str:
    """A text without the name and the password of a URL in it."""
    return _SECRET.sub(r"\1***@", text)


class StoreFault(UserError):
    """A store did not do what it was asked."""

    def __init__(self, what: str, *, lasting: bool = False) -> None:
        super().__init__(what)
        self.lasting = lasting
        """Whether trying again is of no use."""


def refuse_read_only(url: str) -> None:
    """Raises StoreFault where such a URL cannot be written to, without looking at it."""
    if _scheme(url) in READ_ONLY:
        raise StoreFault(
            f"{without_secret(url)} cannot be written to: name a folder, or a bucket such as "
            "s3://BUCKET/RUN, with --out",
            lasting=True,
        )


class ObjectStore:
    """The files below one URL. Every method raises StoreFault, in one line with the remedy."""

    def __init__(self, url: str) -> None:
        """Raises StoreFault where no package here opens such a URL; it is not looked at yet."""
        self.url = url.rstrip("/")
        self.shown = without_secret(self.url)
        """For messages."""
        self._scheme = _scheme(url)
        try:
            import fsspec
        except ImportError:
            raise StoreFault(
                f"{self.shown} needs the package fsspec: pip install 'generalist-bench[remote]'",
                lasting=True,
            ) from None
        with self._told("opened"):
            self._files, self._root = fsspec.core.url_to_fs(self.url)

    def sizes(self, folder: str) -> dict[str, int]:
        """Name -> bytes of every file in `folder` or further below; names begin with `folder`."""
        top = f"{self._root}/{folder}"
        with self._told("listed"):
            self._files.invalidate_cache()
            try:
                found = self._files.find(top, detail=True)
            except FileNotFoundError:
                return {}
        if len(found) > MOST_OBJECTS:
            raise StoreFault(f"{self.shown} holds more files than a run has", lasting=True)
        start = len(self._root.rstrip("/")) + 1
        return {
            name[start:]: info["size"]
            for name, info in found.items()
            if name.startswith(top) and type(info.get("size")) is int
        }

    def read(self, name: str, most_bytes: int) -> bytes | None:
        """The content of a file; None if there is none. A larger one is refused."""
        with self._told("read"):
            try:
                content: bytes = self._files.cat_file(f"{self._root}/{name}", 0, most_bytes + 1)
            except FileNotFoundError:
                return None
            except (OSError, ValueError):
                # Of an empty object, some stores have no range to give.
                content = self._files.cat_file(f"{self._root}/{name}")
        if len(content) > most_bytes:
            raise self._too_large(name, most_bytes)
        return content

    def copy(self, name: str, target: BinaryIO, most_bytes: int) -> bool:
        """Write the content of a file to `target`; False if there is none."""
        with self._told("read"):
            try:
                with self._files.open(f"{self._root}/{name}", "rb") as source:
                    while block := source.read(1 << 20):
                        if target.tell() + len(block) > most_bytes:
                            raise self._too_large(name, most_bytes)
                        target.write(block)
            except FileNotFoundError:
                return False
        return True

    def write(self, name: str, content: bytes) -> None:
        """Make or replace a file; a reader sees it as a whole or not at all."""
        path = f"{self._root}/{name}"
        with self._told("written"):
            if self._scheme in ATOMIC:
                self._files.pipe_file(path, content)
                return
            new = f"{path}.{uuid.uuid4().hex[:8]}.new"
            self._in_folder(path, lambda: self._files.pipe_file(new, content))
            with contextlib.suppress(FileNotFoundError):
                self._files.rm_file(path)  # some file systems do not move onto a file
            self._files.mv(new, path)

    def create(self, name: str, content: bytes) -> bool:
        """Make a file that nobody else has made; False if somebody has."""
        path = f"{self._root}/{name}"
        make = functools.partial(self._files.pipe_file, path, content, mode="create")
        with self._told("written"):
            try:
                if self._scheme in ATOMIC:
                    make()
                else:
                    self._in_folder(path, make)
            except FileExistsError:
                pass  # perhaps by ourselves, in an attempt of which the answer was lost
        return self.read(name, len(content) + 1024) == content

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with self._told("written"), contextlib.suppress(FileNotFoundError):
            self._files.rm_file(f"{self._root}/{name}")

    def _too_large(self, name: str, most_bytes: int) -> StoreFault:
        return StoreFault(
            f"{self.shown}/{name} is larger than {most_bytes >> 20} MiB: bench writes no such file",
            lasting=True,
        )

    def _in_folder(self, path: str, make: Callable[[], Any]) -> None:
        self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
        make()

    @contextlib.contextmanager
    def _told(self, done: str) -> Iterator[None]:
        """Turns whatever a file system raises into StoreFault: each has errors of its own."""
        try:
            yield
        except StoreFault:
            raise
        except ImportError as lacking:
            raise StoreFault(
                f"{self.shown} needs another package: {_line(lacking)} (with pip install)",
                lasting=True,
            ) from None
        except Exception as fault:
            what = f"{self.shown} cannot be {done}"
            raise _fault(what, fault) from None


def _scheme(url: str) -> str:
    return url.partition("://")[0].rpartition("::")[2]


def _fault(what: str, fault: Exception) -> StoreFault:
    chain = (fault, fault.__cause__, fault.__context__)
    names = [type(each).__name__ for each in chain if each is not None]
    if any(name.startswith(REFUSED) for name in names):
        return StoreFault(
            f"{what}: no credentials were found. Set those of the store, for S3 "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            lasting=True,
        )
    if isinstance(fault, PermissionError):
        return StoreFault(
            f"{what}: the store refused the credentials ({_line(fault)}). They need the right to "
            "list, read, write and delete there",
            lasting=True,
        )
    if isinstance(fault, FileNotFoundError):
        return StoreFault(
            f"{what}: {_line(fault)}. Make the bucket or the folder first, or name another place",
            lasting=True,
        )
    if isinstance(fault, ValueError) or (
        isinstance(fault, OSError) and fault.errno in (errno.ENOSYS, errno.EPERM, errno.EROFS)
    ):
        return StoreFault(f"{what}: {_line(fault)}", lasting=True)
    return StoreFault(
        f"{what}: {type(fault).__name__}: {_line(fault)}. See that the store can be reached; the "
        "same command goes on"
    )


def _line(fault: Exception) -> str:
    return without_secret(" ".join(str(fault).split()))[:300].rstrip(".") or type(fault).__name__
