"""How an agent is asked: a batch of turns in, an answer or a fault for each out. When a batch raises it is split until the culprit stands alone."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from harness.core import Agent, Turn
from harness.core.errors import describe

__all__ = [
    "FAULTS",
    "AgentFault",
    "AgentClient",
    "Hung",
    "LocalAgent",
    "Watch",
    "ask",
    "watched",
]


clock = time.perf_counter


@dataclass(frozen=True)
class AgentFault:
    """The agent did not answer this turn; `reason` says why, in one line."""

    reason: str


class Hung(BaseException):
    """Raised into a call that does not return. No Exception, so that nobody's `except Exception` swallows it."""


FAULTS = (Exception, SystemExit, Hung)
"""What foreign code may raise at us: a simulator that calls sys.exit must not end the run."""


class Watch:
    """What the loop is doing now, and until when it may: written before and after each call into foreign code, read by a watchdog.

    The deadline is a time.perf_counter() value; 0.0 means that no foreign call is under way.
    """

    __slots__ = ("cases", "deadline", "phase")

    def __init__(self) -> None:
        self.phase = ""
        self.deadline = 0.0
        self.cases: Sequence[Any] = ()

    def overdue(self) -> bool:
        """Whether the call under way should have returned."""
        return 0.0 < self.deadline < clock()

    def guard(self, phase: str, patience: float, cases: Sequence[Any]) -> None:
        """A call into foreign code begins: it has `patience` seconds. Set `deadline` to 0.0 when it is back."""
        self.phase = phase
        self.cases = cases
        self.deadline = clock() + patience


class watched:
    """The watchdog's clock runs inside: `with watched(watch, seconds): ...`."""

    __slots__ = ("_patience", "_watch")

    def __init__(self, watch: Watch, patience: float) -> None:
        self._watch = watch
        self._patience = patience

    def __enter__(self) -> None:
        self._watch.phase, self._watch.deadline = "simulator", clock() + self._patience

    def __exit__(self, *_: object) -> None:
        self._watch.deadline = 0.0


def ask(agent: Agent, turns: Sequence[Turn], watch: Watch, timeout: float) -> list[Any]:
    """One answer or AgentFault for each turn, in order. `timeout` is in seconds, for each call of the agent."""
    watch.phase, watch.deadline = "agent", clock() + timeout
    try:
        answers = agent.act(turns)
        if len(answers) == len(turns):
            return list(answers)
        reason = f"answered {len(answers)} of {len(turns)} turns"
    except Hung:
        reason = f"no answer within {timeout:g} s"
    except (Exception, SystemExit) as fault:
        reason = describe(fault)
    finally:
        watch.deadline = 0.0
    if len(turns) == 1:
        return [AgentFault(reason)]
    # Fresh turns: their generators may have been drawn from, and who is asked again must have the same luck.
    again = [dataclasses.replace(turn) for turn in turns]
    half = len(turns) // 2
    return ask(agent, again[:half], watch, timeout) + ask(agent, again[half:], watch, timeout)


class AgentClient(Protocol):
    """The loop's way to its agent: `submit` one batch, do something else, `collect` its answers."""

    def submit(self, turns: Sequence[Turn]) -> Any:
        """Hand over a batch; returns a ticket."""
        ...

    def collect(self, ticket: Any) -> tuple[list[Any], float]:
        """One answer or AgentFault for each turn of that batch, and the seconds that this loop spent on it."""
        ...

    def end(self, episodes: Sequence[str]) -> None:
        """These episodes are over."""
        ...


class LocalAgent:
    """An agent that lives beside the loop."""

    def __init__(self, agent: Agent, watch: Watch, timeout: float) -> None:
        self._agent = agent
        self._watch = watch
        self._timeout = timeout
        self._seconds = 0.0

    def submit(self, turns: Sequence[Turn]) -> list[Any]:
        """Answered at once."""
        begun = clock()
        answers = ask(self._agent, turns, self._watch, self._timeout)
        self._seconds = clock() - begun
        return answers

    def collect(self, ticket: list[Any]) -> tuple[list[Any], float]:
        """The answers of that submission."""
        return ticket, self._seconds

    def end(self, episodes: Sequence[str]) -> None:
        """Pass it on; an agent that fails here has failed no episode, so its fault is raised."""
        self._agent.end(episodes)
