"""Asks a server of ours: whole turns, in batches, over one connection."""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.core import AgentUnavailable, Brief, Turn
from harness.host.footprint import checked_footprint
from harness.play.values import AgentFault
from harness.policies.wire.connection import Connection, Lost, Reported
from harness.policies.wire.extension import Extension
from harness.policies.wire.nouns import answer_of, as_plain, as_turn, revive
from harness.policies.wire.packing import Malformed, pack, unpack
from harness.policies.wire.pool import Pool
from harness.policies.wire.server_timing import timings_of

__all__ = ["BenchClient"]

LINE = ""
"""The name under which the pool keeps the one connection."""
ATTEMPTS = 2
MOST_BRIEFS = 2000


class BenchClient:
    """What an agent behind `bench serve` answers here."""

    def __init__(self, pool: Pool, told: Extension, footprint: dict[str, int]) -> None:
        """`footprint`: takes what the server tells of it when episodes end."""
        self._pool = pool
        self.footprint = footprint
        self._batch = told.batch
        self._session = secrets.token_hex(8)
        self._asked: dict[str, int] = {}
        self._briefs: dict[int, tuple[Brief, str, Any]] = {}
        self._sent: set[str] = set()
        self._line: Connection | None = None

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """An answer or an AgentFault for each turn. Raises AgentUnavailable."""
        parts = [turns[k : k + self._batch] for k in range(0, len(turns), self._batch)]
        return [answer for part in parts for answer in self._ask(part)]

    def end(self, episodes: Iterable[str]) -> AgentFault | None:
        """Tell the server; returns what its agent raised. Raises AgentUnavailable."""
        names = list(episodes)
        for name in names:
            self._asked.pop(name, None)
        message = {"bench": "end", "session": self._session, "episodes": names}
        reply = self._exchange(lambda: message)
        ended = reply.get("ended") if isinstance(reply, Mapping) else None
        if not isinstance(ended, Mapping):
            return AgentFault(reply.reason if isinstance(reply, AgentFault) else "end: no answer")
        self.footprint.update(checked_footprint(reply.get("footprint")))
        faults = [str(each)[:1000] for each in ended.values()]
        return AgentFault(faults[0]) if faults else None

    def _ask(self, turns: Sequence[Turn]) -> Sequence[Any]:
        named = [self._named(turn.brief) for turn in turns]
        asked = [self._asked.get(turn.episode, 0) for turn in turns]
        try:
            plain = [as_turn(*each) for each in zip(turns, (name for name, _ in named), asked)]
        except TypeError as wrong:
            return [AgentFault(f"its turn cannot be sent: {wrong}")] * len(turns)

        def message() -> dict[str, Any]:
            briefs = {name: brief for name, brief in named if name not in self._sent}
            return {"bench": "act", "session": self._session, "briefs": briefs, "turns": plain}

        reply = self._exchange(message)
        if isinstance(reply, AgentFault):
            return [reply] * len(turns)
        self._sent.update(name for name, _ in named)
        given = reply.get("answers") if isinstance(reply, Mapping) else None
        if not isinstance(given, list) or len(given) != len(turns):
            return [AgentFault("the server's answer cannot be read: another number")] * len(turns)
        timings = timings_of(reply, len(turns))
        return [self._taken(each, turn, timings) for each, turn in zip(given, turns)]

    def _taken(self, given: Any, turn: Turn, timings: Mapping[str, float]) -> Any:
        try:
            answer = answer_of(given, turn.brief.action)
        except Malformed as wrong:
            return AgentFault(f"the server's answer cannot be read: {wrong}")
        if isinstance(answer, AgentFault):
            return answer
        self._asked[turn.episode] = self._asked.get(turn.episode, 0) + 1
        return dataclasses.replace(answer, figures={**answer.figures, **timings})

    def _exchange(self, message: Any) -> Any:
        """The reply to what `message()` returns, or an AgentFault. Raises AgentUnavailable."""
        for attempt in range(ATTEMPTS):
            try:
                connection = self._pool.of(LINE)
                if connection is not self._line:
                    self._line = connection
                    self._sent.clear()
                connection.send(pack(message()))
                return unpack(connection.receive(), revive)
            except Lost as gone:
                self._pool.lose(LINE)
                if attempt + 1 == ATTEMPTS:
                    raise AgentUnavailable(str(gone)) from None
            except Reported as failed:
                self._pool.lose(LINE)
                return AgentFault(f"the server refused the request: {failed}")
            except Malformed as wrong:
                self._pool.lose(LINE)
                return AgentFault(f"the server's answer cannot be read: {wrong}")
        raise AssertionError("the last attempt returns or raises")

    def _named(self, brief: Brief) -> tuple[str, Any]:
        """(the name of the brief, the brief as data)."""
        known = self._briefs.get(id(brief))
        if known is None or known[0] is not brief:
            if len(self._briefs) >= MOST_BRIEFS:
                self._briefs.clear()
            plain = as_plain(brief)
            name = hashlib.blake2b(pack(plain), digest_size=8).hexdigest()
            known = self._briefs[id(brief)] = brief, name, plain
        return known[1], known[2]
