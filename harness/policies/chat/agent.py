"""`ChatAgent`: a chat model as an agent."""

from __future__ import annotations

import functools
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from harness.core import (
    Agent,
    AgentUnavailable,
    Answer,
    BadAction,
    Box,
    Brief,
    Elements,
    Missing,
    MultiDiscrete,
    Texts,
    Turn,
    UIAction,
    UserError,
)
from harness.core.text import shorten
from harness.play.values import AgentFault
from harness.policies.chat import forms, grammar, prompt
from harness.policies.chat.address import Address, read_key
from harness.policies.chat.endpoint import Endpoint, Refused
from harness.policies.chat.model import MODES, Model, Sampling
from harness.policies.chat.parallel import in_parallel
from harness.policies.chat.prices import read_price
from harness.policies.chat.reply import Reply
from harness.policies.chat.store import Store

__all__ = ["VIEWS", "Asked", "ChatAgent", "names_of", "whole"]

VIEWS = "text,text_scene,admissible,dom"
HISTORY = 4
MOST_HISTORY = 64
ONLY_HOW = frozenset(
    {"backoff_s", "cache", "concurrency", "give_up_s", "key_env", "prices", "retries", "timeout_s"}
)
"""Arguments that say how the endpoint is reached, and change no answer."""
MOST_SENT, MOST_ANSWERED = 6000, 4000
"""Characters of a message and of an answer in the transcript."""


@dataclass(frozen=True)
class Asked:
    """What came of asking a model."""

    value: Any
    figures: dict[str, float]
    exchanges: list[dict[str, str]]
    problem: str = ""
    """Why there is no value, after the second try."""


