"""Which replica of a served agent is asked next: the one that is expected to answer first.

Independent of Ray.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

__all__ = ["ReplicaChoice"]

SMOOTHING = 0.3
"""The weight of a new answer in the mean time that a replica takes."""
FORGETS_S = 3.0
"""A time that was not confirmed for so long counts half: what was slow may be fast again."""


class _Replica:
    __slots__ = ("alive", "known", "seen", "sent", "took", "waiting")

    def __init__(self) -> None:
        self.alive = True
        self.known = False  # whether it has answered
        self.took = 0.0  # mean seconds for a request that finds it free
        self.seen = 0.0  # when that was measured
        self.sent: deque[float] = deque()  # when it was sent the requests of this worker
        self.waiting = 0  # requests of others, by its last reply

    @property
    def ahead(self) -> int:
        """Requests that a new one would wait for."""
        return len(self.sent) + self.waiting

    def faded(self, now: float) -> float:
        """What of its time still counts."""
        return self.took * math.pow(0.5, (now - self.seen) / FORGETS_S)


class ReplicaChoice:
    """What one worker knows about the replicas. Not thread-safe."""

    def __init__(self, count: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._replicas = [_Replica() for _ in range(count)]

    def any_alive(self) -> bool:
        """Whether there is any to ask."""
        return any(replica.alive for replica in self._replicas)

    def alive(self, number: int) -> bool:
        """Whether this one can be asked."""
        return self._replicas[number].alive

    def take(self) -> int:
        """The number of the replica to ask now; one of them must be alive."""
        now = self._clock()
        alive = [number for number, replica in enumerate(self._replicas) if replica.alive]
        known = [self._replicas[number].faded(now) for number in alive if self._known(number)]
        typical = sum(known) / len(known) if known else 0.0

        def expected(number: int) -> tuple[float, int]:
            replica = self._replicas[number]
            took = replica.faded(now) if replica.known else typical
            if replica.sent:  # one that is silent is not asked again because its time has faded
                took = max(took, (now - replica.sent[0]) / replica.ahead)
            return took * (1 + replica.ahead), replica.ahead

        chosen = min(alive, key=expected)
        self._replicas[chosen].sent.append(now)
        return chosen

    def _known(self, number: int) -> bool:
        return self._replicas[number].known

    def answered(self, number: int, took: float, waiting: int) -> None:
        """Note that a request was answered after `took` seconds, and that `waiting` others wait."""
        replica = self._replicas[number]
        now = self._clock()
        alone = took / max(1, replica.ahead)
        # The longer ago the mean was measured, the less it says against the new time.
        before = replica.faded(now)
        age = math.pow(0.5, (now - replica.seen) / FORGETS_S)
        weight = 1.0 - (1.0 - SMOOTHING) * age if replica.known else 1.0
        replica.took = before + (alone - before) * weight
        replica.seen, replica.known = now, True
        if replica.sent:
            replica.sent.popleft()
        replica.waiting = max(0, waiting - len(replica.sent))

    def ends(self, number: int) -> None:
        """Note that a replica is gone."""
        self._replicas[number].alive = False

    def begins(self, number: int) -> None:
        """Note that a replica was replaced: nothing is known of the new one."""
        self._replicas[number] = _Replica()
