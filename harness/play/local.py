"""Plays cases in this process (`--workers 0`), without Ray.

A simulator that crashes ends the whole run.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.core import Agent
from harness.play.closing import close
from harness.play.coordinator import Coordinator
from harness.play.endings import ObserverMaker
from harness.play.fit import FitCheck
from harness.play.inference import AgentClient, LocalAgent, Watch
from harness.play.outcome import Outcome
from harness.play.reset_check import ResetCheck
from harness.play.rollout import RolloutLoop
from harness.play.watchdog import Interrupts, Watchdog
from harness.records.identity import AgentSpec

__all__ = ["play_locally"]


def play_locally(
    coordinator: Coordinator,
    spec: AgentSpec,
    *,
    lanes: int,
    agent_timeout: float,
    observed: ObserverMaker | None = None,
    make_client: Callable[[Agent, Watch, float], AgentClient] = LocalAgent,
) -> None:
    """Play all cases.

    `make_client(agent, watch, agent_timeout)` makes the loop's client of the agent; timeouts are in
    seconds. Raises StorageFull and KeyboardInterrupt.
    """
    agent = spec.build()
    watch = Watch()

    with Interrupts(coordinator) as interrupts, Watchdog(watch, interrupts) as watchdog:

        def settle(outcome: Outcome) -> None:
            coordinator.settle(outcome)
            watchdog.rearm()

        loop = RolloutLoop(
            make_client(agent, watch, agent_timeout),
            agent.reads,
            agent.history,
            lanes=lanes,
            groups=1,
            watch=watch,
            report=settle,
            observed=observed,
            resets=ResetCheck(watch),
            clock=coordinator.plan.clock,
            fit=FitCheck(spec, watch, agent_timeout),
        )
        try:
            while not coordinator.finished:
                loop.turn(coordinator)
        finally:
            try:
                loop.close()
            finally:
                close(agent, watch)
