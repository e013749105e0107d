"""An agent and a simulator that end their process, in every way and at every place."""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from toys import GoodAgent, ToyAdapter, toy_task

from harness.core import Case, Suite, Task, TimeStep, Turn

WAYS = (
    "sys.exit", "os._exit", "cancelled", "generator_exit", "base_exception", "interrupt", "kill",
    "crash", "hang", "thread", "atexit", "fork", "signals",
)  # fmt: skip


class Odd(BaseException):
    """No Exception."""


def end(how: str) -> None:
    """End this process, or try to."""
    if how == "sys.exit":
        sys.exit(0)
    elif how == "os._exit":
        os._exit(0)
    elif how == "cancelled":
        raise asyncio.CancelledError
    elif how == "generator_exit":
        raise GeneratorExit
    elif how == "base_exception":
        raise Odd("no exception of the usual kind")
    elif how == "interrupt":
        raise KeyboardInterrupt
    elif how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "crash":
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGSEGV)
    elif how == "hang":
        time.sleep(3600)
    elif how == "thread":
        threading.Thread(target=lambda: (time.sleep(0.02), os._exit(0)), daemon=True).start()
        time.sleep(3600)
    elif how == "atexit":
        atexit.register(os._exit, 0)
    elif how == "fork":
        if os.fork():
            os._exit(0)
    elif how == "signals":
        for number in (signal.SIGALRM, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        os._exit(0)


class Ender(GoodAgent):
    """Ends its process at `where`: declares, init, act, end or close."""

    def __init__(self, where: str = "act", how: str = "os._exit") -> None:
        self.where, self.how = where, how
        self._at("init")

    def _at(self, place: str) -> None:
        if place == self.where:
            end(self.how)

    @classmethod
    def declares(cls, arguments: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
        if arguments.get("where") == "declares":
            end(str(arguments["how"]))
        return super().declares(arguments)

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        if any(turn.step == 2 for turn in turns):
            self._at("act")
        return super().act(turns)

    def end(self, episodes: Iterable[str]) -> None:
        self._at("end")

    def close(self) -> None:
        self._at("close")


class EndingAdapter(ToyAdapter):
    """Ends its process at `where` of its params: missing, init, reset, step or close."""

    patience_s = 1.0

    def __init__(self, task: Task) -> None:
        self.where, self.how = task.params["where"], task.params["how"]
        super().__init__(task)
        self._at("init")

    def _at(self, place: str) -> None:
        if place == self.where:
            end(self.how)

    @classmethod
    def missing(cls, task: Task | None = None) -> Any:
        if task is not None and task.params["where"] == "missing":
            end(task.params["how"])
        return super().missing(task)

    def reset(self, case: Case) -> TimeStep:
        self._at("reset")
        return super().reset(case)

    def step(self, action: Any) -> TimeStep:
        self._at("step")
        return super().step(action)

    def close(self) -> None:
        self._at("close")


TWO = Suite("two", "two toys", (toy_task("a"), toy_task("b")), 2)


def suite(where: str, how: str) -> Suite:
    """A suite of one task whose simulator ends its process."""
    task = toy_task("ending", adapter="enders:EndingAdapter", where=where, how=how)
    return Suite("ending", "a simulator that ends its process", (task,), 2)


for _where in ("missing", "init", "reset", "step", "close"):
    for _how in WAYS:
        _name = f"{_where}_{_how}".replace(".", "_")
        globals()[_name] = suite(_where, _how)
