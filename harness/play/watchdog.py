"""What this process keeps hold of while foreign code runs in its main thread.

Two things must work whatever that code does: a call that does not return is ended by its deadline,
and Ctrl-C ends the run. Python code may swallow the exceptions that stand for both, and replace
signal handlers and timers that it shares with us. So Ctrl-C is also noted in the coordinator, where
no `except` reaches it, and a thread looks after deadlines and handlers by a signal of its own.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

from harness.play.inference import Hung, Watch

__all__ = ["Interrupts", "Watchdog"]

TICK_S = 0.5
"""Seconds between two looks at the deadline and at the handlers."""
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


# That of `signal` tries each handler as a constant first, which raises: 6 us for each handler after
# every episode.
_handler: Callable[[int], Any] = _signal.getsignal


def _own_signal() -> int:
    """A signal that foreign code has no use for; SIGALRM and its timer belong to that code."""
    return signal.SIGRTMIN + 9 if hasattr(signal, "SIGRTMIN") else signal.SIGALRM


class Interruptible(Protocol):
    """What a run is stopped by; a Coordinator."""

    interrupted: bool


class Interrupts:
    """While the block runs, a KeyboardInterrupt that a signal raises is noted in `run` as well.

    Handlers stay what they are otherwise. A second signal raises again. Only in the main thread,
    which alone receives signals; elsewhere nothing happens.
    """

    def __init__(self, run: Interruptible) -> None:
        self._run = run
        self._before: dict[int, Any] = {}
        self._ours: dict[int, Callable[[int, FrameType | None], None]] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in ENDING:
                before = signal.getsignal(number)
                if callable(before):  # neither ignored nor left to the system
                    self._before[number] = before
                    self._ours[number] = self._noting(before)
            self.rearm()
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _noting(self, before: Callable[..., Any]) -> Callable[[int, FrameType | None], None]:
        def handler(number: int, frame: FrameType | None) -> None:
            try:
                before(number, frame)
            except KeyboardInterrupt:
                self._run.interrupted = True
                raise

        return handler

    def displaced(self) -> bool:
        """Whether foreign code has put a handler of its own in the place of one of these."""
        return any(_handler(number) is not ours for number, ours in self._ours.items())

    def rearm(self) -> None:
        """Put the handlers back. Only the main thread can."""
        for number, ours in self._ours.items():
            if _handler(number) is not ours:
                signal.signal(number, ours)


class Watchdog:
    """While the block runs, raises Hung into a call that is past its deadline.

    A thread sends a signal, and only the main thread receives signals: in other threads there is no
    watchdog. Native code that never returns to the interpreter is not interrupted either.
    """

    def __init__(self, watch: Watch, interrupts: Interrupts) -> None:
        self._watch = watch
        self._interrupts = interrupts
        self._number = _own_signal()
        self._before: Any = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._main = threading.get_ident()

    def __enter__(self) -> Watchdog:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(self._number, self._tick)
            self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._ended.set()
            self._thread.join()
            signal.signal(self._number, self._before)

    def _look(self) -> None:
        while not self._ended.wait(TICK_S):
            if self._watch.overdue() or self._interrupts.displaced():
                signal.pthread_kill(self._main, self._number)

    def _tick(self, number: int, frame: FrameType | None) -> None:
        self._interrupts.rearm()
        if self._watch.overdue():
            self._watch.deadline = 0.0
            raise Hung

    def rearm(self) -> None:
        """Put back what foreign code has displaced. Called after every episode."""
        self._interrupts.rearm()
        if self._thread is not None and _handler(self._number) != self._tick:
            signal.signal(self._number, self._tick)
