"""Toys and agents that wait for one another, so that a run ends only if nobody waits for them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import toys

from harness.core import Case, TimeStep

LONGEST_S = 40.0


def wait_for(folder: Path, pattern: str, count: int) -> None:
    """Wait until so many files are there. Raises AssertionError after LONGEST_S seconds."""
    until = time.monotonic() + LONGEST_S
    while len(list(folder.glob(pattern))) < count:
        assert time.monotonic() < until, f"{count} {pattern} never came"
        time.sleep(0.005)


def first(path: Path) -> bool:
    """Whether this is the first call for this path, in any process."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


class OneIsLong(toys.ToyAdapter):
    """The episode that begins after `after` others goes on until `others` have begun."""

    patience_s = 2 * LONGEST_S

    def reset(self, case: Case) -> TimeStep:
        folder = Path(case.task.params["folder"])
        if len(list(folder.glob("begun-*"))) >= case.task.params["after"] and first(
            folder / "long"
        ):
            wait_for(folder, "begun-*", case.task.params["others"])
        else:
            (folder / f"begun-{case.seed}-{os.getpid()}").touch()
        return super().reset(case)


class NeedsTwo(toys.ToyAdapter):
    """No episode begins before two processes play."""

    patience_s = 2 * LONGEST_S

    def reset(self, case: Case) -> TimeStep:
        folder = Path(case.task.params["folder"])
        (folder / f"plays-{os.getpid()}").touch()
        wait_for(folder, "plays-*", 2)
        return super().reset(case)


class SecondStartsLate(toys.RandomAgent):
    """All but the first instance are ready when `others` episodes have begun."""

    def __init__(self, folder: str, others: int) -> None:
        if not first(Path(folder) / "first"):
            wait_for(Path(folder), "begun-*", others)
        super().__init__()
