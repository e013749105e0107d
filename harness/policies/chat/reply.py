"""What an endpoint answered, read from its JSON and checked.

https://platform.openai.com/docs/api-reference/chat/object describes the format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.core.text import encodable
from harness.records import safe_json

__all__ = ["BadReply", "Reply", "ToolCall"]

MOST_TEXT = 200_000
"""Characters of an answer that are kept; the rest is cut off."""
MOST_CALLS = 32
MOST_TOKENS = 10**9


class BadReply(ValueError):
    """What came is no chat completion; the message says why."""


@dataclass(frozen=True)
class ToolCall:
    """A call of a function that the model asks for."""

    name: str
    arguments: str
    """JSON, as the model wrote it."""


@dataclass(frozen=True)
class Reply:
    """A chat completion, of which the first choice counts."""

    content: str = ""
    calls: tuple[ToolCall, ...] = ()
    refusal: str = ""
    """What the model or the endpoint's filter said instead of an answer; empty: no refusal."""
    finish: str = ""
    """Why it ended: `stop`, `length`, `tool_calls`, `content_filter`."""
    tokens_in: int = 0
    tokens_out: int = 0

    @classmethod
    def from_json(cls, body: bytes) -> Reply:
        """The reply in the body of a response. Raises BadReply."""
        try:
            found = safe_json.parse(body)
        except ValueError as wrong:  # UnicodeDecodeError is one
            raise BadReply(f"it is no JSON: {str(wrong)[:200]}") from None
        if not isinstance(found, Mapping):
            raise BadReply(f"it holds {safe_json.shown(found)} instead of a chat completion")
        choices = found.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
            raise BadReply("it has no choices, which a chat completion has")
        message = choices[0].get("message")
        if not isinstance(message, Mapping):
            raise BadReply("its first choice has no message")
        finish = choices[0].get("finish_reason")
        finish = finish[:80] if isinstance(finish, str) else ""
        refusal = _text(message.get("refusal"), "refusal")
        if finish == "content_filter" and not refusal:
            refusal = "the endpoint's content filter"
        usage = found.get("usage")
        usage = usage if isinstance(usage, Mapping) else {}
        return cls(
            content=_content(message.get("content")),
            calls=_calls(message.get("tool_calls")),
            refusal=refusal,
            finish=finish,
            tokens_in=_count(usage.get("prompt_tokens")),
            tokens_out=_count(usage.get("completion_tokens")),
        )

    def to_json(self) -> dict[str, Any]:
        """The reply as a file holds it."""
        fields = {name: value for name, value in vars(self).items() if name != "calls"}
        return {**fields, "calls": [[call.name, call.arguments] for call in self.calls]}

    @classmethod
    def from_file(cls, fields: Any) -> Reply:
        """What `to_json` wrote. Raises BadReply for anything else."""
        if not isinstance(fields, dict) or fields.keys() != vars(cls()).keys():
            raise BadReply("it has other fields than a reply has")
        calls = fields["calls"]
        pairs = isinstance(calls, list) and all(
            isinstance(each, list) and len(each) == 2 for each in calls
        )
        if not pairs or len(calls) > MOST_CALLS:
            raise BadReply("its calls are no list of names and arguments")
        texts = {name: _text(fields[name], name) for name in ("content", "refusal", "finish")}
        return cls(
            **texts,
            calls=tuple(
                ToolCall(_text(name, "name"), _text(given, "arguments")) for name, given in calls
            ),
            tokens_in=_count(fields["tokens_in"]),
            tokens_out=_count(fields["tokens_out"]),
        )


def _content(given: Any) -> str:
    """The text of a message; some endpoints give it in parts."""
    if isinstance(given, list):
        parts = [each.get("text") for each in given if isinstance(each, Mapping)]
        return _text("".join(each for each in parts if isinstance(each, str)), "content")
    return _text(given, "content")


def _calls(given: Any) -> tuple[ToolCall, ...]:
    if given is None:
        return ()
    if not isinstance(given, list):
        raise BadReply("its tool_calls are no list")
    found = []
    for each in given[:MOST_CALLS]:
        function = each.get("function") if isinstance(each, Mapping) else None
        if not isinstance(function, Mapping):
            raise BadReply("one of its tool_calls has no function")
        arguments = function.get("arguments")
        found.append(ToolCall(_text(function.get("name"), "name"), _text(arguments, "arguments")))
    return tuple(found)


def _text(given: Any, what: str) -> str:
    """A text that can be encoded; nothing is the empty one."""
    if given is None:
        return ""
    if not isinstance(given, str):
        raise BadReply(f"its {what} is {safe_json.shown(given)}, not a text")
    return encodable(given[:MOST_TEXT], None)


def _count(given: Any) -> int:
    """A number of tokens; 0 where it is not told, or no such number."""
    return given if type(given) is int and 0 <= given <= MOST_TOKENS else 0
