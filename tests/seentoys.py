"""Toys that tell what an episode is about, and agents that did or did not learn starts by heart."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toys import GoodAgent, ToyAdapter

from harness.core import Case, Turn


class SeenToy(ToyAdapter):
    """It has 64 cells, so starts repeat; the column of the goal is its object."""

    start_kind = "countable"

    def factors(self, case: Case) -> Mapping[str, str]:
        return {"object": f"column {self.goal[0]:.0f}"}


class ContinuousToy(SeenToy):
    """Its places count as real numbers."""

    start_kind = "continuous"


class UncoveredToy(SeenToy):
    """Its digest counts as a part of the start."""

    start_kind = ""


class FactorUnknown(SeenToy):
    """It tells a factor that there is not."""

    def factors(self, case: Case) -> Mapping[str, str]:
        return {"weather": "rain"}


class FactorMoves(SeenToy):
    """Asking moves the point."""

    def factors(self, case: Case) -> Mapping[str, str]:
        self.shift(1)
        return {"object": "a goal"}


class Memoriser(GoodAgent):
    """It knows the way from the starts of a file, and elsewhere acts at random."""

    def __init__(self, file: str) -> None:
        self._known = {tuple(each) for each in json.loads(Path(file).read_text())}
        self._knows: dict[str, bool] = {}

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        for turn in turns:
            if turn.step == 0:
                start = tuple(map(float, turn.observation["state"]))
                self._knows[turn.episode] = start in self._known
        good = super().act(turns)
        return [
            action if self._knows[turn.episode] else turn.brief.action.sample(turn.rng)
            for turn, action in zip(turns, good)
        ]
