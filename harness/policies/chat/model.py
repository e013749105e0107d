"""A model behind an endpoint: which form of answer and which parameters it takes, and its replies.

What an endpoint takes is found out with one short question and kept; so are its replies, by request
(see `store`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core import AgentUnavailable, BadAction, Discrete
from harness.policies.chat import forms, grammar
from harness.policies.chat.endpoint import Endpoint, Failing, Refused
from harness.policies.chat.prices import Price
from harness.policies.chat.reply import Reply
from harness.policies.chat.store import Store, request_hash

__all__ = ["MODES", "Model", "Sampling"]

MODES: Mapping[str, tuple[str, ...]] = {
    "auto": forms.FORMS,
    "tools": ("tools",),
    "schema": ("json_schema", "json_object"),
    "text": ("text",),
}
"""Mode -> the forms that are tried, in order."""
QUESTION = "Choose the action ready."
CHOICES = Discrete(2, ("ready", "waiting"))
REFUSED = "(refused)"
"""The `finish` of a stored reply that stands for a refusal of the request."""
MOST_CHANGES = 4
RETRIES_OF_A_TRY = 1
"""After a status of 500, where that may mean that the form of answer is not known."""


@dataclass(frozen=True)
class Sampling:
    """How a model chooses its words."""

    temperature: float | None
    max_tokens: int


class Model:
    """One model. Threads may use it together."""

    def __init__(
        self, endpoint: Endpoint, store: Store, sampling: Sampling, mode: str, price: Price | None
    ) -> None:
        self._endpoint = endpoint
        self._store = store
        self._sampling = sampling
        self._mode = mode
        self._price = price
        self._names = {"max_tokens": "max_tokens", "temperature": "temperature", "seed": "seed"}
        """Parameter -> what this endpoint calls it; absent where it takes none."""
        self._form = "text" if mode == "text" else ""
        self._finding = threading.Lock()

    def form(self, until: float) -> str:
        """The form of answer that it can give, found out at the first call.

        `until`: as of Endpoint.post. Raises AgentUnavailable, also where it can give none of those
        that the mode allows.
        """
        with self._finding:
            if not self._form:
                self._form = self._found(until)
            return self._form

    def _found(self, until: float) -> str:
        said = ""
        for form in MODES[self._mode]:
            messages = [
                {
                    "role": "user",
                    "content": f"{grammar.described(CHOICES)} {QUESTION} "
                    f"{forms.explained(form, False)}",
                }
            ]
            try:
                schema = grammar.schema(CHOICES)
                reply, _ = self.ask(messages, form, schema, False, 0, until, trying=form != "text")
                if form == "text":
                    return form
                # A model may write JSON unasked; only a schema makes it write nothing else.
                if form == "tools" and not reply.calls:
                    raise BadAction("it called no function")
                if form != "tools" and not reply.content.strip().startswith("{"):
                    raise BadAction("it did not answer in JSON")
                forms.read(form, CHOICES, reply)
                return form
            except (Refused, BadAction) as no:
                said = str(no)
        raise AgentUnavailable(
            f"{self._endpoint.address.url} gives no answer in the mode {self._mode}: {said}; leave "
            "--agent-arg mode out"
        )

    def ask(
        self,
        messages: Sequence[Mapping[str, Any]],
        form: str,
        action: Mapping[str, Any],
        thought: bool,
        seed: int | None,
        until: float,
        *,
        trying: bool = False,
        wanted: forms.Wanted = forms.ACTION,
    ) -> tuple[Reply, dict[str, float]]:
        """The reply to a conversation, and what it took, by name. `action`: its JSON schema, or
        that of whatever else is `wanted`.

        `trying`: whether the endpoint may not know the form, which some say by failing. Raises
        AgentUnavailable and Refused.
        """
        took = {"requests": 0.0, "cached": 0.0, "retries": 0.0, "waited_s": 0.0}
        for _ in range(MOST_CHANGES):
            body = self._body(messages, forms.asked_for(form, action, thought, wanted), seed)
            request = request_hash(self._endpoint.address.url, body)
            try:
                reply = self._once(request, body, took, until, trying)
            except Refused as no:
                if not self._changed(body, str(no)):
                    raise
                continue
            took["tokens_in"], took["tokens_out"] = float(reply.tokens_in), float(reply.tokens_out)
            if self._price is not None:
                spent = self._price.of(reply.tokens_in, reply.tokens_out)
                took["usd"] = 0.0 if took["cached"] else spent
            return reply, took
        raise Refused("it takes none of the parameters that it names")

    def _once(
        self,
        request: str,
        body: Mapping[str, Any],
        took: dict[str, float],
        until: float,
        trying: bool,
    ) -> Reply:
        known = self._store.get(request)
        if known is not None:
            if known.finish == REFUSED:
                raise Refused(known.content)
            took["cached"] += 1
            return known
        begun = time.monotonic()
        try:
            sent = self._endpoint.post(body, until, RETRIES_OF_A_TRY if trying else None)
        except (Refused, Failing) as no:
            if isinstance(no, Failing) and not trying:
                raise
            # Kept too: a rerun must come to the same parameters without asking.
            self._store.put(request, Reply(content=str(no), finish=REFUSED))
            raise Refused(str(no)) from None
        took["requests"] += 1
        took["retries"] += sent.attempts - 1
        took["waited_s"] += time.monotonic() - begun
        self._store.put(request, sent.reply)
        return sent.reply

    def _body(
        self,
        messages: Sequence[Mapping[str, Any]],
        answer: Mapping[str, Any],
        seed: int | None,
    ) -> dict[str, Any]:
        given = {
            "max_tokens": self._sampling.max_tokens,
            "temperature": self._sampling.temperature,
            "seed": seed,
        }
        named = {
            self._names[name]: value
            for name, value in given.items()
            if value is not None and name in self._names
        }
        return {
            "model": self._endpoint.address.model,
            "messages": list(messages),
            **answer,
            **named,
        }

    def _changed(self, body: Mapping[str, Any], said: str) -> bool:
        """Whether a refusal names a parameter of ours that can be renamed or left out; it is then.

        `body`: what was refused; another thread may have learnt it meanwhile.
        """
        if "max_tokens" in body and "max_completion_tokens" in said:
            self._names["max_tokens"] = "max_completion_tokens"
            return True
        for name in ("temperature", "seed"):
            if name in body and name in said:
                self._names.pop(name, None)
                return True
        return False
