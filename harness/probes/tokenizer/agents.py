"""Agents whose actions pass through a codec before they are executed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from harness.core import Agent, Answer, BadAction, Box, Brief, Missing, Turn
from harness.probes.tokenizer.codecs import Codec, decoded, load_codec
from harness.records.identity import AgentSpec

__all__ = ["CodedAgent", "CodedExpert", "CodedReplay"]

REST = 100
"""No-ops of one answer where the recorded actions have come to an end."""


def _coded(codec: Codec, brief: Brief, action: Any) -> Any:
    """What is left of an action. One that is wrong remains so: it is judged as ever."""
    spec = brief.action
    assert isinstance(spec, Box)
    try:
        taken, _ = spec.coerce(action)
    except BadAction:
        return action
    return decoded(codec, spec, taken[None])[0]


class CodedReplay(Agent):
    """Plays recorded actions, each coded and decoded. After their end it does nothing."""

    def __init__(self, codec: str, recorded: str) -> None:
        """`codec`: a file of `save_codec`. `recorded`: a file of numpy, the actions by episode."""
        self._codec = load_codec(codec)
        with open(recorded, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            self._actions = {name: file[name] for name in file.files}

    def act(self, turns: Sequence[Turn]) -> list[Answer]:
        return [self._one(turn) for turn in turns]

    def _one(self, turn: Turn) -> Answer:
        spec = turn.brief.action
        assert isinstance(spec, Box)
        recorded = self._actions.get(turn.episode)
        if recorded is None or turn.step >= len(recorded):
            return Answer([spec.noop()] * REST)
        return Answer(list(decoded(self._codec, spec, recorded[turn.step :])))


class CodedExpert(Agent):
    """The expert, who sees where its coded and decoded actions have led."""

    reads: ClassVar[tuple[str, ...]] = ("expert",)

    def __init__(self, codec: str) -> None:
        """`codec`: a file of `save_codec`."""
        self._codec = load_codec(codec)

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [
            turn.brief.action.noop()
            if turn.expert is None
            else _coded(self._codec, turn.brief, turn.expert)
            for turn in turns
        ]


class CodedAgent(Agent):
    """Any agent, whose actions are coded and decoded."""

    def __init__(self, agent: Mapping[str, Any], codec: str) -> None:
        """`agent`: the fields of its AgentSpec. `codec`: a file of `save_codec`."""
        self._codec = load_codec(codec)
        self._agent = AgentSpec(**agent).build()
        self.reads, self.history = self._agent.reads, self._agent.history  # type: ignore[misc]

    @classmethod
    def declares(cls, arguments: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
        return AgentSpec(**arguments["agent"]).declared()

    @classmethod
    def unfit(cls, arguments: Mapping[str, Any], brief: Brief) -> Missing | None:
        return AgentSpec(**arguments["agent"]).unfit(brief)

    @classmethod
    def identity(cls, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"agent": AgentSpec(**arguments["agent"]).fingerprint()}

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        return [
            self._one(turn, answer)
            for turn, answer in zip(turns, self._agent.act(turns), strict=True)
        ]

    def _one(self, turn: Turn, answer: Any) -> Any:
        if not isinstance(answer, Answer):
            return _coded(self._codec, turn.brief, answer)
        actions, rest = (
            [_coded(self._codec, turn.brief, each) for each in part]
            for part in (answer.actions, answer.rest)
        )
        return dataclasses.replace(answer, actions=actions, rest=rest)

    def end(self, episodes: Iterable[str]) -> None:
        self._agent.end(episodes)

    def close(self) -> None:
        self._agent.close()
