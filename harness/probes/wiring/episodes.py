"""Episodes of the probe: an agent plays a case with one change, and what came of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from harness.core import Agent, Answer, Box, Brief, Case, Result, Spec, Turn
from harness.core.batches import on_host
from harness.core.reads import view_of
from harness.play.values import AgentFault, Chunk, actions_of, taken
from harness.probes.changes import NOTHING, Change
from harness.probes.fork import Brancher
from harness.probes.wiring.passive import Passive

__all__ = ["Kept", "Measure", "Played", "Shadow", "Stage", "better"]

Measure = Callable[[Result], float | None]
"""What says how far a case came where it does not succeed; more is better."""
TIE = 0.1
"""Agreements that differ by less count as equal, and progress that differs by less than this share
of the larger one."""


@dataclass(frozen=True, kw_only=True)
class Played:
    """What came of one episode."""

    success: bool | None
    progress: float | None
    """The score, or the metric that was asked for; None where the agent failed."""
    agreement: float | None
    """Mean agreement of answers with the expert, 0 to 1; None without an expert."""
    error: str = ""
    """Why the agent failed, if it did."""


def better(new: Played, old: Played, *, dense: bool) -> float:
    """1 where `new` came further than `old`, 0 where it did not come as far, or else 0.5.

    Success decides, or progress where there is no success. `dense`: where both fail, progress
    does, and then agreement.
    """
    if new.success is not old.success:
        return float(new.success is True)
    if new.success:
        return 0.5
    found = 0.5
    if dense or new.success is None:
        found = _more(new.progress, old.progress)
    if dense and found == 0.5:
        found = _more(new.agreement, old.agreement, 1.0)
    return found


def _more(one: float | None, other: float | None, scale: float | None = None) -> float:
    """`scale`: what TIE is a share of; None: the larger one of both."""
    if one is None or other is None:
        return 0.5
    size = max(abs(one), abs(other), 1e-9) if scale is None else scale
    return 0.5 if abs(one - other) < TIE * size else float(one > other)


class _Watched(Agent):
    """Another agent, changed; its answers are compared with the expert's, which it is not shown."""

    def __init__(self, agent: Agent, change: Change, expert: bool) -> None:
        own = "expert" in agent.reads
        self.reads = (*agent.reads, *(("expert",) if expert and not own else ()))  # type: ignore[misc]
        self.history = agent.history  # type: ignore[misc]
        self._agent, self._change, self._hide = agent, change, expert and not own
        self.agreed: list[float] = []
        self.brief: Brief | None = None
        self.instruction = ""
        self.chunks = self.rest = False

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The answer to the only turn."""
        (turn,) = turns
        if self.brief is None:
            self.brief, self.instruction = turn.brief, turn.instruction
        shown = dataclasses.replace(turn, expert=None) if self._hide else turn
        (answer,) = self._agent.act([self._change.turn(shown)])
        self._note(answer)
        answer = self._change.answer(answer)
        if self._hide and turn.expert is not None:
            first = actions_of(taken(answer, turn.brief.action))[:1]
            if first and not isinstance(first[0], AgentFault):
                self.agreed.append(_agreement(turn.brief.action, first[0], turn.expert))
        return [answer]

    def _note(self, answer: Any) -> None:
        if isinstance(answer, Answer):
            self.chunks = self.chunks or len(answer.actions) > 1
            self.rest = self.rest or len(answer.rest) > 0
        elif isinstance(answer, Chunk):
            self.chunks = self.chunks or len(answer.moves) > 1
            self.rest = self.rest or bool(answer.rest)

    def end(self, episodes: Any) -> None:
        """The agent's own end."""
        self._agent.end(episodes)


def _agreement(spec: Any, one: Any, other: Any) -> float:
    """1 where two actions are equal; of bounded numbers, less by their mean distance."""
    if isinstance(spec, Box):
        low, high = (each.astype(np.float64) for each in spec.limits)
        if np.isfinite(low).all() and np.isfinite(high).all() and (high > low).all():
            apart = np.abs(np.asarray(one, np.float64) - np.asarray(other, np.float64))
            return 1 - float(np.mean(apart / (high - low)))
        return float(np.allclose(one, other))
    return float(np.array_equal(one, other))


class Shadow(Agent):
    """Acts as recorded, and notes what the agent would have answered with a change."""

    def __init__(self, agent: Agent, actions: Sequence[Any], change: Change) -> None:
        self.reads, self.history = agent.reads, agent.history  # type: ignore[misc]
        self._agent, self._actions, self._change = agent, actions, change
        self.answers: list[tuple[Any, ...]] = []

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The recorded actions, as many as the answer holds."""
        (turn,) = turns
        (answer,) = self._agent.act([self._change.turn(turn)])
        found = taken(answer, turn.brief.action)
        moves = tuple(actions_of(found))
        self.answers.append(moves)
        memory = found.memory if isinstance(found, Chunk) else None
        actions = list(self._actions[turn.step : turn.step + max(1, len(moves))])
        return [Answer(actions, memory=memory) if isinstance(found, Chunk) else actions[0]]

    def end(self, episodes: Any) -> None:
        """The agent's own end."""
        self._agent.end(episodes)


