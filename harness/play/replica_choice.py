"""Which replica of a served agent is asked next: the one that is expected to answer first.

Independent of Ray.
"""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["ReplicaChoice"]

SMOOTHING = 0.3
"""The weight of a new answer in the mean time that a replica takes."""
FORGETS_S = 10.0
"""A time that was not confirmed for so long counts half: what was slow may be fast again."""


class _Replica:
    __slots__ = ("alive", "seen", "took", "under_way", "waiting")

    def __init__(self) -> None:
        self.alive = True
        self.took = 0.0  # mean seconds for a request that finds it free
        self.seen = 0.0  # when that was measured
        self.under_way = 0  # requests of this worker
        self.waiting = 0  # requests of others, by its last reply


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

        def expected(number: int) -> tuple[float, int]:
            replica = self._replicas[number]
            ahead = replica.under_way + replica.waiting
            took = replica.took * 0.5 ** ((now - replica.seen) / FORGETS_S)
            return took * (1 + ahead), ahead

        alive = [number for number, replica in enumerate(self._replicas) if replica.alive]
        chosen = min(alive, key=expected)
        self._replicas[chosen].under_way += 1
        return chosen

    def answered(self, number: int, took: float, waiting: int) -> None:
        """Note that a request was answered after `took` seconds, and that `waiting` others wait."""
        replica = self._replicas[number]
        ahead = replica.under_way + replica.waiting
        alone = took / max(1, ahead)
        replica.took += (alone - replica.took) * (SMOOTHING if replica.seen else 1.0)
        replica.seen = self._clock()
        replica.under_way = max(0, replica.under_way - 1)
        replica.waiting = max(0, waiting - replica.under_way)

    def ends(self, number: int) -> None:
        """Note that a replica is gone."""
        self._replicas[number].alive = False

    def begins(self, number: int) -> None:
        """Note that a replica was replaced: nothing is known of the new one."""
        self._replicas[number] = _Replica()
