"""Served agents that tell which of their replicas answered, die or are slow: for tests of those."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toys import GoodAgent, ToyAdapter

from harness.core import Missing, Task, Turn


class Telling(GoodAgent):
    """Writes the process and the size of every batch to the file `counts`."""

    served = True

    def __init__(self, counts: str) -> None:
        self.counts = counts
        with Path(counts + ".born").open("a") as born:
            born.write(f"{os.getpid()}\n")

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        with Path(self.counts).open("a") as lines:
            lines.write(f"{os.getpid()} {len(turns)}\n")
        return super().act(turns)

    def first(self) -> bool:
        """Whether this replica was the first to be built."""
        return int(Path(self.counts + ".born").read_text().split()[0]) == os.getpid()


class Waiting(Telling):
    """Takes 20 ms for a batch; the replica that was built first takes `slow` seconds."""

    def __init__(self, counts: str, slow: float = 0.02) -> None:
        super().__init__(counts)
        self.slow = slow

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        time.sleep(self.slow if self.first() else 0.02)
        return super().act(turns)


class DiesOnce(Waiting):
    """The replica that was built first kills itself at its first batch."""

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        if self.first():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().act(turns)


class DiesOf(Telling):
    """Kills itself whenever an instruction holds the marker."""

    def __init__(self, counts: str, marker: str = "deadly") -> None:
        super().__init__(counts)
        self.marker = marker

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        if any(self.marker in turn.instruction for turn in turns):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().act(turns)


class HangsOf(DiesOf):
    """Never returns when an instruction holds the marker."""

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        if any(self.marker in turn.instruction for turn in turns):
            time.sleep(10_000)
        return super().act(turns)


class Frozen(Waiting):
    """The replica that was built first stops its process, with all threads, at its first batch."""

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        if self.first():
            os.kill(os.getpid(), signal.SIGSTOP)
        return super().act(turns)


class FreezesOf(DiesOf):
    """Holds the interpreter for ever whenever an instruction holds the marker."""

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        if any(self.marker in turn.instruction for turn in turns):
            ctypes.PyDLL(None).sleep(10_000)
        return super().act(turns)


class Sleepy(GoodAgent):
    """Takes 0.1 s for an answer."""

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        time.sleep(0.1)
        return super().act(turns)


class Half(Telling):
    """Two of them share a GPU."""

    gpus = 0.5


class MissingInOne(ToyAdapter):
    """Is missing in the process that built it first, as on a machine without the simulator."""

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        lacks = Path(task.params["lacks"]) if task is not None and "lacks" in task.params else None
        if lacks is not None and lacks.exists() and lacks.read_text() == str(os.getpid()):
            return Missing("there is no toy box here", "buy one")
        return None

    def __init__(self, task: Task) -> None:
        if "lacks" in task.params:
            with contextlib.suppress(FileExistsError), open(task.params["lacks"], "x") as file:
                file.write(str(os.getpid()))
        if self.missing(task) is not None:
            raise ModuleNotFoundError("No module named 'toybox'")
        super().__init__(task)


class Drawn(ToyAdapter):
    """A simulator of which four share a GPU."""

    gpus = 0.25


class Marking(ToyAdapter):
    """Makes the file of its task's `marks` when it is built."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        if "marks" in task.params:
            Path(task.params["marks"]).touch()


class Loading(GoodAgent):
    """Is built as soon as there is such a file."""

    served = True

    def __init__(self, marks: str) -> None:
        until = time.monotonic() + 60
        while not Path(marks).exists():
            if time.monotonic() > until:
                raise TimeoutError("no environment was built while the agent was")
            time.sleep(0.01)


class DiesBuilt(GoodAgent):
    """Its process ends while it is built."""

    served = True

    def __init__(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)
