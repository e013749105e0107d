"""What says that a pool of workers is there, and whether a run may play on it. Independent of Ray.

A pool is a Ray on this machine that stays between runs (ray_pool.py). Its record holds the token,
so it lies in a folder that only this user may enter. Two locks say what is alive: the pool holds
one as long as it lives, and a run holds the other while it plays on the pool.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.core import UserError
from harness.play.ray_processes import variables
from harness.records.safe_json import parse
from harness.records.typed import Check, fields_of, number, table_of, text, whole

__all__ = ["PoolRecord", "Surroundings", "folder", "held", "in_use", "read", "write"]

RECORD, ALIVE, USED = "pool.json", "alive.lock", "used.lock"
MOST_BYTES = 1 << 20
TRIES, PAUSE_S = 20, 0.05
"""The pool looks once a second, for a moment, whether a run holds its lock."""
ROOT = Path(__file__).resolve().parents[2]
OURS = ("harness", "suites", "adapters", "baselines", "leaderboards")
OF_A_TERMINAL = (
    "_", "OLDPWD", "PWD", "SHLVL", "TERM", "COLORTERM", "COLUMNS", "LINES", "LS_COLORS", "TMPDIR",
    "TMUX", "TMUX_PANE", "STY", "WINDOWID", "PS1", "GPG_TTY",
)  # fmt: skip
"""Environment variables in which two terminals of a user differ, and no simulator does."""
OF_TERMINALS = ("SSH_", "XDG_SESSION", "XDG_RUNTIME_DIR", "TERM_", "VTE_", "RAY_", "BENCH_RAY")
"""Beginnings of names of others of that kind."""


@dataclass(frozen=True)
class Surroundings:
    """All that a worker inherits from where it was started, and that may decide a result."""

    python: str
    versions: str
    """Of Python, Ray and bench."""
    code: str
    """A hash of the sources of bench."""
    folder: str
    """The working folder: a user's modules and relative paths begin there."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Name -> a hash of the value."""

    @classmethod
    def here(cls) -> Surroundings:
        """Those of this process."""
        values = {**os.environ, **variables()}
        try:
            here = os.getcwd()
        except OSError:  # it was removed
            here = ""
        return cls(
            sys.executable,
            f"Python {platform.python_version()}, Ray {importlib.metadata.version('ray')}, "
            f"bench {importlib.metadata.version('generalist-bench')}",
            _code(),
            here,
            {
                name: _hash(value.encode(errors="surrogateescape"))
                for name, value in sorted(values.items())
                if name not in OF_A_TERMINAL and not name.startswith(OF_TERMINALS)
            },
        )

    def difference(self, other: Surroundings) -> str | None:
        """What the `other` ones, those of a run, have that these have not, in a few words."""
        if (self.python, self.versions) != (other.python, other.versions):
            return f"it runs on {self.python} ({self.versions})"
        if self.code != other.code:
            return "the code of bench has changed since it was started"
        if self.folder != other.folder:
            return f"it was started in {self.folder}"
        names = sorted({*self.variables.items()} ^ {*other.variables.items()})
        if names:
            shown = ", ".join(list(dict.fromkeys(name for name, _ in names))[:3])
            return f"environment variables differ, such as {shown}"
        return None


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()


@functools.cache
def _code() -> str:
    """A hash of our own sources as they are now."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(path for name in OURS for path in (ROOT / name).rglob("*.py")):
        digest.update(f"{path.relative_to(ROOT)} {_hash(path.read_bytes())}\n".encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class PoolRecord:
    """What the pool says of itself."""

    pid: int
    address: str
    """HOST:PORT of its Ray."""
    token: str
    workers: int
    began: float
    """In seconds since 1970."""
    idle_s: float
    """It ends when no run has used it for that long."""
    surroundings: Surroundings


_SURROUNDINGS: Mapping[str, Check] = {
    "python": text,
    "versions": text,
    "code": text,
    "folder": text,
    "variables": table_of(text, 100_000),
}
_FIELDS: Mapping[str, Check] = {
    "pid": whole(2, 1 << 31),
    "address": text,
    "token": text,
    "workers": whole(1, 1_000_000),
    "began": number,
    "idle_s": number,
    "surroundings": lambda value, place: Surroundings(**fields_of(value, place, _SURROUNDINGS)),
}


def folder() -> Path:
    """The folder of this user's pool on this machine; it may not be there.

    A home folder may be that of several machines.
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "generalist-bench" / f"pool-{platform.node() or 'here'}"


def write(record: PoolRecord) -> None:
    """Make the record known. The folder is there, and the caller holds ALIVE."""
    path = folder() / RECORD
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(dataclasses.asdict(record), file)


def read() -> PoolRecord | None:
    """The pool that is alive; None if there is none. Raises UserError on a record of others."""
    place = folder()
    if not place.is_dir() or not _locked(place / ALIVE):
        return None
    _check_private(place)
    try:
        handle = os.open(place / RECORD, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None  # it begins, or ends
    except OSError as fault:
        raise UserError(f"{place / RECORD} cannot be read ({fault.strerror}): remove it") from None
    with os.fdopen(handle, "rb") as file:
        _check_private(place / RECORD, os.fstat(handle))
        content = file.read(MOST_BYTES)
    try:
        return PoolRecord(**fields_of(parse(content), "", _FIELDS))
    except ValueError:
        raise UserError(f"{place / RECORD} is no record of a pool: remove {place}") from None


def _check_private(path: Path, found: os.stat_result | None = None) -> None:
    found = found or path.lstat()
    if found.st_uid != os.getuid() or found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UserError(f"{path} is not this user's alone: remove it, and start the pool again")


def _locked(path: Path) -> bool:
    """Whether another process holds this lock."""
    try:
        with path.open("r+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def in_use() -> bool:
    """Whether a run plays on the pool."""
    return _locked(folder() / USED)


@contextlib.contextmanager
def held(name: str) -> Iterator[bool]:
    """Hold the lock ALIVE or USED while the block runs; False if another process holds it.

    The process must not open that file otherwise meanwhile: that would give the lock up.
    """
    place = folder()
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_private(place)
    with (place / name).open("a+") as file:
        for _ in range(TRIES):
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                time.sleep(PAUSE_S)
            else:
                break
        else:
            yield False
            return
        yield True
