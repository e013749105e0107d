"""Agents whose server cannot be asked, as long as a file does not say that it can."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toys import GoodAgent

from harness.core import AgentUnavailable, Turn


class Silent(GoodAgent):
    """Cannot be asked in cases whose instruction holds `words`; `calls` notes each attempt.

    With `times` it can be asked after so many attempts.
    """

    outputs = ("calls",)

    def __init__(self, calls: str, words: str = "", times: int = 10**9) -> None:
        self._calls, self._words, self._times = Path(calls), words, times

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        if any(self._words in turn.instruction for turn in turns):
            with self._calls.open("a") as file:
                file.write(f"{len(turns)}\n")
            if len(self._calls.read_text().splitlines()) <= self._times:
                raise AgentUnavailable("ws://nowhere:1 does not answer")
        return super().act(turns)


class ServedSilent(Silent):
    served = True


class SilentAtEnd(GoodAgent):
    """Its server is gone when the first episode ends."""

    def __init__(self) -> None:
        self._told = threading.Event()

    def end(self, episodes: Any) -> None:
        if not self._told.is_set():
            self._told.set()
            raise AgentUnavailable("the server went away")
