"""Plays cases in this process (`--workers 0`), without Ray.

A simulator that crashes ends the whole run.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from harness.core import Agent
from harness.play.coordinator import Coordinator
from harness.play.episode import VideoSelection
from harness.play.inference import AgentClient, Hung, LocalAgent, Watch
from harness.play.rollout import RolloutLoop
from harness.records.identity import AgentSpec

__all__ = ["play_locally"]

TICK_S = 0.5
"""Seconds between two looks at the deadline."""


def play_locally(
    coordinator: Coordinator,
    spec: AgentSpec,
    *,
    lanes: int,
    agent_timeout: float,
    video: VideoSelection | None = None,
    make_client: Callable[[Agent, Watch, float], AgentClient] = LocalAgent,
) -> None:
    """Play all cases.

    `make_client(agent, watch, agent_timeout)` makes the loop's client of the agent; timeouts are in
    seconds. Raises StorageFull and KeyboardInterrupt.
    """
    agent = spec.build()
    watch = Watch()
    loop = RolloutLoop(
        make_client(agent, watch, agent_timeout),
        agent.reads,
        agent.history,
        lanes=lanes,
        groups=1,
        watch=watch,
        report=coordinator.settle,
        video=video,
    )
    try:
        with _watchdog(watch):
            while not coordinator.finished:
                loop.turn(coordinator)
    finally:
        loop.close()
        agent.close()


@contextlib.contextmanager
def _watchdog(watch: Watch) -> Iterator[None]:
    """Raise Hung into a call that is past its deadline.

    Works by a timer signal, and only the main thread receives signals: in other threads there is no
    watchdog. Native code that never returns to the interpreter is not interrupted either.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def tick(_signal: int, _frame: FrameType | None) -> None:
        if watch.overdue():
            watch.deadline = 0.0
            raise Hung

    before = signal.signal(signal.SIGALRM, tick)
    signal.setitimer(signal.ITIMER_REAL, TICK_S, TICK_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        # A tick that is still pending must not meet the default action, which ends the process.
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, before)
