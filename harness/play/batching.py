"""One agent for many workers, with dynamic batching. Independent of Ray.

Whatever waits when the agent becomes free is its next batch. The size of a batch adapts to the load
without a timer: while the agent answers one batch, the requests of the other workers gather for the
next.
"""

from __future__ import annotations

import enum
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

from harness.core import Agent, Turn
from harness.host.footprint import Gauge
from harness.play.inference import AgentFault, Watch, call_agent, end_episode

__all__ = ["Batcher", "Hangs", "Unanswered"]

LOOK_S = 0.5
"""Seconds between two looks of a call that waits whether the agent hangs."""


TELLING_S = 10.0
"""How long those who wait for an agent that hangs may take to learn of it."""


class Unanswered(enum.Enum):
    """Why a replica whose agent hangs leaves a request unanswered: another one is to be asked."""

    HANGS = enum.auto()
    """The agent hangs in the call for this request, and perhaps for others."""
    UNASKED = enum.auto()
    """The agent hangs in another call, and was not asked."""


class Hangs(Exception):
    """The agent does not return."""

    def __init__(self, why: Unanswered) -> None:
        super().__init__(why.name)
        self.why = why


class Batcher:
    """Serves the calls of many threads with one agent, which only its own thread calls."""

    def __init__(
        self, agent: Agent, timeout: float, largest: int = 1024, gives_up: bool = False
    ) -> None:
        """`timeout`: how long a call of the agent may take, in seconds.

        `largest`: the most turns in a batch; a single request is never split. `gives_up`: once the
        agent hangs, all calls that wait raise Hangs, and so does every later one.
        """
        self._agent = agent
        self._timeout = timeout
        self._largest = largest
        self._requests: deque[_Request] = deque()
        self._changed = threading.Condition()
        self._watch = Watch()
        self._gauge = Gauge(agent)
        self._gives_up = gives_up
        self._under_way: list[_Request] = []
        """What the agent is being asked for."""
        self._hangs = threading.Event()
        self._told = threading.Condition()
        self._waiting = 0  # calls that wait; counted with `gives_up`
        self.batches = 0
        self.turns = 0
        threading.Thread(target=self._serve, name="batcher", daemon=True).start()

    def infer(self, turns: Sequence[Turn], alone: bool = False) -> list[Any]:
        """One answer or AgentFault for each turn; blocks until they are there.

        `alone`: the turns make a batch without those of other calls. Raises Hangs.
        """
        return self._done(_Request(turns, alone=alone)).answers

    def end(self, episode: str) -> AgentFault | bool:
        """Tell the agent that an episode is over: True, or what it raised. Blocks until then.

        Raises Hangs.
        """
        told: AgentFault | bool = self._done(_Request((), episode)).answers[0]
        return told

    def wait_for_hang(self) -> None:
        """Returns once the agent has hung and those who waited for it have been told.

        Only with `gives_up`.
        """
        self._hangs.wait()
        with self._told:
            self._told.wait_for(lambda: not self._waiting, TELLING_S)

    @property
    def waiting(self) -> int:
        """Requests that wait while the agent answers others."""
        return len(self._requests)

    @property
    def footprint(self) -> dict[str, int]:
        """What the agent took when an episode ended; read by its own thread."""
        return self._gauge.last

    def _done(self, request: _Request) -> _Request:
        with self._changed:
            self._requests.append(request)
            self._changed.notify()
        if self._gives_up:
            self._wait_or_hang(request)
        else:
            request.ready.wait()
        if request.fault is not None:
            raise request.fault
        return request

    def _wait_or_hang(self, request: _Request) -> None:
        with self._told:
            self._waiting += 1
        try:
            while not request.ready.wait(LOOK_S):
                if self._watch.overdue():
                    self._hangs.set()
                if self._hangs.is_set():
                    blamed = any(each is request for each in self._under_way)
                    raise Hangs(Unanswered.HANGS if blamed else Unanswered.UNASKED)
        finally:
            with self._told:
                self._waiting -= 1
                self._told.notify_all()

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._requests)
                batch = [self._requests.popleft()]
                size = len(batch[0].turns)
                while (
                    self._requests
                    and size + len(self._requests[0].turns) <= self._largest
                    and not (batch[0].alone or self._requests[0].alone)
                ):
                    batch.append(self._requests.popleft())
                    size += len(batch[-1].turns)
            try:
                self._answer(batch)
            except BaseException as fault:
                # Raised again in the threads that wait: this one must go on serving.
                for request in batch:
                    request.fault = fault
            for request in batch:
                request.ready.set()

    def _answer(self, batch: list[_Request]) -> None:
        for request in batch:
            if request.ended is not None:
                self._under_way = [request]
                told = end_episode(self._agent, request.ended, self._watch, self._timeout)
                request.answers = [told]
                self._gauge.read()
        asked = [request for request in batch if request.ended is None]
        turns = [turn for request in asked for turn in request.turns]
        if not turns:
            return
        self._under_way = asked
        answers = call_agent(self._agent, turns, self._watch, self._timeout)
        self.batches += 1
        self.turns += len(turns)
        for request in asked:
            request.answers = answers[: len(request.turns)]
            answers = answers[len(request.turns) :]


class _Request:
    """The turns of one group of lanes in one worker, or an episode's end; later their answers."""

    def __init__(
        self, turns: Sequence[Turn], ended: str | None = None, alone: bool = False
    ) -> None:
        self.turns = turns
        self.alone = alone
        self.ended = ended
        self.answers: list[Any] = []
        self.fault: BaseException | None = None
        self.ready = threading.Event()
