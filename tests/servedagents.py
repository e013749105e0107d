"""Agents behind `bench serve` whose answers depend on all that the protocol has to carry."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from harness.core import Agent, Answer, Turn


class Remembers(Agent):
    """Its action depends on all that it has seen in the episode, on the words and on chance.

    It answers chunks of one to three actions, some of them beyond the bounds.
    """

    reads = ("*",)

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return [self._one(turn) for turn in turns]

    def _one(self, turn: Turn) -> Answer:
        digest = hashlib.blake2b(turn.memory or b"", digest_size=8)
        for seen in turn.observations:
            for name in sorted(seen):
                try:
                    value = seen[name]
                except KeyError:  # a view of an earlier step that was not drawn then
                    continue
                parts = value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()
                digest.update(name.encode() + parts)
        digest.update(f"{turn.instruction} {turn.step} {turn.actions!r}".encode())
        digest.update(turn.rng.bytes(4))
        rng = np.random.default_rng(int.from_bytes(digest.digest(), "little"))
        actions = [turn.brief.action.sample(rng) for _ in range(int(rng.integers(1, 4)))]
        if isinstance(actions[0], np.ndarray):
            actions[-1] = 3 * actions[-1]
        return Answer(actions, memory=digest.digest())


class LooksBack(Remembers):
    """The same with two observations, of which one may lie inside a chunk."""

    history = 2


class Fails(Remembers):
    """Raises at a certain step of some episodes, and when some are over."""

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        for turn in turns:
            if turn.step >= 2 and int(turn.episode, 16) % 3 == 0:
                raise ValueError("it does not know what to do")
        return super().act(turns)

    def end(self, episodes: Iterable[str]) -> None:
        for episode in episodes:
            if int(episode, 16) % 3 == 1:
                raise RuntimeError("this agent cannot end")
