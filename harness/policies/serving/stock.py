"""What a client of others sends, as turns: one episode a connection, without history.

Its protocol carries no brief, episode, step or random key. The agent is shown a brief that is made
of what is known: the views are the keys of the observation, and the action is what the server was
told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from harness.core import Box, Brief, Spec, Text, Turn, stream_key
from harness.core.reads import is_optional, is_shown, view_of
from harness.play.values import AgentFault, Chunk
from harness.policies.wire.packing import Malformed

__all__ = ["KeysAsViews", "StockEpisode", "StockForm"]

PROMPT = "prompt"
MOST_KEYS = 1000


class StockForm(Protocol):
    """How an observation of others becomes views, and actions their reply."""

    def views(self, observation: Mapping[str, Any]) -> dict[str, Any]:
        """Our views. Raises ValueError for what is none."""
        ...

    def prompt(self, observation: Mapping[str, Any]) -> str:
        """The instruction."""
        ...

    def brief(self, views: Mapping[str, Any]) -> Brief:
        """What the agent is told of its body, with the specs of these views."""
        ...

    def answer_out(self, actions: Any) -> np.ndarray:
        """[H, A]: actions as the client takes them."""
        ...


class KeysAsViews:
    """Without a profile: each key is a view, and the action a vector of a given size."""

    def __init__(self, size: int, low: float, high: float) -> None:
        """`size`: numbers of an action; each lies from `low` to `high`."""
        self._action = Box((size,), "float32", low, high, "", "as the client takes it")

    def views(self, observation: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: value if isinstance(value, str) else np.asarray(value)
            for name, value in observation.items()
            if name != PROMPT
        }

    def prompt(self, observation: Mapping[str, Any]) -> str:
        return str(observation.get(PROMPT, ""))

    def brief(self, views: Mapping[str, Any]) -> Brief:
        specs: dict[str, Spec] = {
            name: Text() if isinstance(value, str) else Box(value.shape, value.dtype.str)
            for name, value in views.items()
        }
        return Brief(specs, self._action, "a client of the openpi protocol", "not known here")

    def answer_out(self, actions: Any) -> np.ndarray:
        return np.stack([np.asarray(action) for action in actions])


class StockEpisode:
    """What the server knows of a connection of others."""

    def __init__(self, name: str, form: StockForm, reads: tuple[str, ...]) -> None:
        """`name`: the episode's. `reads`: the agent's."""
        self._name = name
        self._form = form
        self._reads = reads
        self._brief: Brief | None = None
        self._like: Any = None
        self._memory: Any = None
        self._step = 0
        self._key = stream_key("bench serve", name)

    @property
    def begun(self) -> bool:
        """Whether the agent was asked."""
        return self._step > 0

    def turn(self, observation: Any) -> Turn:
        """The turn that this observation asks for. Raises Malformed."""
        if not isinstance(observation, dict) or len(observation) > MOST_KEYS:
            raise Malformed("an observation is a map of keys and values")
        if not all(isinstance(name, str) for name in observation):
            raise Malformed("the keys of an observation are texts")
        try:
            views, prompt = self._form.views(observation), self._form.prompt(observation)
        except Exception as wrong:  # values of a stranger, in the hands of numpy
            raise Malformed(f"the observation does not fit: {wrong}") from None
        for name, value in views.items():
            if not isinstance(value, str) and np.asarray(value).dtype.kind not in "biuf":
                raise Malformed(f"{name!r} is neither numbers nor text")
        wanted = self._narrowed(views)
        like = {
            name: None if isinstance(value, str) else (value.shape, value.dtype.str)
            for name, value in wanted.items()
        }
        if self._brief is None or like != self._like:
            try:
                self._brief, self._like = self._form.brief(wanted), like
            except Exception as wrong:
                raise Malformed(f"the observation does not fit: {wrong}") from None
        turn = Turn(
            brief=self._brief,
            instruction=prompt,
            observations=(wanted,),
            actions=(),
            step=self._step,
            episode=self._name,
            memory=self._memory,
            rng_key=self._key,
        )
        self._step += 1
        return turn

    def reply(self, answer: Any) -> dict[str, Any] | AgentFault:
        """The reply to what `call_agent` returned."""
        if isinstance(answer, AgentFault):
            return answer
        moves: list[Any] = [answer]
        if isinstance(answer, Chunk):
            self._memory = answer.memory
            moves = [*answer.moves, *answer.rest]
        good = []
        for move in moves:
            if isinstance(move, AgentFault):
                break
            good.append(move[0])
        if not good:
            fault: AgentFault = moves[0]
            return fault
        try:
            return {"actions": self._form.answer_out(good)}
        except Exception as wrong:
            return AgentFault(f"its actions cannot be sent: {wrong}")

    def _narrowed(self, views: Mapping[str, Any]) -> dict[str, Any]:
        """The views that the agent reads."""
        if "*" in self._reads:
            return dict(views)
        if "expert" in self._reads:
            raise Malformed("the agent reads the expert's action, which no client of others sends")
        wanted = {}
        for name in self._reads:
            plain = view_of(name)
            if not is_shown(name, self._reads, views):
                continue
            if plain in views:
                wanted[plain] = views[plain]
            elif not is_optional(name):
                raise Malformed(
                    f"the agent reads the view {plain!r}; the observation has "
                    f"{', '.join(sorted(views))[:300] or 'none'}"
                )
        return wanted
