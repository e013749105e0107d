"""The ends of episodes: the agent is told of each, then its outcome is reported, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from harness.core import TimeStep
from harness.play.episode import Episode
from harness.play.footprint import FootprintNotes
from harness.play.inference import AgentClient, AgentFault, Watch
from harness.play.late_answers import LateAnswers
from harness.play.outcome import AGENT, Outcome

__all__ = ["Endings", "EpisodeObserver", "ObserverMaker"]


class EpisodeObserver(Protocol):
    """Is told of every step, rewards included, which no agent sees: for learning and for videos."""

    def begin(self, episode: Episode, first: TimeStep) -> None:
        """Called after the reset."""
        ...

    def step(self, episode: Episode, seen: TimeStep, last: bool) -> None:
        """Called after each action; `last` if the episode ended with it."""
        ...

    def end(self, episode: Episode, outcome: Outcome) -> Outcome:
        """Called when the episode is over; returns the outcome to report."""
        ...

    def close(self) -> None:
        """Called when the lanes are closed."""
        ...


class ObserverMaker(Protocol):
    """Makes the observer of each process that plays; it is pickled on its way there."""

    def observer(self, watch: Watch) -> EpisodeObserver:
        """`watch`: guards what the observer asks of a simulator."""
        ...


class Endings:
    """Episodes that are over, and of whose end the agent is being told."""

    def __init__(
        self,
        agent: AgentClient,
        watch: Watch,
        observer: EpisodeObserver | None,
        late: LateAnswers | None,
        report: Callable[[Outcome], None],
    ) -> None:
        """`late`: what is known of the latency of answers, where time does not wait for them."""
        self._agent = agent
        self._watch = watch
        self._observer = observer
        self._late = late
        self._report = report
        self._footprint = FootprintNotes(agent)
        self.told: deque[tuple[Any, Episode, Outcome]] = deque()
        """Of whose end the agent is being told: (the client's ticket, the episode, its outcome)."""

    def tickets(self) -> list[Any]:
        """Those of the episodes whose outcomes are not reported yet."""
        return [episode.ticket for _, episode, _ in self.told]

    def add(self, episode: Episode, outcome: Outcome) -> None:
        """Tell the agent of an episode's end, and report what is settled.

        The agent is told before the outcome is reported: an agent that records episodes writes its
        file then, and the line of a result must never be there without it.
        """
        self._watch.cases = episode.tickets
        self.told.append((self._agent.end(episode.name), episode, outcome))
        self.settle(wait=False)

    def settle(self, wait: bool) -> None:
        """Report the outcomes of episodes of whose end the agent is told, in order.

        `wait`: for all of them; otherwise up to the first of which it is not told yet.
        """
        while self.told:
            ticket, episode, outcome = self.told[0]
            self._watch.cases = episode.tickets
            told = self._agent.ended(ticket, wait)
            if told is False:
                return
            self.told.popleft()
            finished = outcome.result is not None and outcome.result.status == "finished"
            if isinstance(told, AgentFault) and finished:
                outcome = Outcome.failed(episode, told.status, told.reason, AGENT)
            if self._late is not None:
                outcome = self._late.ended(episode, outcome)
            outcome = self._footprint.noted(outcome)
            if self._observer is not None:
                outcome = self._observer.end(episode, outcome)
            self._report(outcome)
