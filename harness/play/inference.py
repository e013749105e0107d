"""Calls an agent with a batch of turns, and returns an answer or a fault for each of them.

A batch that fails is split in halves until only the turns that fail are left.

Foreign code may raise anything, also what is no Exception (SystemExit, asyncio.CancelledError).
Here and in the rollout loop all of it is that code's fault; only KeyboardInterrupt is the user's.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any, Protocol

from harness.core import Agent, AgentUnavailable, Turn
from harness.core.errors import describe
from harness.host.footprint import footprint
from harness.play.values import AgentFault, Hung, listed, taken

__all__ = [
    "AgentFault",
    "AgentClient",
    "Hung",
    "LocalAgent",
    "Watch",
    "call_agent",
    "end_episode",
    "fault_of",
    "watched",
]


clock = time.perf_counter


class Watch:
    """Which foreign code the rollout loop is inside, and the deadline for its return.

    The loop sets the deadline before each call into a simulator or the agent, and resets it
    afterwards; a watchdog in a signal handler or another thread reads it. A plain attribute costs
    next to nothing per step; a timer per call would not.

    `deadline` is a time.perf_counter() value; 0.0: no foreign call is under way. `phase` is
    `simulator` or `agent`; `cases` holds the tickets of the cases that the call serves.
    """

    __slots__ = ("cases", "deadline", "phase")

    def __init__(self) -> None:
        self.phase = ""
        self.deadline = 0.0
        self.cases: Sequence[Any] = ()

    def overdue(self) -> bool:
        """Whether a foreign call is past its deadline."""
        return 0.0 < self.deadline < clock()

    def guard(self, phase: str, patience: float, cases: Sequence[Any]) -> None:
        """Give the foreign call that begins now `patience` seconds.

        The caller sets `deadline` to 0.0 when the call returns.
        """
        self.phase = phase
        self.cases = cases
        self.deadline = clock() + patience


class watched:
    """Guards a block that calls a simulator: `with watched(watch, seconds): ...`."""

    __slots__ = ("_patience", "_watch")

    def __init__(self, watch: Watch, patience: float) -> None:
        self._watch = watch
        self._patience = patience

    def __enter__(self) -> None:
        self._watch.phase, self._watch.deadline = "simulator", clock() + self._patience

    def __exit__(self, *_: object) -> None:
        self._watch.deadline = 0.0


def call_agent(agent: Agent, turns: Sequence[Turn], watch: Watch, timeout: float) -> list[Any]:
    """What the loop executes, for each turn in order: a move, a Chunk or an AgentFault.

    The answers are converted here, in the process and within the time of the agent, so that
    nothing foreign but its memory leaves it. `timeout`: how long each call of the agent may take,
    in seconds.
    """
    watch.phase, watch.deadline = "agent", clock() + timeout
    try:
        # A list of its own: an agent may empty, extend, reorder or keep what it is given.
        answers: Any = agent.act(list(turns))
        if type(answers) is not list or len(answers) != len(turns):
            answers = listed(answers, len(turns))
        if type(answers) is list:
            return [taken(answer, turn.brief.action) for answer, turn in zip(answers, turns)]
        failed = AgentFault(answers)
    except BaseException as fault:
        failed = fault_of(fault, timeout)
        if isinstance(fault, AgentUnavailable):
            # It was tried again and again already: no half of the batch is asked once more.
            return [failed] * len(turns)
    finally:
        watch.deadline = 0.0
    if len(turns) == 1:
        return [failed]
    # Copies have fresh random generators: a turn that is answered in the second attempt must get
    # the answer that it would have got alone.
    again = [dataclasses.replace(turn) for turn in turns]
    half = len(turns) // 2
    return [
        answer
        for part in (again[:half], again[half:])
        for answer in call_agent(agent, part, watch, timeout)
    ]


def fault_of(raised: BaseException, timeout: float) -> AgentFault:
    """What stands for the answer of an agent that raised this. Raises KeyboardInterrupt again."""
    if isinstance(raised, KeyboardInterrupt):
        raise raised
    if isinstance(raised, Hung):
        return AgentFault(f"no answer within {timeout:g} s")
    if isinstance(raised, AgentUnavailable):
        return unavailable(raised)
    return AgentFault(describe(raised))


def unavailable(silent: AgentUnavailable) -> AgentFault:
    """What stands for an answer of an agent that could not be asked."""
    return AgentFault(" ".join(str(silent).split())[:500] or "the agent is unavailable", "error")


def end_episode(agent: Agent, episode: str, watch: Watch, timeout: float) -> AgentFault | bool:
    """Tell the agent that an episode is over: True, or what it raised. `timeout`: in seconds."""
    watch.phase, watch.deadline = "agent", clock() + timeout
    try:
        tell: Any = agent.end
        told = tell([episode])  # a fault, of an agent that tells another process
        return told if type(told) is AgentFault else True
    except Hung:
        return AgentFault(f"end: it did not return within {timeout:g} s")
    except KeyboardInterrupt:
        raise
    except AgentUnavailable as silent:
        return unavailable(silent)
    except BaseException as fault:
        return AgentFault(f"end: {describe(fault)}")
    finally:
        watch.deadline = 0.0


class AgentClient(Protocol):
    """How the rollout loop reaches its agent: it submits a batch and collects its answers later.

    `elsewhere`, False where there is none: whether the agent is in another process, which cannot
    draw views.
    """

    def submit(self, turns: Sequence[Turn]) -> Any:
        """Hand over a batch; returns a ticket for `collect`."""
        ...

    def collect(self, ticket: Any) -> tuple[list[Any], float]:
        """(what `call_agent` returns, the seconds that it cost the loop)."""
        ...

    def first(self, requests: Sequence[Any], wait: bool) -> list[bool]:
        """Which tickets of `submit` can be collected; with `wait`, as soon as one can.

        Of a client whose agent is `elsewhere`."""
        ...

    def end(self, episode: str) -> Any:
        """Tell the agent that this episode is over; returns a ticket for `ended`."""
        ...

    def ended(self, ticket: Any, wait: bool) -> AgentFault | bool:
        """What the agent raised when it was told; True if nothing, False if it is not told yet.

        `wait`: until it is told, so that False is never returned.
        """
        ...

    def footprint(self) -> dict[str, int]:
        """What the agent takes, as harness.host.footprint says it, when an episode has ended."""
        ...


class LocalAgent:
    """The client of an agent in this process, called in the loop's own thread."""

    def __init__(self, agent: Agent, watch: Watch, timeout: float) -> None:
        self.agent = agent
        self.watch = watch
        self.timeout = timeout
        self._seconds = 0.0

    def submit(self, turns: Sequence[Turn]) -> list[Any]:
        """The answers themselves: the agent is called at once."""
        begun = clock()
        answers = call_agent(self.agent, turns, self.watch, self.timeout)
        self._seconds = clock() - begun
        return answers

    def collect(self, ticket: list[Any]) -> tuple[list[Any], float]:
        return ticket, self._seconds

    def first(self, requests: Sequence[Any], wait: bool) -> list[bool]:
        return [True] * len(requests)

    def footprint(self) -> dict[str, int]:
        return footprint(self.agent)

    def end(self, episode: str) -> AgentFault | bool:
        """What `ended` returns: the agent is told at once."""
        return end_episode(self.agent, episode, self.watch, self.timeout)

    def ended(self, ticket: AgentFault | bool, wait: bool) -> AgentFault | bool:
        return ticket
