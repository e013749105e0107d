"""Agents that say what an answer took, and keep a transcript."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from toys import GoodAgent

from harness.core import Answer, Turn


class Talker(GoodAgent):
    """The good agent, which says how many letters it read and what it thought."""

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [
            Answer(
                [getattr(action, "actions", [action])[0]],
                figures={"letters": float(len(turn.instruction)), "usd": 0.25},
                said=self._line(turn),
            )
            for turn, action in zip(turns, super().act(turns))
        ]

    def _line(self, turn: Turn) -> str:
        exchange = {"sent": "which way?", "reply": f"that way\x1b[31m, step {turn.step}"}
        return json.dumps({"step": turn.step, "exchanges": [exchange]})


class Spender(Talker):
    """Says what its answers cost, as chat models do."""

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        cost = {"answers": 1.0, "tokens_in": 100.0, "tokens_out": 7.0}
        return [
            Answer(answer.actions, figures={**answer.figures, **cost}, said=answer.said)
            for answer in super().act(turns)
        ]


class FreeTalker(Talker):
    """Its transcript is no JSON, and has lines of its own."""

    def _line(self, turn: Turn) -> str:
        return "one\ntwo\x1b[2J"


class EndlessTalker(Talker):
    """Says more than an episode has room for."""

    def _line(self, turn: Turn) -> str:
        return "x" * 1_000_000


class Braggart(Talker):
    """What an answer took is no number."""

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [Answer([0], figures={"tokens": float("nan")}) for _ in turns]


class Boaster(GoodAgent):
    """The good agent, which says at first how likely its success is, and later that it is sure."""

    def __init__(self, chance: Any = 0.25) -> None:
        self.chance = chance

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [
            Answer(
                [getattr(action, "actions", [action])[0]],
                confidence=1.0 if turn.step else self.chance,
            )
            for turn, action in zip(turns, super().act(turns))
        ]
