"""Processes of one machine that do one piece of work together, such as learning one model.

`run_together` starts them as actors of a Ray of their own, and gives them a path by which they can
meet; how they talk to each other then is up to them.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ray

from harness.play.ray_cluster import started

__all__ = ["Work", "run_together"]

Work = Callable[[int, int, Path, Callable[[str], None]], None]
"""(number of the process, how many there are, a path that does not exist yet, whom to tell)."""
LOOK_S = 5.0
"""Seconds between two looks at what the first process says."""


def run_together(work: Work, count: int, gpus: bool, say: Callable[[str], None]) -> None:
    """Run `work` in `count` processes, each with a GPU of its own if `gpus`.

    What the first one says is passed on. Raises what a process raised: the first fault ends all.
    """
    with started(count, say), tempfile.TemporaryDirectory() as folder:
        actor: Any = ray.remote(num_cpus=1, num_gpus=int(gpus), max_concurrency=2)(_Member)
        members = [
            actor.remote(number, count, Path(folder) / "meeting", sys.path)
            for number in range(count)
        ]
        running = [member.run.remote(work) for member in members]
        while running:
            ended, running = ray.wait(running, timeout=LOOK_S)
            for line in ray.get(members[0].lines.remote()):
                say(line)
            try:
                ray.get(ended)
            except ray.exceptions.RayTaskError as fault:
                raise fault.as_instanceof_cause() from None


class _Member:
    """One process: two threads, of which the second answers what the first has said."""

    def __init__(self, number: int, count: int, meeting: Path, path: Sequence[str]) -> None:
        sys.path += [each for each in path if each not in sys.path]
        self._place, self._lines = (number, count, meeting), list[str]()

    def run(self, work: Work) -> None:
        """Do the work."""
        work(*self._place, self._lines.append)

    def lines(self) -> list[str]:
        """What was said since this was asked last."""
        found = self._lines.copy()
        del self._lines[: len(found)]
        return found
