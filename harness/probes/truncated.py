"""An agent whose context is cut: it answers as if the episode had begun a few turns ago.

What an agent knows of an episode comes in two ways: the observations of a turn (`Agent.history`)
and the memory that it hands on from answer to answer (`Answer.memory`). A context of c cuts both.
Of the history only what was seen since the c-th last turn is left. The memory is what the agent
makes of the last c turns alone: it is asked the c - 1 turns before this one again, the first of
them without a memory, and only its last answer counts. So nothing older can reach an answer, and
nothing younger is lost.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core import Agent, Answer, Turn, UserError
from harness.core.agent import ALL_VIEWS
from harness.probes.wrapped import WrappedSpec
from harness.records.identity import AgentSpec

__all__ = ["Truncated", "TruncatedSpec"]


@dataclass(frozen=True)
class _Window:
    """What is kept of an episode between two turns, as the memory of the wrapped agent."""

    turns: tuple[Turn, ...]
    """The last turns, at most c - 1 of them, the newest last."""
    remembers: bool
    """Whether the agent has answered with a memory in this episode. If not, there is nothing that
    asking it again could bring back."""


class Truncated(Agent):
    """Another agent, whose answers depend on its last `context` turns only."""

    def __init__(self, agent: Agent, context: int) -> None:
        """`context`: a number of turns from 1 on, this one included."""
        self._agent, self._context = agent, context
        self.reads = agent.reads  # type: ignore[misc]
        self.history = min(agent.history, context)  # type: ignore[misc]

    @property
    def footprint(self) -> Mapping[str, int] | None:  # type: ignore[override]
        """The agent's own."""
        return self._agent.footprint

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The agent's answers, each with the window that its next turn needs."""
        windows = [turn.memory or _Window((), False) for turn in turns]
        memories = self._memories(windows)
        asked = [
            _since(turn, window.turns[0].step if window.turns else turn.step, memory)
            for turn, window, memory in zip(turns, windows, memories)
        ]
        return [
            self._kept(answer, turn, window)
            for answer, turn, window in zip(self._agent.act(asked), turns, windows)
        ]

    def _memories(self, windows: Sequence[_Window]) -> list[Any]:
        """What the agent remembers of the turns of each window; None where it never remembers."""
        memories: list[Any] = [None] * len(windows)
        for place in range(self._context - 1):
            there = [
                k for k, each in enumerate(windows) if each.remembers and place < len(each.turns)
            ]
            if not there:
                break
            again = [
                _since(windows[k].turns[place], windows[k].turns[0].step, memories[k])
                for k in there
            ]
            for k, answer in zip(there, self._agent.act(again)):
                memories[k] = answer.memory if isinstance(answer, Answer) else None
        return memories

    def _kept(self, answer: Any, turn: Turn, window: _Window) -> Answer:
        remembered = isinstance(answer, Answer) and answer.memory is not None
        # The memory is the window itself, so a turn that is kept must not hold the one before.
        own = dataclasses.replace(turn, memory=None)
        most = self._context - 1
        kept = _Window((*window.turns, own)[-most:] if most else (), window.remembers or remembered)
        if isinstance(answer, Answer):
            return dataclasses.replace(answer, memory=kept)
        return Answer([answer], memory=kept)

    def end(self, episodes: Iterable[str]) -> None:
        """The agent's own end."""
        self._agent.end(episodes)

    def close(self) -> None:
        """The agent's own close."""
        self._agent.close()


def _since(turn: Turn, first: int, memory: Any) -> Turn:
    """The turn with what was seen from the step `first` on, and with this memory."""
    most = turn.step - first + 1
    if len(turn.observations) <= most:
        return dataclasses.replace(turn, memory=memory)
    return dataclasses.replace(
        turn,
        observations=turn.observations[-most:],
        actions=turn.actions[len(turn.actions) - (most - 1) :],
        memory=memory,
    )


@dataclass(frozen=True)
class TruncatedSpec(WrappedSpec):
    """The spec of another agent with a context of so many turns."""

    context: int

    @classmethod
    def of(cls, inner: AgentSpec, context: int) -> TruncatedSpec:
        """Raises UserError for an agent whose past turns cannot be kept."""
        if ALL_VIEWS in inner.declared()[0]:
            raise UserError(
                f"{inner.name} reads whatever it touches, so its past turns cannot be kept: let it "
                "name its views in `reads`, or set its context with --context-arg"
            )
        return cls(inner.name, inner.entry, inner.args, inner, context)

    def change(self) -> tuple[str, Any]:
        """The context."""
        return "context_turns", self.context

    def declared(self) -> tuple[tuple[str, ...], int]:
        """What the agent reads, and its history, cut."""
        reads, history = self.inner.declared()
        return reads, min(history, self.context)

    def build(self) -> Agent:
        """The agent, wrapped."""
        return Truncated(self.inner.build(), self.context)
