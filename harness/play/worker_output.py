"""What foreign code prints in a worker, and what our own log says there.

What is printed goes to a file of the run directory, which is bounded; never into a table or JSON.
Warnings of the logger `bench` go to the driver, which shows them. Independent of Ray.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from harness.core.text import shorten

__all__ = ["Notices", "bound_files", "keep_output", "tidy"]

MOST_BYTES = 10_000_000
"""The most that is kept of what one worker prints, over all calls of a run."""
FULL = b"\n(no more is kept of what this worker prints)\n"
LOOK_S = 0.25
_kept_in = -1
"""The file that this process prints to now."""
MOST_NOTICES = 100
LONGEST_NOTICE = 500


def keep_output(folder: Path, name: str) -> None:
    """From now on, what this process writes to stdout and stderr is appended to FOLDER/NAME.txt.

    That holds for native code and for the processes that this one starts, too. Nothing happens on
    a machine without the run directory, the parent of `folder`.
    """
    if not folder.parent.is_dir():
        return
    try:
        folder.mkdir(exist_ok=True)
        how = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        file = os.open(folder / f"{name}.txt", how, 0o666)
    except OSError:
        return
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        return
    global _kept_in
    _kept_in = file
    _send_to(file)
    threading.Thread(target=_bound, args=(file,), name="output", daemon=True).start()


def _send_to(file: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.dup2(file, 1)
    os.dup2(file, 2)


def _bound(file: int) -> None:
    """Stop keeping once there is too much. Its file may be cut by `bound_files` as well."""
    wait = threading.Event()
    while os.fstat(file).st_size < MOST_BYTES:
        wait.wait(LOOK_S)
        if _kept_in != file:  # a worker of a pool that plays for the next run
            os.close(file)
            return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    _send_to(nowhere)
    _cut(file)


def _cut(file: int) -> None:
    if os.fstat(file).st_size > MOST_BYTES:
        os.ftruncate(file, MOST_BYTES - len(FULL))
        os.write(file, FULL)


def bound_files(folder: Path) -> None:
    """Cut the files of `folder` that have grown too large.

    The driver does this too: a worker cannot while native code holds its interpreter.
    """
    for path in folder.glob("*.txt"):
        try:
            if path.lstat().st_size > MOST_BYTES:
                file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK)
                try:
                    _cut(file)
                finally:
                    os.close(file)
        except OSError:
            continue


def tidy(folder: Path) -> None:
    """Remove the files into which nothing was printed, and `folder` if it is empty then."""
    for path in folder.glob("*.txt"):
        if path.lstat().st_size == 0:
            path.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


class Notices(logging.Handler):
    """Collects the warnings of the logger `bench`, each text once, until they are taken.

    They are printed as well, as they are in a process of its own.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._seen: set[str] = set()
        self._new: list[str] = []

    def install(self) -> Notices:
        """Begin to listen."""
        log = logging.getLogger("bench")
        log.addHandler(self)
        log.addHandler(logging.StreamHandler())
        return self

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.add([record.getMessage()])
        except Exception:  # a foreign format string
            self.handleError(record)

    def add(self, texts: Iterable[str]) -> None:
        """Take these, unless they were there before or there were too many already."""
        for text in texts:
            short = shorten(text, LONGEST_NOTICE)
            if short not in self._seen and len(self._seen) < MOST_NOTICES:
                self._seen.add(short)
                self._new.append(short)

    def take(self) -> list[str]:
        """Those that came since the last call."""
        # One assignment: records come from other threads.
        new, self._new = self._new, []
        return new
