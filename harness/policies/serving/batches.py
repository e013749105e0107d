"""One agent for many connections, with dynamic batching.

As harness/play/batching.py for the threads of Ray: whatever waits when the agent becomes free is
its next batch. Here connections are coroutines of one event loop, and the agent has a thread.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from harness.core import Agent, Turn
from harness.host.footprint import Gauge
from harness.play.inference import AgentFault, Watch, call_agent, end_episode

__all__ = ["Batches"]


class Batches:
    """Calls the agent, in its own thread, with all turns that wait."""

    def __init__(self, agent: Agent, timeout: float, largest: int) -> None:
        """`timeout`: how long a call of the agent may take, in seconds. `largest`: turns."""
        self._agent = agent
        self._timeout = timeout
        self._largest = largest
        self._watch = Watch()
        self._gauge = Gauge(agent)
        self._waiting: deque[tuple[Sequence[Turn], str, asyncio.Future[Any]]] = deque()
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._busy = False
        self.hung = asyncio.Event()
        """Set when a call did not return in time. Its thread cannot be ended: the server must."""
        threading.Thread(target=self._call, name="agent", daemon=True).start()

    async def infer(self, turns: Sequence[Turn]) -> list[Any]:
        """What `call_agent` returns for these turns."""
        found: list[Any] = await self._ask(turns, "")
        return found

    async def end(self, episode: str) -> AgentFault | bool:
        """What `end_episode` returns."""
        told: AgentFault | bool = await self._ask((), episode)
        return told

    @property
    def footprint(self) -> dict[str, int]:
        """What the agent took when an episode ended; read by its own thread."""
        return self._gauge.last

    async def _ask(self, turns: Sequence[Turn], ended: str) -> Any:
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((turns, ended, answered))
        self._next()
        return await answered

    def _next(self) -> None:
        if self._busy or not self._waiting:
            return
        loop = asyncio.get_running_loop()
        batch = [self._waiting.popleft()]
        size = len(batch[0][0])
        while self._waiting and size + len(self._waiting[0][0]) <= self._largest:
            batch.append(self._waiting.popleft())
            size += len(batch[-1][0])
        self._busy = True
        late = loop.call_later(self._timeout + 1.0, self._give_up, batch)

        def work() -> None:
            answers: Any
            try:
                answers = self._answers(batch)
            except BaseException as fault:  # call_agent raises KeyboardInterrupt only
                answers = fault
            loop.call_soon_threadsafe(done, answers)

        def done(answers: Any) -> None:
            late.cancel()
            self._busy = False
            for number, (_, _, answered) in enumerate(batch):
                if answered.done():
                    continue
                if isinstance(answers, BaseException):
                    answered.set_exception(answers)
                else:
                    answered.set_result(answers[number])
            self._next()

        self._calls.put(work)

    def _give_up(self, batch: Sequence[Any]) -> None:
        """The call does not return: its turns fail, and nothing else can be asked any more."""
        reason = f"no answer within {self._timeout:g} s"
        alone = sum(len(turns) for turns, _, _ in batch) == 1
        for turns, _, answered in (*batch, *self._waiting):
            # Of several turns nobody knows which one is to blame: they are played again.
            fault = AgentFault(reason, "agent_error" if alone and turns else "error")
            if not answered.done():
                answered.set_result([fault] * len(turns) if turns else fault)
        self._waiting.clear()
        self.hung.set()

    def _call(self) -> None:
        while True:
            self._calls.get()()

    def _answers(self, batch: Sequence[tuple[Sequence[Turn], str, Any]]) -> list[Any]:
        found: list[Any] = [None] * len(batch)
        asked: list[Turn] = []
        for number, (turns, ended, _) in enumerate(batch):
            if ended:
                found[number] = end_episode(self._agent, ended, self._watch, self._timeout)
                self._gauge.read()
            asked.extend(turns)
        answers = call_agent(self._agent, asked, self._watch, self._timeout) if asked else []
        for number, (turns, ended, _) in enumerate(batch):
            if not ended:
                found[number], answers = answers[: len(turns)], answers[len(turns) :]
        return found
