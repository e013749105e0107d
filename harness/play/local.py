"""Playing in this process (`--workers 0`): no Ray, no other process. A simulator that takes the process down takes the run with it."""

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


def play_locally(
    coordinator: Coordinator,
    spec: AgentSpec,
    *,
    lanes: int,
    agent_timeout: float,
    video: VideoSelection | None = None,
    way: Callable[[Agent, Watch, float], AgentClient] = LocalAgent,
) -> None:
    """Play all cases. `way` makes the loop's way to its agent. Raises what the store raises, and KeyboardInterrupt."""
    agent = spec.build()
    watch = Watch()
    loop = RolloutLoop(
        way(agent, watch, agent_timeout),
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
    """Raise Hung into a call that is overdue. Needs the main thread, which alone receives signals; elsewhere there is no watchdog."""
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
        signal.signal(signal.SIGALRM, before)
