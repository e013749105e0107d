"""Starts a process for each tracker before a run, and waits for it after the run.

The processes are children of the process that speaks to the user, not of the one that plays: what
an agent or a simulator does to its process does not reach them, and what a tracker does reaches
neither. They learn of a run from its files alone (docs/decisions/046-trackers.md).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from leaderboards.trackers.destination import Destination

__all__ = ["Reporters", "reporting"]

LAST_S = 120.0
"""How long the last upload may take."""
LAST_INTERRUPTED_S = 15.0
"""The same, after Ctrl-C."""
BOOTSTRAP = """
import sys
sys.path[:] = [each for each in sys.path if each] + [{root!r}]
from leaderboards.trackers.reporter import main
raise SystemExit(main({kind!r}, {place!r}))
"""
"""No module of the working directory, which may be a stranger's, hides one of these."""


class Reporters:
    """The processes that log one run."""

    def __init__(self, destinations: Sequence[Destination], say: Callable[[str], None]) -> None:
        """`say` prints a line for the user."""
        self._say = say
        self._processes = [(each.kind, _start(each)) for each in destinations]

    def opened(self, path: Path) -> None:
        """Tell them the run directory. May be called in a child process that plays."""
        self._tell(os.path.abspath(path))

    def _tell(self, told: str | bool) -> None:
        for _, process in self._processes:
            with contextlib.suppress(OSError):  # it has ended; `end` tells the user
                assert process.stdin is not None
                os.write(process.stdin.fileno(), json.dumps(told).encode() + b"\n")

    def end(self, seconds: float = LAST_S) -> None:
        """Let them log the run as it is now, and wait until they have, or for so long."""
        self._tell(True)
        for kind, process in self._processes:
            try:
                code = process.wait(seconds)
                if code not in (0, 1):  # on 1 it has said why
                    self._say(f"{kind}: not logged: the process that logs ended ({code})")
            except subprocess.TimeoutExpired:
                self._say(
                    f"{kind}: not logged: it took longer than {seconds:.0f} s; the same command "
                    "logs it later"
                )
            except KeyboardInterrupt:
                self._say(f"{kind}: not logged: interrupted; the same command logs it later")
                raise
            finally:
                _kill(process)


@contextlib.contextmanager
def reporting(
    destinations: Sequence[Destination], say: Callable[[str], None]
) -> Iterator[Reporters]:
    """The processes of a run. If the block raises, they have little time to log what there is."""
    found = Reporters(destinations, say)
    try:
        yield found
    except BaseException:
        found.end(LAST_INTERRUPTED_S)
        raise
    found.end()


def _start(destination: Destination) -> subprocess.Popen[bytes]:
    root = str(Path(__file__).parents[2])
    code = BOOTSTRAP.format(root=root, kind=destination.kind, place=destination.place)
    # A session of its own: Ctrl-C in the terminal is for the run.
    return subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, start_new_session=True
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End it and all that it has started, if it has not ended by itself."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
