"""Progress of a run, on stderr: a live bar in a terminal, elsewhere a plain line now and then."""

from __future__ import annotations

import sys
import time
from typing import Protocol

from harness.core.grammar import counted
from harness.core.text import for_terminal

__all__ = ["LiveProgress", "PlainProgress", "SilentProgress", "Progress", "Tally", "progress_for"]

PLAIN_S = 15.0
"""Seconds between two plain lines."""


class Tally:
    """The counts so far: `done` of `total` cases have a score or were given up."""

    def __init__(self, total: int, done: int, successes: int, agent_errors: int) -> None:
        """`done`, `successes` and `agent_errors` are those of earlier calls."""
        self.total = total
        self.already = done
        self.done = done
        self.successes = successes
        self.agent_errors = agent_errors
        self.errors = 0
        self.begun = time.monotonic()

    def rate(self) -> float:
        """Episodes per second since this call began."""
        return (self.done - self.already) / max(1e-6, time.monotonic() - self.begun)

    def as_text(self) -> str:
        """`12/340 episodes  3.1/s  about 0:01:46 left  11 successes  0 errors`."""
        parts = [f"{self.done}/{counted(self.total, 'episode')}"]
        if self.done > self.already:
            left = int((self.total - self.done) / max(1e-6, self.rate()))
            parts.append(f"{self.rate():.1f}/s")
            parts.append(f"about {left // 3600}:{left // 60 % 60:02}:{left % 60:02} left")
        parts.append(counted(self.successes, "success"))
        if self.agent_errors:
            parts.append(counted(self.agent_errors, "agent error"))
        parts.append(counted(self.errors, "error"))
        return "  ".join(parts)


class Progress(Protocol):
    """Shows the user how a run is going."""

    def update(self, tally: Tally) -> None:
        """Called when the counts change."""
        ...

    def say(self, text: str) -> None:
        """Show a message of one line now; a stranger's text in it is made printable."""
        ...

    def close(self, tally: Tally) -> None:
        """Called when playing ends."""
        ...


class SilentProgress:
    """Shows nothing."""

    def update(self, tally: Tally) -> None:
        pass

    def say(self, text: str) -> None:
        pass

    def close(self, tally: Tally) -> None:
        pass


class PlainProgress:
    """Prints a line every 15 seconds, for logs."""

    def __init__(self) -> None:
        self._next = time.monotonic() + PLAIN_S

    def update(self, tally: Tally) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + PLAIN_S
            print(tally.as_text(), file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        print(for_terminal(text, sys.stderr.encoding), file=sys.stderr, flush=True)

    def close(self, tally: Tally) -> None:
        print(tally.as_text(), file=sys.stderr, flush=True)


class LiveProgress:
    """A bar that moves, drawn by rich."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("playing"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[counts]}"),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("", total=1, counts="starting")
        self._bar.start()
        self._last = 0.0

    def update(self, tally: Tally) -> None:
        # At most twenty times a second: drawing takes longer than a short episode.
        now = time.monotonic()
        if now - self._last > 0.05:
            self._last = now
            self._bar.update(
                self._task,
                total=max(1, tally.total),
                completed=tally.done,
                counts=tally.as_text(),
            )

    def say(self, text: str) -> None:
        from rich.text import Text

        self._bar.console.print(
            Text(for_terminal(text, sys.stderr.encoding))
        )  # as it is: no markup, no emoji

    def close(self, tally: Tally) -> None:
        self._bar.stop()
        print(tally.as_text(), file=sys.stderr, flush=True)


def progress_for(stream: object = None) -> Progress:
    """Live progress if `stream` (default: stderr) is a terminal, plain progress otherwise."""
    return (
        LiveProgress()
        if getattr(stream or sys.stderr, "isatty", lambda: False)()
        else PlainProgress()
    )
