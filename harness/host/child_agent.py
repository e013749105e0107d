"""The child's side of an agent in another interpreter: it answers turns, and keeps their memory.

What an agent remembers never leaves this process: a turn carries a number in its place, so that it
may be anything, as in the same process. Runs on Python 3.9 with numpy and msgpack alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import numpy as np

from harness.core import Agent, AgentUnavailable, Answer, SkillCall, Turn, UIAction
from harness.core.errors import describe
from harness.core.skills import MOST_CALLS
from harness.host.footprint import Gauge
from harness.records.identity import AgentSpec

__all__ = ["AgentHost"]

MOST_ACTIONS = 1_000_000
"""As in the same process; see harness/play/values.py."""
PLAIN = (str, int, float, bytes, type(None), UIAction)
_KINDS = "biufcSU"


class AgentHost:
    """The agent of this process. `operations` are its part of the protocol."""

    def __init__(self) -> None:
        self._agent: Any = None
        self._gauge = Gauge(None)
        self._briefs: dict[int, Any] = {}
        self._memories: dict[str, dict[int, Any]] = {}
        self._numbers = itertools.count()

    @property
    def operations(self) -> dict[str, Callable[..., Any]]:
        """Name -> function of each operation of the protocol that concerns an agent."""
        return {
            "agent_describe": self.describe,
            "agent_ask": self.ask,
            "agent_unfit": self.unfit,
            "agent_build": self.build,
            "agent_act": self.act,
            "agent_embed": self.embed,
            "agent_end": self.end,
        }

    def describe(self, name: str, entry: str, args: Mapping[str, Any]) -> dict[str, Any]:
        """What the class declares for these arguments, and the packages that are here."""
        spec = AgentSpec(name, entry, args)
        kind = spec.kind()
        reads, history = spec.declared()
        return {
            "json": spec.to_json(),
            "named": spec.named(),
            "packages": packages(),
            "class": kind.__name__,
            "module": kind.__module__,
            "reads": reads,
            "history": history,
            "gpus": kind.gpus,
            "served": kind.served,
            "files": kind.files,
            "outputs": kind.outputs,
            "judges_fit": kind.unfit.__func__ is not Agent.unfit.__func__,  # type: ignore[attr-defined]
        }

    def ask(
        self, name: str, entry: str, args: Mapping[str, Any], question: str, given: Sequence[Any]
    ) -> Any:
        """What its AgentSpec answers to `fingerprint`, `written_since` or `to_json`."""
        return getattr(AgentSpec(name, entry, args), question)(*given)

    def unfit(self, entry: str, args: Mapping[str, Any], brief: Any) -> Any:
        """Why an agent of these arguments cannot play with this body."""
        return AgentSpec(entry, entry, args).kind().unfit(args, brief)

    def build(self, name: str, entry: str, args: Mapping[str, Any]) -> Any:
        """Build the agent; returns (reads, history)."""
        self._agent = AgentSpec(name, entry, args).build()
        self._gauge = Gauge(self._agent)
        return tuple(self._agent.reads), self._agent.history

    def act(self, briefs: Mapping[int, Any], turns: Sequence[Sequence[Any]]) -> Any:
        """Answer turns: ["answers", list], or [`raised` or `unavailable`, text].

        `briefs`: those that are new, by number. A turn is a list: the number of its brief, then
        its fields, with the number of its memory.
        """
        self._briefs.update(briefs)

        def answered() -> list[Any]:
            asked = [self._turn(*fields) for fields in turns]
            answers = list(itertools.islice(self._agent.act(list(asked)), len(asked) + 1))
            if len(answers) != len(asked):
                raise ValueError(f"{len(answers)} answers or more to {len(asked)} turns")
            return [self._told(turn.episode, each) for turn, each in zip(asked, answers)]

        return _judged("answers", answered)

    def embed(self, texts: Sequence[str]) -> Any:
        """Its embeddings of these instructions: ["embedded", array], or how it failed."""
        return _judged("embedded", lambda: np.asarray(self._agent.embed(list(texts))))

    def end(self, episodes: Sequence[str]) -> Any:
        """These episodes are over: ["ended", the agent's footprint], or how it failed."""
        for episode in episodes:
            self._memories.pop(episode, None)

        def ended() -> dict[str, int]:
            self._agent.end(list(episodes))
            return self._gauge.read()

        return _judged("ended", ended)

    def close(self) -> None:
        """Free everything."""
        agent, self._agent = self._agent, None
        if agent is not None:
            agent.close()

    def _turn(self, brief: int, episode: str, memory: int | None, fields: dict[str, Any]) -> Turn:
        """The turn, and forget what its episode remembers beside what it is shown.

        That was superseded, or came with an answer which was not accepted.
        """
        kept = self._memories.setdefault(episode, {})
        for number in [each for each in kept if each != memory]:
            del kept[number]
        shown = None if memory is None else kept[memory]
        return Turn.of(
            {
                **fields,
                "brief": self._briefs[brief],
                "episode": episode,
                "memory": shown,
                "rng_key": int(fields["rng_key"]),
            }
        )

    def _told(self, episode: str, answer: Any) -> Any:
        """[0, action], or [1, actions, rest, number of the memory, and its other parts]."""
        if not isinstance(answer, Answer):
            return [0, _plain(answer)]
        number = None
        if answer.memory is not None:
            number = next(self._numbers)
            self._memories[episode][number] = answer.memory
        told = [_listed(answer.actions), _listed(answer.rest), number]
        notes = [_plain(answer.figures), _plain(answer.said), _calls(answer.calls)]
        return [1, *told, *notes, _plain(answer.confidence), _plain(answer.ask)]


def packages() -> dict[str, str]:
    """Name -> version of every package that is installed in this interpreter."""
    from importlib.metadata import distributions

    found = {str(each.metadata["Name"]): str(each.version) for each in distributions()}
    return dict(sorted(found.items()))


def _judged(word: str, call: Callable[[], Any]) -> Any:
    """[word, what the call returns], or how it failed: the text, as in the same process."""
    try:
        return [word, call()]
    except AgentUnavailable as silent:
        return ["unavailable", str(silent)]
    except BaseException as fault:
        return ["raised", describe(fault)]


def _listed(actions: Any) -> Any:
    if isinstance(actions, (*PLAIN, Mapping, Set)) or not hasattr(actions, "__iter__"):
        return _plain(actions)
    return [_plain(each) for each in itertools.islice(actions, MOST_ACTIONS + 1)]


def _calls(calls: Any) -> Any:
    if not isinstance(calls, (tuple, list)) or not all(type(each) is SkillCall for each in calls):
        raise TypeError("Answer.calls must be a list of SkillCalls")
    return tuple(calls[: MOST_CALLS + 1])


def _plain(value: Any) -> Any:
    """A value that can pass; anything else becomes an array, as a tensor does."""
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    array = np.asarray(value)
    if array.dtype.kind not in _KINDS:
        raise TypeError(f"an action of {type(value).__name__} cannot pass to another interpreter")
    return array