class _Beside(Agent):
    """Acts as the expert, and asks another agent at every step, which is not shown the expert."""

    def __init__(self, agent: Agent) -> None:
        self.reads = (*agent.reads, "expert")  # type: ignore[misc]
        self.history = agent.history  # type: ignore[misc]
        self._agent, self._memory = agent, None
        self.spec: Spec | None = None
        self.pairs: list[tuple[np.ndarray, np.ndarray]] = []

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The expert's action, or none where it has given up."""
        (turn,) = turns
        self.spec = turn.brief.action
        shown = dataclasses.replace(turn, expert=None, memory=self._memory)
        (answer,) = self._agent.act([shown])
        self._memory = answer.memory if isinstance(answer, (Answer, Chunk)) else None
        if turn.expert is None:
            return [turn.brief.action.noop()]
        answered = _first_numbers(answer)
        spec = self.spec
        if isinstance(spec, Box) and answered is not None and answered.shape == spec.shape:
            self.pairs.append((answered, np.asarray(turn.expert, np.float64)))
        return [turn.expert]

    def end(self, episodes: Any) -> None:
        """The agent's own end."""
        self._agent.end(episodes)


def _first_numbers(answer: Any) -> np.ndarray | None:
    """The first action of an answer, as float64; None where it is no numbers."""
    if isinstance(answer, AgentFault):
        return None
    if isinstance(answer, Chunk):  # its actions were taken, and maybe clipped, already
        moves = [each[0] for each in answer.moves[:1] if not isinstance(each, AgentFault)]
    else:
        moves = list(answer.actions[:1]) if isinstance(answer, Answer) else [answer]
    try:
        return np.asarray(on_host(moves[0]), np.float64) if moves else None
    except (TypeError, ValueError):
        return None  # whoever executes it says what is wrong with it


class Kept(Protocol):
    """Episodes with a change that were played before."""

    known: dict[tuple[str, str], Played]
    """(case id, change) -> what came of it."""

    def add(self, case: str, change: str, played: Played) -> None:
        """Keep one more."""


class Stage:
    """Where the episodes of a probe are played, one after the other."""

    def __init__(
        self,
        brancher: Brancher,
        agent: Agent,
        measure: Measure,
        expert: bool,
        most: int,
        journal: Kept | None = None,
    ) -> None:
        """`expert`: whether agreement with it is measured. `most`: episodes that may be played.

        `journal`: keeps episodes with a change, of this agent and these cases.
        """
        self._journal = journal
        self._brancher, self._agent = brancher, agent
        self._measure, self._expert, self.most = measure, expert, most
        self.episodes = 0
        self.briefs: dict[str, Brief] = {}
        """Of each task, what the agent was told."""
        self.instructions: set[str] = set()
        self.passive = Passive()
        """Takes what came of the cases where nothing was changed."""
        self.chunks = self.rest = False
        self._plain: dict[str, Played] = {}
        self._executed: dict[str, list[Any]] = {}

    def declares(self, view: str) -> bool:
        """Whether the agent names this view among those that it reads."""
        return view in set(map(view_of, self._agent.reads))

    @property
    def history(self) -> int:
        """How many observations the agent is shown."""
        return self._agent.history

    def play(self, case: Case, change: Change = NOTHING) -> Played:
        """The agent plays a case with this change. Raises UserError where the simulator fails.

        Without a change each case is played once, and what came of it is kept.
        """
        if change is NOTHING and case.id in self._plain:
            return self._plain[case.id]
        self.episodes += 1
        if self._journal is not None and (case.id, str(change)) in self._journal.known:
            return self._journal.known[case.id, str(change)]
        watched = _Watched(self._agent, change, self._expert)
        outcome = self._brancher.outcome(watched, change.case(case))
        result = outcome.result
        assert result is not None
        if change is NOTHING:
            self._executed[case.id] = [] if outcome.trace is None else outcome.trace.decoded()
            self.passive.add(result)
        if watched.brief is not None:
            self.briefs.setdefault(case.task.id, watched.brief)
            self.instructions.add(watched.instruction)
        self.chunks, self.rest = self.chunks or watched.chunks, self.rest or watched.rest
        agreed = watched.agreed
        played = Played(
            success=result.success,
            progress=self._measure(result) if result.status == "finished" else None,
            agreement=sum(agreed) / len(agreed) if agreed else None,
            error=result.error or "",
        )
        if change is NOTHING:
            self._plain[case.id] = played
        elif self._journal is not None:
            self._journal.add(case.id, str(change), played)
        return played

    def executed(self, case: Case) -> list[Any]:
        """The actions that were executed where nothing was changed."""
        self.play(case)
        return self._executed[case.id]

    @property
    def has_expert(self) -> bool:
        """Whether there is an expert that the agent does not see anyway."""
        return self._expert and "expert" not in self._agent.reads

    def beside_expert(self, case: Case) -> tuple[Spec | None, list[tuple[np.ndarray, np.ndarray]]]:
        """What the agent answers, before it is clipped, and what the expert does, where that acts.

        With the action's spec; there are no pairs where it is not a Box.
        """
        self.episodes += 1
        beside = _Beside(self._agent)
        self._brancher.outcome(beside, case)
        return beside.spec, beside.pairs

    def shadow(self, case: Case, actions: Sequence[Any], change: Change) -> Shadow:
        """What the agent answers with a change while these actions are executed."""
        self.episodes += 1
        shadow = Shadow(self._agent, actions, change)
        self._brancher.outcome(shadow, case)
        return shadow
