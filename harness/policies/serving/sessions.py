"""The episodes that clients of ours play: their memory, and the last answer of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Any

from harness.core import Turn
from harness.play.values import AgentFault, Chunk
from harness.policies.serving.batches import Batches

__all__ = ["Sessions"]

MOST_EPISODES = 4096
"""Episodes under way, of all clients together."""
FORGET_S = 600.0
"""Seconds after which the episodes of a client that is gone are over."""
UNKNOWN = "the server does not know this episode: it was started again, or the client was away"


class _Kept:
    """One episode."""

    __slots__ = ("answer", "answered", "memory", "name", "pending")

    def __init__(self, name: str) -> None:
        self.name = name
        """What the agent calls it."""
        self.memory: Any = None
        self.answered = 0
        self.answer: Any = None
        self.pending: asyncio.Future[Any] | None = None


class Sessions:
    """Episodes by (session, name). A session is one client, over all of its connections."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._episodes: dict[tuple[str, str], _Kept] = {}
        self._names: set[str] = set()
        self._seen: dict[str, float] = {}

    def touch(self, session: str) -> None:
        """The client is there."""
        self._seen[session] = time.monotonic()

    async def ask(self, session: str, turns: Sequence[tuple[Turn, int]]) -> list[Any]:
        """An answer or an AgentFault for each (turn, number of the answers before it).

        Who asks for an episode again, over another connection, waits for the first answer.
        """
        waiting: list[Any] = []
        fresh: list[tuple[_Kept, Turn]] = []
        for turn, asked in turns:
            kept = await self._kept(session, turn.episode, asked)
            if isinstance(kept, AgentFault):
                waiting.append(kept)
            elif kept.pending is not None:
                waiting.append(kept.pending)
            elif asked < kept.answered:
                waiting.append(kept.answer)
            else:
                shown = Turn.of({**vars(turn), "memory": kept.memory, "episode": kept.name})
                kept.pending = asyncio.get_running_loop().create_future()
                fresh.append((kept, shown))
                waiting.append(kept.pending)
        if fresh:
            await self._answer(fresh)
        answers: list[Any] = []
        for each in waiting:
            if isinstance(each, asyncio.Future):
                each = each.result() if each.done() else await asyncio.shield(each)
            answers.append(each)
        return answers

    async def end(self, session: str, episodes: Iterable[str]) -> dict[str, str]:
        """These episodes are over. Returns what the agent raised, by episode."""
        faults: dict[str, str] = {}
        for episode in episodes:
            kept = self._episodes.pop((session, episode), None)
            if kept is not None:
                if kept.pending is not None:
                    await asyncio.shield(kept.pending)
                told = await self._end(kept)
                if told:
                    faults[episode] = told
        return faults

    async def forget(self) -> None:
        """End the episodes of clients that have been gone for a long time."""
        now = time.monotonic()
        gone = {session for session, seen in self._seen.items() if now - seen > FORGET_S}
        for session, episode in [each for each in self._episodes if each[0] in gone]:
            await self.end(session, [episode])
        for session in gone:
            self._seen.pop(session, None)

    async def _kept(self, session: str, episode: str, asked: int) -> _Kept | AgentFault:
        """The episode as the client knows it: after so many answers, or one more."""
        kept = self._episodes.get((session, episode))
        if kept is not None and kept.answered - asked not in (0, 1):
            if asked:
                return AgentFault(UNKNOWN, "error")
            await self.end(session, [episode])
            kept = None
        if kept is None:
            if asked:
                return AgentFault(UNKNOWN, "error")
            if len(self._episodes) >= MOST_EPISODES:
                return AgentFault(f"{MOST_EPISODES} episodes are under way here", "error")
            # Two clients may play the same case: the agent must not take one for the other.
            name = episode if episode not in self._names else f"{episode}-{session}"
            kept = self._episodes[session, episode] = _Kept(name)
            self._names.add(name)
        return kept

    async def _answer(self, fresh: Sequence[tuple[_Kept, Turn]]) -> None:
        answers: Sequence[Any]
        try:
            answers = await self._batches.infer([turn for _, turn in fresh])
        except BaseException as fault:
            answers = [AgentFault(f"the server is ending: {type(fault).__name__}", "error")] * len(
                fresh
            )
        for (kept, _), answer in zip(fresh, answers):
            if not isinstance(answer, AgentFault):
                kept.answered += 1
                kept.answer = answer
                if isinstance(answer, Chunk):
                    kept.memory = answer.memory
            pending, kept.pending = kept.pending, None
            if pending is not None:
                pending.set_result(answer)

    async def _end(self, kept: _Kept) -> str:
        self._names.discard(kept.name)
        told = await self._batches.end(kept.name)
        return told.reason if isinstance(told, AgentFault) else ""
