"""Agents of the toys that fail: they raise, exit, sleep, answer nonsense or end badly."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from toys import GoodAgent

from harness.core import Box, Turn


class RaiseOn(GoodAgent):
    """Raises when an instruction holds the marker."""

    def __init__(self, marker: str = "raise") -> None:
        self.marker = marker

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        if any(self.marker in turn.instruction for turn in turns):
            raise RuntimeError(f"this agent cannot read {self.marker!r}")
        return super().act(turns)


class SleepOn(GoodAgent):
    """Sleeps when an instruction holds the marker."""

    def __init__(self, marker: str = "sleep", seconds: float = 3600.0) -> None:
        self.marker, self.seconds = marker, seconds

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        if any(self.marker in turn.instruction for turn in turns):
            time.sleep(self.seconds)
        return super().act(turns)


class NaNAgent(GoodAgent):
    """Answers NaN, or a choice that does not exist, when an instruction holds the marker.

    An empty marker stands in every instruction.
    """

    def __init__(self, marker: str = "") -> None:
        self.marker = marker

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return [
            self._bad(turn) if self.marker in turn.instruction else good
            for turn, good in zip(turns, super().act(turns))
        ]

    @staticmethod
    def _bad(turn: Turn) -> Any:
        return (
            np.full(turn.brief.action.shape, np.nan, np.float32)
            if isinstance(turn.brief.action, Box)
            else -1
        )


class ServedRaiseOn(RaiseOn):
    """RaiseOn, one for all workers."""

    served = True


class ServedSleepOn(SleepOn):
    """SleepOn, one for all workers."""

    served = True


class ReadsSmell(GoodAgent):
    """Wants a view that no toy has."""

    reads = ("smell",)


class Exits(GoodAgent):
    """Calls sys.exit when an instruction holds the marker, or raises when that episode ends."""

    def __init__(self, marker: str = "exit", at_end: bool = False) -> None:
        self.marker, self.at_end = marker, at_end
        self.marked: set[str] = set()

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        for turn in turns:
            if self.marker in turn.instruction:
                self.marked.add(turn.episode)
        if self.marked & {turn.episode for turn in turns} and not self.at_end:
            raise SystemExit(3)
        return super().act(turns)

    def end(self, episodes: Iterable[str]) -> None:
        if self.at_end and self.marked & set(episodes):
            raise RuntimeError("this agent cannot end")


class ServedExits(Exits):
    """Exits, one for all workers."""

    served = True


class ServedEnds(GoodAgent):
    """Writes down the name of every episode that has ended."""

    served = True
    outputs = ("file",)

    def __init__(self, file: str) -> None:
        self.file = file

    def end(self, episodes: Iterable[str]) -> None:
        with open(self.file, "a") as file:
            file.writelines(f"{episode}\n" for episode in episodes)
