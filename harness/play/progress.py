"""What a person sees while a run goes on: a live line in a terminal, a plain line now and then elsewhere. Everything goes to stderr."""

from __future__ import annotations

import sys
import time
from typing import Protocol

__all__ = ["LiveProgress", "PlainProgress", "SilentProgress", "Progress", "Tally", "progress_for"]

PLAIN_SECONDS = 15.0


class Tally:
    """The counts so far: `done` of `total` cases have a score or are given up."""

    def __init__(self, total: int, done: int, successes: int, agent_errors: int) -> None:
        self.total = total
        self.already = done
        self.done = done
        self.successes = successes
        self.agent_errors = agent_errors
        self.errors = 0
        self.begun = time.monotonic()

    def rate(self) -> float:
        """Episodes a second in this sitting."""
        return (self.done - self.already) / max(1e-6, time.monotonic() - self.begun)

    def words(self) -> str:
        """`12/340 episodes  3.1/s  about 0:01:46 left  11 successes  0 errors`."""
        parts = [f"{self.done}/{self.total} episodes"]
        if self.done > self.already:
            left = int((self.total - self.done) / max(1e-6, self.rate()))
            parts.append(f"{self.rate():.1f}/s")
            parts.append(f"about {left // 3600}:{left // 60 % 60:02}:{left % 60:02} left")
        parts.append(f"{self.successes} successes")
        if self.agent_errors:
            parts.append(f"{self.agent_errors} agent errors")
        parts.append(f"{self.errors} errors")
        return "  ".join(parts)


class Progress(Protocol):
    """Told of every change."""

    def update(self, tally: Tally) -> None:
        """The counts changed."""
        ...

    def say(self, text: str) -> None:
        """Something happened that a person wants to know now."""
        ...

    def close(self, tally: Tally) -> None:
        """The sitting is over."""
        ...


class SilentProgress:
    """Says nothing."""

    def update(self, tally: Tally) -> None:
        """Ignore it."""

    def say(self, text: str) -> None:
        """Ignore it."""

    def close(self, tally: Tally) -> None:
        """Ignore it."""


class PlainProgress:
    """A line every 15 seconds, for logs."""

    def __init__(self) -> None:
        self._next = time.monotonic() + PLAIN_SECONDS

    def update(self, tally: Tally) -> None:
        """Print the counts if the last line is old enough."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + PLAIN_SECONDS
            print(tally.words(), file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """Print it."""
        print(text, file=sys.stderr, flush=True)

    def close(self, tally: Tally) -> None:
        """Print the last counts."""
        print(tally.words(), file=sys.stderr, flush=True)


class LiveProgress:
    """A bar that moves, by rich."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("playing"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[words]}"),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("", total=1, words="starting")
        self._bar.start()
        self._last = 0.0

    def update(self, tally: Tally) -> None:
        """Move the bar, at most twenty times a second."""
        now = time.monotonic()
        if now - self._last > 0.05:
            self._last = now
            self._bar.update(
                self._task, total=max(1, tally.total), completed=tally.done, words=tally.words()
            )

    def say(self, text: str) -> None:
        """Print it above the bar."""
        self._bar.console.print(text, markup=False, highlight=False)

    def close(self, tally: Tally) -> None:
        """Take the bar away and leave the last counts."""
        self._bar.stop()
        print(tally.words(), file=sys.stderr, flush=True)


def progress_for(stream: object = None) -> Progress:
    """Live in a terminal, plain elsewhere."""
    return (
        LiveProgress()
        if getattr(stream or sys.stderr, "isatty", lambda: False)()
        else PlainProgress()
    )
