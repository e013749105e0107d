"""The worker's side of a parallel run: the rollout loop in a thread, and `exchange` to feed it.

Independent of Ray.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.core import Case
from harness.core.errors import describe
from harness.play.case_queue import Ticket
from harness.play.closing import close
from harness.play.endings import ObserverMaker
from harness.play.environments import EnvSlot, environment_key
from harness.play.fit import FitCheck
from harness.play.inference import AgentClient, LocalAgent, Watch
from harness.play.outcome import Outcome
from harness.play.reset_check import ResetCheck
from harness.play.rollout import RolloutLoop
from harness.play.worker_output import Notices
from harness.records.control_clock import ControlClock
from harness.records.identity import AgentSpec

__all__ = ["POLL_S", "Exchange", "EpisodeWorker"]

POLL_S = 0.2
"""The longest that one exchange takes where the driver names no other time, in seconds: the driver
hears of a hang no later."""


@dataclass(frozen=True)
class Exchange:
    """A worker's reply to the driver."""

    outcomes: list[Outcome]
    hung: tuple[str, list[Ticket]] | None = None
    """(phase, tickets) of a call into a simulator or the agent that is past its deadline."""
    broken: str | None = None
    """Why the loop itself ended, if it did; the worker must then be replaced."""
    notices: list[str] = field(default_factory=list)
    """What the worker has to tell the user."""
    returned: list[Ticket] = field(default_factory=list)
    """Cases that it had not begun, and gives back as it was asked to."""


def _key(case: Case) -> str | None:
    try:
        return environment_key(case.task, case.backend)
    except BaseException:  # foreign code: the loop asks again, and reports what it raises
        return None


class EpisodeWorker:
    """Plays the cases that it is given, in a separate thread.

    If a simulator or the agent hangs, that thread is stuck, but `exchange`, which another thread
    calls, still answers and reports the hang.
    """

    def __init__(
        self,
        spec: AgentSpec,
        client: AgentClient | None,
        reads: Sequence[str],
        history: int,
        *,
        lanes: int,
        groups: int,
        timeout: float,
        observed: ObserverMaker | None = None,
        notices: Notices | None = None,
        clock: ControlClock | None = None,
        kept: Sequence[Sequence[EnvSlot]] = (),
    ) -> None:
        """`client` reaches a served agent; None: this worker builds its own agent.

        `kept`: what `rest` of a worker with as many lanes and groups returned.
        """
        self._notices = notices or Notices()
        self._watch = client.watch if client is not None else Watch()  # type: ignore[attr-defined]
        self._agent = None
        if client is None:
            self._agent = spec.build()
            reads, history = self._agent.reads, self._agent.history
            client = LocalAgent(self._agent, self._watch, timeout)
        self._buffer: deque[tuple[Ticket, Case]] = deque()
        self._outcomes: list[Outcome] = []
        self._broken: str | None = None
        self._closing = False
        self._low = 0
        self._given = 0
        self._hurried = False
        self._changed = threading.Condition()
        self._loop = RolloutLoop(
            client,
            reads,
            history,
            lanes=lanes,
            groups=groups,
            watch=self._watch,
            report=self._report,
            observed=observed,
            resets=ResetCheck(self._watch),
            clock=clock,
            fit=FitCheck(spec, self._watch, timeout),
        )
        self._loop.adopt(kept)
        self._thread = threading.Thread(target=self._play, name="lanes", daemon=True)
        self._thread.start()

    def take(self, held: Sequence[str]) -> tuple[Ticket, Case] | None:
        """The next case for the loop, preferably with an environment key in `held`."""
        with self._changed:
            if not self._buffer:
                return None
            keys = set(held)
            cases = enumerate(case for _, case in self._buffer)
            number = next((number for number, case in cases if _key(case) in keys), 0)
            taken = self._buffer[number]
            del self._buffer[number]
            if self._told():
                self._changed.notify_all()
            return taken

    def _report(self, outcome: Outcome) -> None:
        with self._changed:
            self._outcomes.append(outcome)
            if self._told():
                self._changed.notify_all()

    def _play(self) -> None:
        try:
            while not self._closing:
                self._loop.turn(self)
                if not self._loop.busy():
                    with self._changed:
                        self._changed.wait_for(lambda: self._buffer or self._closing)
        except BaseException as fault:
            with self._changed:
                self._broken = describe(fault)
                self._changed.notify_all()

    def exchange(
        self, cases: Sequence[tuple[Ticket, Case]], back: int = 0, wait_s: float = POLL_S
    ) -> Exchange:
        """Take further cases, and give back so many that are not begun; returns the outcomes.

        Returns as soon as half of the waiting cases are taken and there is an outcome to report,
        after `wait_s` seconds at the latest, at once as long as there were no cases, and when
        `hurry` is called.
        """
        returned: list[Ticket] = []
        with self._changed:
            while self._buffer and len(returned) < back:
                returned.append(self._buffer.pop()[0])  # the last ones are the farthest from begun
            self._given += len(cases)
            self._buffer.extend(cases)
            self._low = len(self._buffer) // 2
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._given == 0 or returned or self._hurried or self._told(), wait_s
            )
            self._hurried = False
            outcomes, self._outcomes = self._outcomes, []
        hung = (self._watch.phase, list(self._watch.cases)) if self._watch.overdue() else None
        return Exchange(outcomes, hung, self._broken, self._notices.take(), returned)

    def hurry(self) -> None:
        """Let the exchange under way return now: a worker with nothing to do waits for it."""
        with self._changed:
            self._hurried = True
            self._changed.notify_all()

    def _told(self) -> bool:
        """Whether there is something to report, and room for further cases."""
        low = len(self._buffer) <= self._low
        return self._broken is not None or (low and bool(self._outcomes))

    def close(self) -> list[str]:
        """End the loop after its current round, then close the environments and the agent.

        Returns what there is to tell.
        """
        if self._ended():
            self._loop.close()
            if self._agent is not None:
                close(self._agent, self._watch)
        return self._notices.take()

    def rest(self) -> tuple[list[str], list[list[EnvSlot]] | None]:
        """End the loop and close the agent, but not the environments.

        Returns (what there is to tell, the environments of each group); None in their place if the
        loop does not end or has failed.
        """
        kept: list[list[EnvSlot]] | None = None
        if self._ended() and self._broken is None:
            kept = self._loop.release()
            if self._agent is not None:
                close(self._agent, self._watch)
        return self._notices.take(), kept

    def _ended(self) -> bool:
        """Let the loop end after its current round; whether it has."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout=10.0)
        return not self._thread.is_alive()