class ChatAgent(Agent):
    """A chat model behind any OpenAI-compatible endpoint.

    Every turn is one conversation: what the body is and how an action is written, the last
    observations with the actions between them, and the instruction. See docs/policies/chat.md.
    """

    outputs: ClassVar[tuple[str, ...]] = ("cache",)
    wanted: ClassVar[forms.Wanted] = forms.ACTION

    @classmethod
    def declares(cls, arguments: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
        names = names_of(arguments.get("views", VIEWS))
        history = arguments.get("history", HISTORY)
        return tuple(f"{name}?" for name in names), whole("history", history, 1, MOST_HISTORY)

    @classmethod
    def unfit(cls, arguments: Mapping[str, Any], brief: Brief) -> Missing | None:
        offered = {name: spec for name, spec in brief.observation.items() if prompt.tellable(spec)}
        if not offered.keys() & set(names_of(arguments.get("views", VIEWS))):
            some = ", ".join(sorted(offered)[:12]) or "none"
            return Missing(
                "it offers none of the views that the model is told",
                f"name one of {some} with --agent-arg views=NAME,...",
            )
        spec = brief.action
        size = 0
        if isinstance(spec, Box):
            size = math.prod(spec.shape)
        elif isinstance(spec, MultiDiscrete):
            size = len(spec.nvec)
        if size > grammar.MOST_NUMBERS:
            return Missing(
                f"an action has {size} numbers, and a model is asked for "
                f"{grammar.MOST_NUMBERS} at most",
                "choose another agent",
            )
        return None

    @classmethod
    def identity(cls, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return {name: value for name, value in arguments.items() if name not in ONLY_HOW}

    def __init__(
        self,
        address: str,
        views: str = VIEWS,
        history: int = HISTORY,
        images: int = 1,
        image_px: int = 512,
        view_chars: int = 8000,
        system: str = "system",
        thought: bool = False,
        mode: str = "auto",
        constrain: bool = True,
        on_invalid: str = "error",
        temperature: float | None = 0.0,
        seed: int = 0,
        max_tokens: int = 512,
        key_env: str = "",
        cache: str = "",
        prices: str = "",
        concurrency: int = 8,
        retries: int = 5,
        timeout_s: float = 120.0,
        backoff_s: float = 1.0,
        give_up_s: float = 400.0,
    ) -> None:
        """Reads the key; the endpoint is asked at the first turn.

        `views`: names, joined by commas. `images`: of how many of the newest observations images
        are shown, at most `image_px` px a side. `view_chars`: the most characters of a text.
        `system`: the role of the first message, `system`, `developer` or `user`. `thought`: whether
        the model is to think first. `mode`: `auto`, `tools`, `schema` or `text`. `constrain`:
        whether a schema allows only the commands or the elements that are there now, where a view
        tells them.
        `on_invalid`: `error` or `noop`, what an answer counts as that is no action after a second
        try. `temperature`: None leaves it to the endpoint. `prices`: a TOML file. `timeout_s`: of
        one attempt; `give_up_s`: of all attempts for a batch.

        Raises UserError with the remedy.
        """
        self.reads, self.history = self.declares({"views": views, "history": history})  # type: ignore[misc]
        self.footprint = {}  # an endpoint tells none
        for name, value, known in (
            ("mode", mode, tuple(MODES)),
            ("on_invalid", on_invalid, ("error", "noop")),
            ("system", system, ("system", "developer", "user")),
            ("thought", thought, (True, False)),
            ("constrain", constrain, (True, False)),
        ):
            if value not in known:
                raise UserError(f"{name} is one of {', '.join(map(str, known))}, got {value!r}")
        self._telling = prompt.Telling(
            views=names_of(views),
            images=whole("images", images, 0, MOST_HISTORY),
            image_px=whole("image_px", image_px, 16, 4096),
            view_chars=whole("view_chars", view_chars, 100, 1_000_000),
            system=system,
            thought=thought,
        )
        self._constrain = constrain
        self._noop = on_invalid == "noop"
        self._seed = whole("seed", seed, 0, 2**31 - 1)
        self._drawn = temperature is None or _number("temperature", temperature, 0) > 0
        self._concurrency = whole("concurrency", concurrency, 1, 256)
        self._give_up_s = _number("give_up_s", give_up_s, 0.001)
        where = Address.parse(address)
        sampling = Sampling(temperature, whole("max_tokens", max_tokens, 1, 1_000_000))
        price = read_price(prices, where.model)
        self._endpoint = Endpoint(
            where,
            read_key(where, key_env),
            retries=whole("retries", retries, 0, 100),
            timeout_s=_number("timeout_s", timeout_s, 0.001),
            backoff_s=_number("backoff_s", backoff_s, 0),
        )
        self._model = Model(self._endpoint, Store(cache), sampling, mode, price)

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """An Answer for each turn; an AgentFault of status `error` where the model was not reached.

        Raises AgentUnavailable where nobody was reached at all.
        """
        until = time.monotonic() + self._give_up_s
        form = self._model.form(until)
        # Views are drawn here: a simulator can be used from the thread of its own only.
        jobs: list[Callable[[], Any]] = [
            functools.partial(self._asked, turn, form, *self._request(turn, form), until)
            for turn in turns
        ]
        return in_parallel(jobs, self._concurrency)

    def close(self) -> None:
        self._endpoint.close()

    def _request(
        self, turn: Turn, form: str
    ) -> tuple[list[dict[str, Any]], tuple[Any, ...], int | None]:
        """(the conversation, what `_possible` says, the seed)."""
        messages = prompt.messages(turn, form, self._telling)
        return messages, _possible(turn, self._telling.views), self._seed_of(turn)

    def _seed_of(self, turn: Turn) -> int:
        # Else equal questions of different episodes would be one draw.
        drawn = int(turn.rng.integers(2**31)) if self._drawn else 0
        return (self._seed + drawn) % 2**31

    def _asked(
        self,
        turn: Turn,
        form: str,
        messages: list[dict[str, Any]],
        possible: tuple[Any, ...],
        seed: int | None,
        until: float,
    ) -> Any:
        """The answer to one turn: the model is asked, and once more if its answer is no action."""
        spec = turn.brief.action
        asked = self._exchange(
            messages,
            form,
            grammar.schema(spec, possible if self._constrain else ()),
            seed,
            until,
            functools.partial(forms.read, form, spec),
        )
        if isinstance(asked, AgentFault):
            return asked
        said = _line(turn, form, asked.exchanges)
        if asked.problem:
            none = AgentFault(f"no valid action: {asked.problem}"[:500])
            action = spec.noop() if self._noop else none
        else:
            action = asked.value
            if possible:
                asked.figures["impossible"] = float(_is_impossible(action, possible))
        return Answer([action], figures=asked.figures, said=said)

    def _exchange(
        self,
        messages: list[dict[str, Any]],
        form: str,
        schema: Mapping[str, Any],
        seed: int | None,
        until: float,
        read: Callable[[Reply], Any],
    ) -> Asked | AgentFault:
        """Ask, and once more if `read` raises BadAction; a fault where nobody could be asked."""
        figures = {"answers": 1.0, "invalid": 0.0, "repaired": 0.0, "refusals": 0.0}
        exchanges: list[dict[str, str]] = []
        problem = ""
        for attempt in (1, 2):
            exchange = {"sent": _sent(messages)}
            exchanges.append(exchange)
            try:
                reply, took = self._model.ask(
                    messages, form, schema, self._telling.thought, seed, until, wanted=self.wanted
                )
            except AgentUnavailable as silent:
                return AgentFault(str(silent), "error")
            except Refused as no:
                problem = f"the endpoint refuses the request: {no}"
                exchange["problem"] = problem
                break
            for name, value in took.items():
                figures[name] = figures.get(name, 0.0) + value
            said = forms.transcribed(reply)
            exchange["reply"] = shorten(said, MOST_ANSWERED)
            figures["refusals"] += bool(reply.refusal)
            try:
                value = read(reply)
            except BadAction as bad:
                problem = exchange["problem"] = str(bad)
                figures["invalid"] += attempt == 1
                messages = [
                    *messages,
                    {"role": "assistant", "content": said or "(nothing)"},
                    {"role": "user", "content": self._correction(form, problem)},
                ]
                continue
            figures["repaired"] += attempt == 2
            return Asked(value, figures, exchanges)
        return Asked(None, figures, exchanges, problem)

    def _correction(self, form: str, problem: str) -> str:
        explained = forms.explained(form, self._telling.thought, self.wanted)
        return f"That was no valid {self.wanted.word}: {problem}. {explained}"


def _possible(turn: Turn, views: Sequence[str]) -> tuple[Any, ...]:
    """The commands that are possible now, or the refs on the screen; empty where nothing tells."""
    for name in views:
        spec = turn.brief.observation.get(name)
        if isinstance(spec, Texts):
            return tuple(turn.observation[name])
        if isinstance(spec, Elements):
            return tuple(element.ref for element in turn.observation[name])
    return ()


def _is_impossible(action: Any, possible: Sequence[Any]) -> bool:
    """Whether a command is not among those that are possible, or an element is not there."""
    if isinstance(action, UIAction):
        return any(ref is not None and ref not in possible for ref in (action.ref, action.to_ref))
    return action not in possible


def _sent(messages: Sequence[Mapping[str, Any]]) -> str:
    """The text of the last message, with images by their number: what is new since the last one."""
    content = messages[-1]["content"]
    if isinstance(content, list):
        texts = [part["text"] for part in content if part["type"] == "text"]
        content = "\n".join([*texts, f"({len(content) - len(texts)} images)"])
    return shorten(str(content), MOST_SENT)


def _line(turn: Turn, form: str, exchanges: Sequence[Mapping[str, str]]) -> str:
    return json.dumps({"step": turn.step, "form": form, "exchanges": list(exchanges)})


def names_of(views: Any) -> tuple[str, ...]:
    """The names of views, which are joined by commas. Raises UserError."""
    names = views.split(",") if isinstance(views, str) else views
    if not isinstance(names, (list, tuple)) or not all(isinstance(each, str) for each in names):
        raise UserError(f"views are names, joined by commas; got {views!r:.80}")
    found = tuple(dict.fromkeys(each.strip().rstrip("?") for each in names if each.strip()))
    if not found or "expert" in found:
        raise UserError(f"views are names of views that a model can be told; got {views!r:.80}")
    return found


def whole(name: str, value: Any, low: int, high: int) -> int:
    """A whole number within bounds, of the argument `name`. Raises UserError."""
    if type(value) is not int or not low <= value <= high:
        raise UserError(f"{name} is a whole number from {low} to {high}, got {value!r:.80}")
    return value


def _number(name: str, value: Any, low: float) -> float:
    if type(value) not in (int, float) or not np.isfinite(value) or value < low:
        raise UserError(f"{name} is a number from {low} on, got {value!r:.80}")
    return float(value)
