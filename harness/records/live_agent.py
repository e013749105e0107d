"""Agents that exist already: an object or a function of the caller's own process."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core import Agent, Brief, Missing, Turn, UserError
from harness.records.declared import check_agent_class, check_reading
from harness.records.identity import UNNAMED, AgentSpec

__all__ = ["LiveAgentSpec", "live"]

Function = Callable[[Sequence[Turn]], Sequence[Any]]


class FunctionAgent(Agent):
    """A function of turns as an agent."""

    def __init__(self, function: Function, reads: Sequence[str], history: int) -> None:
        self.reads = tuple(reads)  # type: ignore[misc]
        self.history = history  # type: ignore[misc]
        self._function = function

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return self._function(turns)


class _Borrowed(Agent):
    """Somebody else's agent. It is asked, and never closed: its owner goes on with it."""

    def __init__(self, agent: Agent) -> None:
        self.reads, self.history = agent.reads, agent.history  # type: ignore[misc]
        self._agent = agent

    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        return self._agent.act(turns)

    def end(self, episodes: Iterable[str]) -> None:
        self._agent.end(episodes)


@dataclass(frozen=True)
class LiveAgentSpec(AgentSpec):
    """An agent that is there already.

    It plays in this process as it is, or in Ray workers as a copy, made when the run begins.
    Nobody can build it again from its name, so its fingerprint is UNNAMED and it never resumes,
    unless it names the files that make it what it is (`Agent.files`).
    """

    agent: Agent

    def kind(self) -> type[Agent]:
        """A class that declares what this object does; its own class may declare other things."""
        agent = self.agent
        own = {"reads": tuple(agent.reads), "history": agent.history, "gpus": agent.gpus}
        declared: type[Agent] = type(type(agent).__name__, (type(agent),), own)
        return declared

    def unfit(self, brief: Brief) -> Missing | None:
        """None: nobody knows the arguments of an object that is there already."""
        return None

    def build(self) -> Agent:
        return _Borrowed(self.agent)

    def fingerprint(self, later: Collection[str] = ()) -> str:
        if not self.agent.files:
            return UNNAMED
        return self.contents(type(self.agent), self.agent.files).hexdigest()

    def to_json(self, begun: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return super().to_json(begun) | {"fingerprint": self.fingerprint()}


def live(agent: Any, reads: Sequence[str], history: int, name: str = "") -> LiveAgentSpec:
    """The spec of an Agent object or of a function of turns. Raises UserError on anything else.

    `reads` and `history` are those of a function; an object has its own.
    """
    kind: Any = type(agent)
    if not isinstance(agent, Agent):
        if not callable(agent):
            raise UserError(
                f"a policy is an Agent, a subclass of it, a function of turns, or a name; got "
                f"{kind.__name__}"
            )
        kind = agent if hasattr(agent, "__qualname__") else kind
        named = tuple(reads) if isinstance(reads, list) else reads
        check_reading("the policy", named, history)
        agent = FunctionAgent(agent, named, history)
    entry = f"{kind.__module__}:{kind.__qualname__}"
    check_agent_class(agent, entry)
    return LiveAgentSpec(name or kind.__name__.strip("<>"), entry, {}, agent)
