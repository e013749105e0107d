"""Agents and simulators that do what foreign code does to the process around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from toys import GoodAgent

from harness.core import Turn


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
