"""How a worker's turns reach the replicas of a served agent: directly where it can be, else by Ray.

On one machine they go through a socket and shared memory (turn_link.py), to other machines in calls
of Ray, whose object stores bring the pictures there. A link begins when the replica has said where
it listens: until then, and where a link breaks, Ray is the way, which also knows whether a replica
is dead.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any

import ray

from harness.core import Turn
from harness.play.turn_codec import TurnEncoder
from harness.play.turn_link import Link, LinkRequest, Served, dumped, receive_ready

__all__ = ["PendingTurns", "RayLinks"]

MIXED_S = 0.001
"""Seconds between two looks where some requests went by Ray and others not."""


class PendingTurns:
    """A request that is under way."""

    __slots__ = ("_way", "alone", "linked", "reference", "turns")

    def __init__(self, way: _Way, turns: Sequence[Turn], alone: bool) -> None:
        self._way = way
        self.turns = turns
        self.alone = alone
        self.linked: LinkRequest | None = None
        self.reference: Any = None
        link = way.link
        if link is None or link.lost:
            self.call()
        else:
            self.linked = link.send(turns, alone)

    def call(self, again: bool = False) -> None:
        """Send it by Ray. `again`: with everything that the replica may not know."""
        way = self._way
        packed = way.encoder.pack(self.turns, again)
        head = dumped(packed.head, ray.cloudpickle.dumps)
        columns = [list(column.values) for column in packed.columns]
        self.linked = None
        self.reference = way.actor.answer.remote(way.sender, head, columns, self.alone)

    def retry_lost(self) -> None:
        """Send what went into a link that broke once more, by Ray."""
        if self.linked is not None and self.linked.lost:
            self.call()

    @property
    def link(self) -> Link | None:
        """Where the reply will come; None: by Ray."""
        return None if self.linked is None else self.linked.link

    @property
    def here(self) -> bool:
        """Whether the reply came on a link."""
        return self.linked is not None and self.linked.served is not None


class _Way:
    """The ways to one replica."""

    def __init__(self, actor: Any, sender: str) -> None:
        self.actor = actor
        self.sender = sender
        self.encoder = TurnEncoder()
        self.link: Link | None = None
        self._asked: Any = actor.listens.remote()

    def look(self) -> None:
        """Begin the link if the replica has said where it listens."""
        if self._asked is None or not ray.wait([self._asked], timeout=0)[0]:
            return
        asked, self._asked = self._asked, None
        try:
            address = ray.get(asked)
            self.link = None if address is None else Link(address, ray.cloudpickle.dumps)
        except (OSError, ray.exceptions.RayActorError):
            self.link = None  # it is on another machine, or gone


class RayLinks:
    """All replicas, as one worker reaches them. Not thread-safe."""

    def __init__(self) -> None:
        self._ways: dict[int, _Way] = {}
        self._sender = secrets.token_hex(8)

    def send(self, number: int, actor: Any, turns: Sequence[Turn], alone: bool) -> PendingTurns:
        """Send turns to replica `number`, which is this actor now.

        `alone`: they are not to be in a batch with those of others.
        """
        way = self._ways.get(number)
        if way is None or way.actor is not actor:
            if way is not None and way.link is not None:
                way.link.close()
            way = self._ways[number] = _Way(actor, self._sender)
        way.look()
        return PendingTurns(way, turns, alone)

    def wait(self, pending: Sequence[PendingTurns], timeout_s: float | None) -> list[PendingTurns]:
        """Those of which `take` returns at once; waits for the first as long. None: until it is."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            for each in pending:
                each.retry_lost()
            ready = [each for each in pending if each.here]
            links = {each.link for each in pending if not each.here} - {None}
            calls = {each.reference: each for each in pending if each.linked is None}
            left: float | None = 0.0
            if not ready:
                left = None if until is None else max(0.0, until - time.monotonic())
            if links:
                short = MIXED_S if left is None else min(MIXED_S, left)
                receive_ready([link for link in links if link], short if calls else left)
                ready = [each for each in pending if each.here]
            if calls:
                block = not ready and not links
                ready += [
                    calls[reference]
                    for reference in ray.wait(
                        list(calls),
                        num_returns=1 if block else len(calls),
                        timeout=left if block else 0,
                    )[0]
                ]
            lost = any(each.linked is not None and each.linked.lost for each in pending)
            if ready or (left is not None and not lost and _over(until)):
                return ready

    def take(self, pending: PendingTurns) -> Served:
        """What the replica says to it; blocks until it is there.

        Raises RayActorError if the replica is gone.
        """
        while True:
            self.wait([pending], None)
            if pending.linked is not None:
                if pending.linked.fault is not None:
                    raise RuntimeError(pending.linked.fault)
                assert pending.linked.served is not None
                return pending.linked.served
            found: Served | None = ray.get(pending.reference)
            if found is not None:
                return found
            pending.call(again=True)

    def forget(self, episode: str) -> None:
        """This episode is over."""
        for way in self._ways.values():
            way.encoder.forget(episode)
            if way.link is not None:
                way.link.forget(episode)


def _over(until: float | None) -> bool:
    return until is not None and time.monotonic() >= until
