"""Agents and simulators that do what foreign code does to the process around it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from toys import GoodAgent, ToyAdapter

from harness.core import Case, TimeStep, Turn


class TakesTurns(GoodAgent):
    """Does something to the list of turns, and answers rightly."""

    kept: ClassVar[list[Any]] = []

    def __init__(self, how: str) -> None:
        self.how = how

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        given: Any = turns
        if "asked again" in self.how and len(given) > 1:
            given.clear()
            raise RuntimeError("one at a time, please")
        answers = list(super().act(turns))
        if self.how == "empties":
            given.clear()
        elif self.how == "empties, then raises":
            given.clear()
            raise RuntimeError("no more turns")
        elif self.how == "extends":
            given.extend(list(given))
        elif self.how == "reorders":
            given.reverse()
        elif self.how == "keeps":
            self.kept.append(given)
            for old in self.kept:
                old.clear()
        return answers


class Countless:
    """Answers that say that they are one for each turn, and never end."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        while True:
            yield 0


class AnswersForever(GoodAgent):
    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return Countless(len(turns))  # type: ignore[return-value]


class Swallows(GoodAgent):
    """Is sent `number` at its third step, swallows what that raises, and answers nonsense.

    `how`: "swallows", or "replaces": it has put handlers of its own in place of ours before.
    """

    def __init__(self, number: int = signal.SIGINT, how: str = "swallows") -> None:
        self.number, self.how = number, how

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        if turns[0].step == 2:
            if self.how == "replaces":
                signal.signal(self.number, signal.SIG_IGN)
                time.sleep(1.5)  # ours is back by then
            try:
                os.kill(os.getpid(), self.number)
                time.sleep(0.01)
            except BaseException:
                return [0 for _ in turns]
        return super().act(turns)


class TakesTheClock(GoodAgent):
    """Uses SIGALRM and its timer for itself, then hangs where the marker stands."""

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if any("hang" in turn.instruction for turn in turns):
            time.sleep(3600)
        return super().act(turns)


class Closes(GoodAgent):
    """`close` raises or hangs."""

    def __init__(self, how: str) -> None:
        self.how = how

    def close(self) -> None:
        if self.how == "hangs":
            time.sleep(3600)
        sys.exit("no thanks")


class ServedCloses(Closes):
    """Closes, one for all workers."""

    served = True


class ClosesToy(ToyAdapter):
    """A simulator whose `close` raises or hangs."""

    def reset(self, case: Case) -> TimeStep:
        self.how = case.task.params["how"]
        return super().reset(case)

    def close(self) -> None:
        if self.how == "hangs":
            time.sleep(3600)
        sys.exit("no thanks")


class Moves(GoodAgent):
    """Changes the working directory, in its constructor and at every step."""

    def __init__(self, where: str) -> None:
        self.where = where
        os.chdir(where)

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        os.chdir(self.where)
        return super().act(turns)


class MovesToy(ToyAdapter):
    """A simulator that changes the working directory."""

    def reset(self, case: Case) -> TimeStep:
        os.chdir("/")
        return super().reset(case)


class ClosesFiles(GoodAgent):
    """Closes files that are not its own after two episodes, and opens others in their place."""

    def __init__(self, victim: str, fill: bool = True) -> None:
        self.victim, self.fill, self.ended = victim, fill, 0

    def end(self, episodes: Iterable[str]) -> None:
        self.ended += 1
        if self.ended == 2:
            for number in range(3, 256):
                try:
                    name = os.readlink(f"/proc/self/fd/{number}")
                except OSError:
                    continue
                if name.endswith(self.victim):
                    os.close(number)
                    if self.fill:
                        other = os.open("mine.txt", os.O_RDWR | os.O_CREAT)
                        os.dup2(other, number)


class Removes(GoodAgent):
    """Renames or removes the run directory at a step of its last episode."""

    def __init__(self, run: str, how: str, after: int = 2) -> None:
        self.run, self.how, self.after, self.ended = Path(run), how, after, 0

    def end(self, episodes: Iterable[str]) -> None:
        self.ended += 1
        if self.ended != self.after:
            return
        if self.how == "removes":
            shutil.rmtree(self.run)
        else:
            self.run.rename(self.run.with_name("elsewhere"))
        if self.how == "replaces":
            shutil.copytree(self.run.with_name("elsewhere"), self.run)


class ForksHelper(GoodAgent):
    """Forks a helper that outlives the run; its process id goes to the file `note`."""

    def __init__(self, note: str) -> None:
        helper = os.fork()
        if helper == 0:
            time.sleep(60)
            os._exit(0)
        Path(note).write_text(str(helper))


class Writes(GoodAgent):
    """Writes a file for each episode into the folder `log`; is interrupted once, at `most`."""

    def __init__(self, log: str, weights: str = "", most: int = 100) -> None:
        self.log, self.most = Path(log), most
        self.log.mkdir(exist_ok=True)

    def end(self, episodes: Iterable[str]) -> None:
        for episode in episodes:
            (self.log / episode).write_text("an episode")
        if len(list(self.log.iterdir())) == self.most and not Path("stopped").exists():
            Path("stopped").touch()
            raise KeyboardInterrupt


class DeclaresOutputs(Writes):
    """Says so."""

    outputs = ("log",)


class Litters(ToyAdapter):
    """Leaves a folder among the temporary files, and reads what is typed."""

    def reset(self, case: Case) -> TimeStep:
        tempfile.mkdtemp(prefix="litter-")
        if sys.stdin.read():
            raise RuntimeError("somebody answers")
        return super().reset(case)
