"""A recorded episode is forked: its actions up to a step, and another agent's from there on.

The other agent is asked along the recorded part too, as often as it would be if it acted itself,
and these answers are discarded. So it has seen what it would have seen, and keeps the memory that
it would have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from harness.core import Agent, Answer, Case, Result, TimeStep, Turn, UserError
from harness.play.endings import EpisodeObserver
from harness.play.episode import Episode
from harness.play.inference import LocalAgent, Watch
from harness.play.outcome import Outcome
from harness.play.rollout import RolloutLoop
from harness.play.values import AgentFault, Chunk, actions_of, taken
from harness.play.watchdog import Interrupts, Watchdog
from harness.probes.changes import NOTHING, Change
from harness.records.control_clock import ControlClock

__all__ = ["Branch", "Brancher", "Seen"]

MOST_FRAMES = 2_000
"""Pictures of a branch that are kept for a video."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the agent was shown at a step, and what it answered."""

    turn: Turn
    answer: tuple[Any, ...]
    """The actions of its answer; an AgentFault stands for one that could not be taken."""


@dataclass(frozen=True, kw_only=True)
class Branch:
    """How a forked episode went on."""

    at: int
    """From this step on the agent acted."""
    result: Result
    seen: Seen | None
    """The fork's own turn; None where the episode ended before it."""
    chunks: bool
    """Whether any answer held several actions."""
    frames: tuple[np.ndarray, ...] = ()
    """uint8 (H, W, 3), one for each step, where they were asked for."""


class _Forked(Agent):
    """Acts as recorded before a step, and as another agent from then on."""

    def __init__(self, agent: Agent, actions: Sequence[Any], at: int, change: Change) -> None:
        self.reads, self.history = agent.reads, agent.history  # type: ignore[misc]
        self._agent, self._actions, self._at, self._change = agent, actions, at, change
        self.seen: Seen | None = None
        self.chunks = False

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The answer to the only turn."""
        (turn,) = turns
        shown = self._change.turn(turn)
        (answer,) = self._agent.act([shown])
        if isinstance(answer, Answer) and answer.calls:
            raise UserError("it calls skills, which cannot be forked")
        self.chunks = self.chunks or (isinstance(answer, Answer) and len(answer.actions) > 1)
        answer = self._change.answer(answer)
        if turn.step >= self._at:
            if turn.step == self._at:
                moves = actions_of(taken(answer, turn.brief.action))
                self.seen = Seen(turn=shown, answer=tuple(moves))
            return [answer]
        return [self._recorded(turn, answer)]

    def _recorded(self, turn: Turn, answer: Any) -> Any:
        """What is executed in the place of a discarded answer, as many steps as it would act."""
        found = taken(answer, turn.brief.action)
        if isinstance(found, AgentFault):
            return self._actions[turn.step]
        until = min(turn.step + len(actions_of(found)), self._at)
        actions = list(self._actions[turn.step : until])
        if isinstance(found, Chunk):
            return Answer(actions, memory=found.memory)
        return actions[0]

    def end(self, episodes: Any) -> None:
        """The agent's own end."""
        self._agent.end(episodes)


class _Clock(ControlClock):
    """The clock of a run, which stands still before the fork."""

    def __init__(self, clock: ControlClock, at: int) -> None:
        super().__init__(clock.rate, clock.latencies)
        object.__setattr__(self, "_at", at)

    def latency(self, task: str, seed: int, step: int, took: float) -> float:
        """Nothing before the fork: what is executed there is recorded."""
        at: int = self.__dict__["_at"]
        return 0.0 if step < at else super().latency(task, seed, step, took)


class _Frames:
    """Keeps the pictures from one step on."""

    def __init__(self, first: int) -> None:
        self._first = first
        self.frames: list[np.ndarray] = []

    def _keep(self, episode: Episode) -> None:
        if episode.steps >= self._first and len(self.frames) < MOST_FRAMES:
            self.frames.append(np.array(episode.slot.render(), np.uint8))

    def begin(self, episode: Episode, first: TimeStep) -> None:
        self._keep(episode)

    def step(self, episode: Episode, seen: TimeStep, last: bool) -> None:
        self._keep(episode)

    def end(self, episode: Episode, outcome: Outcome) -> Outcome:
        return outcome

    def close(self) -> None:
        pass


class Brancher:
    """Plays branches of episodes in this process, one at a time. Environments are kept.

    Use it as a context manager, in the main thread: its watchdog ends calls that hang.
    """

    def __init__(self, agent: Agent, clock: ControlClock | None, timeout: float) -> None:
        """`clock`: of the agent's run. `timeout`: how long an answer may take, in seconds."""
        self._agent, self._clock, self._timeout = agent, clock, timeout
        self._watch = Watch()
        self._last: RolloutLoop | None = None

    def __enter__(self) -> Brancher:
        self._interrupts = Interrupts(SimpleNamespace(interrupted=False))
        self._interrupts.__enter__()
        self._watchdog = Watchdog(self._watch, self._interrupts)
        self._watchdog.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        try:
            if self._last is not None:
                self._last.close()
        finally:
            self._watchdog.__exit__(*raised)
            self._interrupts.__exit__(*raised)

    def play(
        self,
        case: Case,
        actions: Sequence[Any],
        at: int,
        change: Change = NOTHING,
        frames_from: int | None = None,
    ) -> Branch:
        """Play `actions` before the step `at`, and the agent with this change from there on.

        `frames_from`: keep the pictures of the steps from this one on. Raises UserError where the
        simulator fails, and KeyboardInterrupt.
        """
        forked = _Forked(self._agent, actions, at, change)
        clock = None if self._clock is None or change.at_once else _Clock(self._clock, at)
        kept = None if frames_from is None else _Frames(frames_from)
        outcome = self.outcome(forked, change.case(case), clock, kept)
        assert outcome.result is not None
        return Branch(
            at=at,
            result=outcome.result,
            seen=forked.seen,
            chunks=forked.chunks,
            frames=tuple(kept.frames) if kept is not None else (),
        )

    def outcome(
        self,
        agent: Agent,
        case: Case,
        clock: ControlClock | None = None,
        observer: EpisodeObserver | None = None,
    ) -> Outcome:
        """The outcome, with a result, of a case that this agent plays. Raises as `play` does."""
        outcomes: list[Outcome] = []
        cases = [(0, case)]

        class Source:
            def take(self, held: Sequence[str]) -> Any:
                return cases.pop() if cases else None

        loop = self._loop(agent, clock, observer, outcomes)
        while cases or loop.busy():
            loop.turn(Source())
        (outcome,) = outcomes
        if outcome.missing is not None:
            why = outcome.missing
            raise UserError(f"{case.task.id} cannot run here: {why.reason}; {why.remedy}")
        assert outcome.result is not None
        if outcome.result.status == "error":
            raise UserError(f"{case.task.id}, seed {case.seed}: {outcome.result.error}")
        return outcome

    def _loop(
        self,
        agent: Agent,
        clock: ControlClock | None,
        observer: EpisodeObserver | None,
        outcomes: list[Outcome],
    ) -> RolloutLoop:
        """A loop of one lane for this agent, with the environments of the loop before."""
        loop = RolloutLoop(
            LocalAgent(agent, self._watch, self._timeout),
            agent.reads,
            agent.history,
            lanes=1,
            groups=1,
            watch=self._watch,
            report=outcomes.append,
            observer=observer,
            clock=clock,
        )
        if self._last is not None:
            loop.adopt(self._last.release())
        self._last = loop
        return loop
