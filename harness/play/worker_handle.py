"""What the driver of a parallel run knows about one worker. Independent of Ray."""

from __future__ import annotations

import math
from typing import Any, Protocol

from harness.core import Case
from harness.play.case_queue import Ticket
from harness.play.environments import environment_key
from harness.records.registry import load

__all__ = ["WarmWorkers", "WorkerHandle"]

AHEAD_S = 1.0
"""A worker holds about this many seconds of work beyond the cases on its lanes."""
MOST_AHEAD = 64
"""The most cases that a worker holds beyond those on its lanes."""
START_S = 1800.0
"""How long a worker may take to start: an agent may load a large model."""
SILENCE_S = 30.0
"""A worker that has not replied this long after its patience ran out counts as hung."""


class WarmWorkers(Protocol):
    """Workers that stay between runs: see ray_pool.py."""

    keeps: bool
    """Whether the workers of this run may stay for another one."""

    def worker(self, *args: Any, fresh: bool) -> tuple[Any, bool]:
        """(an actor that begins to play, whether it has played before); `args` of _Worker.

        `fresh`: a process in which nothing has happened yet.
        """
        ...


class WorkerHandle:
    """One worker as the driver sees it. `now` is a time.monotonic() value, in seconds."""

    actor: Any
    call: Any
    """The exchange that it has not answered yet, or None."""
    held: dict[Ticket, Case]
    """Cases that were given to it and whose outcome is not known yet."""
    keys: list[str]
    """The environment keys of its newest cases: it very likely keeps these environments."""
    lacks: set[str]
    """Environment keys of tasks that cannot run on its machine, and can on others."""
    fell: bool
    """Whether one of this name was lost before it had started: what it is given may be to blame."""
    faulty: bool
    """Whether a case of it ended in an error: what is left in its process is not kept."""
    hurried: bool
    """Whether it was told to answer at once, and has not answered yet."""
    tainted: bool
    """Whether it has played cases, so that a case that must run alone needs a fresh worker."""

    def __init__(self, name: str, lanes: int, agent_timeout: float) -> None:
        """`agent_timeout`: how long a call of the agent may take, in seconds."""
        self.name = name
        self._lanes = lanes
        self._agent_timeout = agent_timeout
        self.fell = False
        self.replace(None)

    def replace(self, actor: Any) -> None:
        """Begin with a new worker, which holds nothing yet."""
        self.actor = actor
        self.call = None
        self.held = {}
        self.keys = []
        self.lacks = set()
        self.faulty = self.tainted = self.hurried = False
        self._patience = START_S
        self._asked_at = 0.0
        self._first_asked_at = 0.0
        self._settled = 0

    def wanted(self, now: float) -> int:
        """How many cases it should hold.

        A worker that was given one case at a time would wait for a message's round trip after every
        short episode. So it gets cases in advance: as many as it plays in AHEAD_S seconds at its
        average pace, and one at least. With more, more cases would have to be given to others if it
        were lost.
        """
        pace = self._settled / (now - self._first_asked_at) if self._settled else 0.0
        return self._lanes + max(1, min(MOST_AHEAD, math.ceil(pace * AHEAD_S)))

    def hungry(self, share: int) -> bool:
        """Whether nothing waits for its lanes, and it has less than its share of what is left.

        It need not be idle yet: what another one gives back is some messages away, each of which
        waits for the interpreter of a process that plays. One that has not started has as much as
        it can use.
        """
        return self.started and len(self.held) < min(self._lanes + 1, share)

    def spares(self, share: int) -> bool:
        """Whether it holds more than its share of what is left, and has not begun all of it."""
        return len(self.held) > max(self._lanes, share)

    def give(self, ticket: Ticket, case: Case) -> None:
        """Note that it holds this case from now on."""
        self.held[ticket] = case
        self._remember(case)

    def asked(self, call: Any, now: float) -> None:
        """Note that `call`, an exchange, was sent to it."""
        self.call = call
        self._asked_at = now
        if self.held:
            self._first_asked_at = self._first_asked_at or now

    def can_ask(self, now: float) -> None:
        """Note that a served agent is ready: time that was spent waiting for it says no pace."""
        if self.held and not self._settled:
            self._first_asked_at = now

    def answered(self) -> None:
        """Note that it answered: it has started, and from now on its cases set its patience."""
        self.hurried = False
        if not self.started:
            self._patience = 0.0
            for case in self.held.values():
                self._remember(case)

    def gave_back(self, ticket: Ticket) -> None:
        """Note that it will not play this case."""
        del self.held[ticket]

    def settled(self, ticket: Ticket) -> Case:
        """Note that it reported the outcome of this case, which is returned."""
        self._settled += 1
        return self.held.pop(ticket)

    @property
    def started(self) -> bool:
        """Whether it has answered once."""
        return self._patience != START_S

    def silent(self, now: float) -> bool:
        """Whether it should have answered long ago.

        An exchange is answered by another thread than the one that plays. If not even that thread
        runs, native code that does not return holds the interpreter lock.
        """
        return now - self._asked_at > self._patience + SILENCE_S

    def _remember(self, case: Case) -> None:
        key = environment_key(case.task, case.backend)
        self.keys = [key, *(other for other in self.keys if other != key)][: self._lanes]
        patience = load(case.task.adapter).patience_s
        self._patience = max(self._patience, patience, 2 * self._agent_timeout)
