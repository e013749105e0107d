"""Agents that break the contract, each in one way: what check_agent must find."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
from toys import GoodAgent

from harness.core import Answer, Turn


class ReadsText(GoodAgent):
    reads = "state"  # type: ignore[assignment]


class NoHistory(GoodAgent):
    history = 0


class ReadsUnknown(GoodAgent):
    reads = ("state", "depth")


class ReadsTooMuch(GoodAgent):
    """Marks a view as dispensable and cannot do without it."""

    reads = ("state", "image?")

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        assert all(turn.observation["image"].any() for turn in turns)
        return super().act(turns)


class NeedsHistory(GoodAgent):
    """Relies on as much history as it declares."""

    history = 2

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        for turn in turns:
            assert turn.step == 0 or len(turn.observations) == 2, "two observations"
        return super().act(turns)


class ActRaises(GoodAgent):
    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        raise ValueError("no weights")


class TooFew(GoodAgent):
    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return super().act(turns)[:1]


class OneForAll(GoodAgent):
    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return 0  # type: ignore[return-value]


class EmptyChunk(GoodAgent):
    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return [Answer([]) for _ in turns]


class Unseeded(GoodAgent):
    """Its randomness is not the turn's."""

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return [turn.brief.action.sample(np.random.default_rng()) for turn in turns]


class Rounds(GoodAgent):
    """Its continuous actions are off by `error` when it is asked for several at once."""

    def __init__(self, error: float) -> None:
        self.error = error

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        error = self.error if len(turns) > 1 else 0.0
        return [np.full(turn.brief.action.shape, 0.25 + error) for turn in turns]


class SeededByInstance(GoodAgent):
    """Each instance has its own habit."""

    made: ClassVar[int] = 0

    def __init__(self) -> None:
        self.habit = SeededByInstance.made % 5
        SeededByInstance.made += 1

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return [self.habit for _ in turns]


class KeepsState(GoodAgent):
    """Counts for itself how often an episode was asked."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        for turn in turns:
            self.asked[turn.episode] = self.asked.get(turn.episode, 0) + 1
        return [self.asked[turn.episode] % 5 for turn in turns]


class KeepsEpisodes(GoodAgent):
    """Counts the episodes that have ended."""

    def __init__(self) -> None:
        self.ended = 0

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return [self.ended % 5 for _ in turns]

    def end(self, episodes: Iterable[str]) -> None:
        self.ended += 1


class OrderDependent(GoodAgent):
    """The first turn of a batch is answered differently."""

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        episodes = sorted(turn.episode for turn in turns)
        return [int(len(turns) > 1 and turns[0].episode != episodes[0]) for turn in turns]


class WritesTurn(GoodAgent):
    """Normalises the state in place."""

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        answers = super().act(turns)
        for turn in turns:
            turn.observation["state"].__imul__(0.5)
        return answers


class WritesMemory(GoodAgent):
    """Appends to the list that it got."""

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        answers = []
        for turn, action in zip(turns, super().act(turns)):
            memory = [] if turn.memory is None else turn.memory
            memory.append(turn.step)
            answers.append(Answer([action], memory))
        return answers


class EndRaises(GoodAgent):
    """Does not know episodes that it never saw."""

    def __init__(self) -> None:
        self.known: set[str] = set()

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        self.known.update(turn.episode for turn in turns)
        return super().act(turns)

    def end(self, episodes: Iterable[str]) -> None:
        for episode in episodes:
            self.known.remove(episode)
