"""The spec of another agent that a probe wraps: the same agent, but for what the probe changes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core import Agent, Brief, Missing, Turn
from harness.records.identity import AgentSpec

__all__ = ["ChangedTurns", "WrappedSpec"]


class ChangedTurns(Agent):
    """Another agent that is shown something else in the place of each turn."""

    def __init__(self, agent: Agent, change: Callable[[Turn], Turn]) -> None:
        self._agent, self._change = agent, change
        self.reads, self.history = agent.reads, agent.history  # type: ignore[misc]

    @property
    def footprint(self) -> Mapping[str, int] | None:  # type: ignore[override]
        """The agent's own."""
        return self._agent.footprint

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        """The agent's answers to what it is shown."""
        return self._agent.act([self._change(turn) for turn in turns])

    def end(self, episodes: Iterable[str]) -> None:
        """The agent's own end."""
        self._agent.end(episodes)

    def close(self) -> None:
        """The agent's own close."""
        self._agent.close()


@dataclass(frozen=True)
class WrappedSpec(AgentSpec):
    """Base of the specs of wrapped agents. `build` makes the wrapper."""

    inner: AgentSpec

    def change(self) -> tuple[str, Any]:
        """(name, JSON value) of what the probe changes, as run.json has it."""
        raise NotImplementedError

    def kind(self) -> type[Agent]:
        """The agent's own class."""
        return self.inner.kind()

    def declared(self) -> tuple[tuple[str, ...], int]:
        """As the agent declares."""
        return self.inner.declared()

    def unfit(self, brief: Brief) -> Missing | None:
        """As the agent says."""
        return self.inner.unfit(brief)

    def fingerprint(self, later: Collection[str] = ()) -> str:
        """Of the agent and of what is changed."""
        return self._changed(self.inner.fingerprint(later))

    def to_json(self, begun: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """As of the agent, with what is changed in `identity`."""
        told = self.inner.to_json(begun)
        name, value = self.change()
        return {
            **told,
            "identity": {**told.get("identity", told["args"]), name: value},
            "history": self.declared()[1],
            "fingerprint": self._changed(told["fingerprint"]),
        }

    def _changed(self, fingerprint: str) -> str:
        name, value = self.change()
        text = f"{fingerprint} {name} {value}"
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
