"""Agents with one known fault each, for what is to find it. Without it they are GoodAgent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from toys import MOVES, GoodAgent

from harness.core import Answer, Turn


class Planted(GoodAgent):
    """Answers what `one` says of each turn, and does nothing where it errs."""

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [self.one(turn, good) for turn, good in zip(turns, super().act(turns))]

    def one(self, turn: Turn, good: Any) -> Any:
        """The answer to this turn, of which `good` is right."""
        return turn.brief.action.noop() if self.errs(turn) else good

    def errs(self, turn: Turn) -> bool:
        """Whether it errs now."""
        return False


class ErrsAtStep(Planted):
    """From `step` on it stays just as long as it takes to be too late."""

    def __init__(self, step: int, horizon: int) -> None:
        self.step, self.horizon = step, horizon

    def one(self, turn: Turn, good: Any) -> Any:
        state = turn.observation["state"]
        shortest = turn.memory or int(np.abs(state[:2] - state[2:]).sum())
        wasted = self.horizon - shortest + 1
        stays = self.step <= turn.step < self.step + wasted
        return Answer([turn.brief.action.noop() if stays else good], memory=shortest)


class ErrsOnWord(Planted):
    """Stays where it is told this word."""

    def __init__(self, word: str) -> None:
        self.word = word

    def errs(self, turn: Turn) -> bool:
        return self.word in turn.instruction.split()


class ErrsOnTypos(Planted):
    """Stays where it does not understand."""

    def errs(self, turn: Turn) -> bool:
        return re.fullmatch(r"go to \d \d", turn.instruction) is None


class ErrsAfterDelay(Planted):
    """Stays for ever once more than a step has passed since it was asked last."""

    def one(self, turn: Turn, good: Any) -> Any:
        last, hurt = turn.memory or (turn.step - 1, False)
        hurt = hurt or turn.step - last > 1
        return Answer([turn.brief.action.noop() if hurt else good], memory=(turn.step, hurt))


class ErrsOnView(Planted):
    """Stays where it sees anything in the picture."""

    reads = ("state", "image")

    def errs(self, turn: Turn) -> bool:
        return bool(turn.observation["image"].any())


class ErrsInChunk(Planted):
    """Only the first action of its chunks is right."""

    def one(self, turn: Turn, good: Any) -> Any:
        return Answer([good] + [turn.brief.action.noop()] * 40)


class ErrsByCount(Planted):
    """Stays in every second episode that it plays: another play does not come out alike."""

    def __init__(self) -> None:
        self.ends = 0

    def errs(self, turn: Turn) -> bool:
        return self.ends % 2 == 0

    def end(self, episodes: Any) -> None:
        self.ends += 1


class ErrsOnSurprise(Planted):
    """Stays for ever once it is not where its last action should have led."""

    def one(self, turn: Turn, good: Any) -> Any:
        place = turn.observation["state"][:2]
        expected, hurt = turn.memory or (place.tolist(), False)
        hurt = hurt or not np.allclose(place, expected, atol=0.01)
        after = place + MOVES[good]
        action = turn.brief.action.noop() if hurt else good
        return Answer([action], memory=((place if hurt else after).tolist(), hurt))
