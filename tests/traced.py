"""Coverage traces a test only while that finds something.

Tracing makes Python half as fast, and a test that takes long repeats lines: more episodes, more
examples, more draws. So tracing pauses when QUIET_S seconds of processor time have added no line,
until the next setup or call of a test, or the next module of ours that is imported. What coverage
reports is therefore a lower bound of what the tests execute.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

__all__ = ["traced"]

QUIET_S = 0.2
OURS = ("harness", "leaderboards")

_coverage = sys.modules.get("coverage")
_collector: Any = getattr(_coverage and _coverage.Coverage.current(), "_collector", None)
"""Of the coverage that measures these tests; None: nobody does."""
_paused = False
_found = 0


def _lines() -> int:
    return sum(map(len, list(_collector.data.values())))


def _look(number: int, frame: object) -> None:
    """Pause unless lines were added since the last look."""
    global _paused, _found
    before, _found = _found, _lines()
    if _found == before and not _paused:
        _paused = True
        _collector.stop()
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _go_on() -> None:
    global _paused, _found
    if _paused:
        _paused = False
        _collector.start()
    _found = _lines()
    signal.setitimer(signal.ITIMER_VIRTUAL, QUIET_S, QUIET_S)


class _Imports:
    """Finds no module, but learns which are looked for."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if (
            _paused
            and name.partition(".")[0] in OURS
            and threading.current_thread() is threading.main_thread()
        ):
            _go_on()


if _collector is not None:
    signal.signal(signal.SIGVTALRM, _look)
    signal.siginterrupt(signal.SIGVTALRM, False)
    sys.meta_path.insert(0, _Imports)  # type: ignore[arg-type]


@contextlib.contextmanager
def traced() -> Iterator[None]:
    """Trace the beginning of what is done in this context, at least."""
    if _collector is None:
        yield
        return
    _go_on()
    try:
        yield
    finally:
        _go_on()
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
