"""The process that logs a run to one tracker: it reads the run directory, and nobody waits for it.

So a tracker that fails, hangs, fills the memory or dies changes no result and delays none. What
the tracker's package prints goes nowhere; this process prints one line when logging fails, or when
it is done. It is started by leaderboards/trackers/reporters.py, which writes lines of JSON to its
stdin: the run directory, and at last the end.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import select
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.core.text import for_terminal, shorten
from leaderboards.trackers.destination import TRACKERS, Destination
from leaderboards.trackers.following import Following
from leaderboards.trackers.parameters import parameters_of
from leaderboards.trackers.state import known_run, remember_run
from leaderboards.trackers.tracker import Tracker

__all__ = ["Reporter", "main"]

PAUSE_S = 2.0
"""Seconds between two looks at the run."""
LONGEST_PAUSE_S = 60.0
"""After a look that took long, or that failed, the next one comes later: up to this."""
SECRET = re.compile(r"(://)[^/@\s]+@")


class Reporter:
    """Logs one run to one tracker."""

    def __init__(self, destination: Destination, run: Path, say: Callable[[str], None]) -> None:
        """`say` prints a line for the user."""
        self._destination = destination
        self._run = run
        self._say = say
        self._following = Following(run)
        self._tracker: Tracker | None = None
        self._told = False
        self._logged = -1
        self.pause = PAUSE_S

    def look(self) -> None:
        """Log what is new, if anything is. A failure is told once, and tried again later."""
        begun = time.monotonic()
        more = self._following.look()
        if self._following.episodes in (0, self._logged):
            return
        worked = self._attempt(self._log)
        took = time.monotonic() - begun
        wanted = PAUSE_S if worked else 2 * self.pause
        self.pause = 0.0 if worked and more else min(LONGEST_PAUSE_S, max(wanted, 5 * took))

    def end(self) -> bool:
        """Log the report and the files of the run as it is now; returns whether that worked."""
        while self._following.look():
            pass
        return not self._following.episodes or self._attempt(self._finish)

    def _attempt(self, act: Callable[[], None]) -> bool:
        try:
            act()
        except Exception as fault:
            if not self._told:
                self._told = True
                self._say(
                    f"{self._destination.kind}: not logged: {reason(fault)}; no result depends on "
                    "it, and the same command logs it later"
                )
            return False
        return True

    def _begun(self) -> Tracker:
        """The tracker with its run begun: only once there is something to log."""
        if self._tracker is None:
            module, _, name = TRACKERS[self._destination.kind].partition(":")
            tracker: Tracker = getattr(importlib.import_module(module), name)(
                self._destination.place
            )
            known = known_run(self._run, self._destination)
            parameters = parameters_of(self._following.run)
            now = tracker.begin(self._run, parameters, known)
            if now != known:
                remember_run(self._run, self._destination, now)
            self._tracker = tracker
        return self._tracker

    def _log(self) -> None:
        tracker = self._begun()
        tracker.log(self._following.figures(), self._following.episodes)
        self._logged = self._following.episodes

    def _finish(self) -> None:
        from leaderboards.report import load_report, summary
        from leaderboards.trackers.artefacts import write_artefacts
        from leaderboards.trackers.figures import figures_of

        tracker = self._begun()
        report = load_report(self._run)
        episodes = self._following.episodes
        figures = {**figures_of(report), "episodes": float(episodes)}
        tracker.log(figures, episodes)
        with tempfile.TemporaryDirectory(prefix="bench-log-") as folder:
            write_artefacts(self._run, report, Path(folder))
            complete = bool(report.run["finished"])
            where = tracker.finish(Path(folder), summary(report), complete)
        self._say(f"logged to {self._destination.kind}: {where}")


def reason(fault: Exception) -> str:
    """Why logging failed, in one line, without a name or password of a URL."""
    told = " ".join(f"{type(fault).__name__}: {fault}".split())
    return shorten(SECRET.sub(r"\1***@", told), 300).rstrip(".")


class _Told:
    """The lines on stdin, without waiting longer than asked."""

    def __init__(self) -> None:
        self._rest = b""
        self._ended = False

    def next(self, seconds: float | None) -> Any:
        """The next line's value; None if none came in time, False at the end of all lines."""
        until = None if seconds is None else time.monotonic() + seconds
        while b"\n" not in self._rest and not self._ended:
            left = None if until is None else max(0.0, until - time.monotonic())
            if not select.select([0], [], [], left)[0]:
                return None
            read = os.read(0, 65536)
            self._rest += read
            self._ended = not read
        line, newline, self._rest = self._rest.partition(b"\n")
        return json.loads(line) if newline else False


def main(kind: str, place: str) -> int:
    """Log the run that stdin names until stdin says that it has ended. Returns an exit code."""
    spoken = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)

    def say(text: str) -> None:
        os.write(spoken, for_terminal(text, sys.stderr.encoding).encode() + b"\n")

    told = _Told()
    named = told.next(None)
    if not isinstance(named, str):  # the run never began
        return 0
    reporter = Reporter(Destination(kind, place), Path(named), say)
    while told.next(reporter.pause) is None:
        reporter.look()
    return 0 if reporter.end() else 1
