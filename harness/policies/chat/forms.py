"""How an answer is asked for: as a tool call, by a JSON schema, or in plain text.

`FORMS` is the order in which they are tried. Two kinds of schema are in use: OpenAI's
`response_format = {"type": "json_schema", ...}`, which vLLM and others take too, and llama.cpp's
`{"type": "json_object", "schema": ...}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.core import ActionSpec, BadAction
from harness.core.text import shorten
from harness.policies.chat import grammar
from harness.policies.chat.reply import Reply
from harness.records import safe_json

__all__ = [
    "ACTION",
    "FORMS",
    "Wanted",
    "asked_for",
    "explained",
    "read",
    "spoken",
    "transcribed",
    "value_of",
]

FORMS = ("tools", "json_schema", "json_object", "text")


@dataclass(frozen=True)
class Wanted:
    """What a model is asked for."""

    word: str
    """The member of the JSON object that holds it, and what its line begins with in plain text."""
    tool: str
    """The function that a tool call names."""
    what: str
    """What that function does."""


ACTION = Wanted("action", "act", "Take one action.")
_THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)


def _object(value: Mapping[str, Any], thought: bool, word: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"thought": {"type": "string"}} if thought else {}
    fields[word] = dict(value)
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def asked_for(
    form: str, value: Mapping[str, Any], thought: bool, wanted: Wanted = ACTION
) -> dict[str, Any]:
    """The fields of a request that ask for an answer in this form. `value`: its JSON schema."""
    holds = _object(value, thought, wanted.word)
    tool = wanted.tool
    if form == "tools":
        function = {"name": tool, "description": wanted.what, "parameters": holds}
        choice = {"type": "function", "function": {"name": tool}}
        return {"tools": [{"type": "function", "function": function}], "tool_choice": choice}
    if form == "json_schema":
        named = {"name": tool, "schema": holds, "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": named}}
    if form == "json_object":
        return {"response_format": {"type": "json_object", "schema": holds}}
    return {}


def explained(form: str, thought: bool, wanted: Wanted = ACTION) -> str:
    """What the system message says of the form."""
    word = wanted.word
    if form == "tools":
        return f"Answer with one call of the function {wanted.tool}."
    if form == "text":
        lead = "Think in a few sentences first. Then end" if thought else "Answer"
        return f"{lead} with one line: {word.capitalize()}: <your {word}>"
    first = '"thought": "...", ' if thought else ""
    return f'Answer with one JSON object: {{{first}"{word}": <your {word}>}}'


def spoken(form: str, spec: ActionSpec, action: Any, number: int) -> list[dict[str, Any]]:
    """An earlier action of the model as the messages in which it stands in the conversation."""
    value = grammar.written(spec, action)
    if form == "text":
        text = value if isinstance(value, str) else json.dumps(value)
        return [{"role": "assistant", "content": f"Action: {text}"}]
    content = json.dumps({"action": value}, ensure_ascii=False)
    if form != "tools":
        return [{"role": "assistant", "content": content}]
    call = {
        "id": f"call_{number}",
        "type": "function",
        "function": {"name": ACTION.tool, "arguments": content},
    }
    return [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "done"},
    ]


def read(form: str, spec: ActionSpec, reply: Reply) -> Any:
    """The action in a reply. Raises BadAction, which tells the model what is wrong.

    A model may answer in another form than it was asked for, as long as it can be read.
    """
    value, in_words = value_of(form, reply, ACTION)
    return grammar.from_words(spec, value) if in_words else grammar.action_of(spec, value)


def value_of(form: str, reply: Reply, wanted: Wanted) -> tuple[Any, bool]:
    """(what a reply holds of what was wanted, whether it is in words): a JSON value, or a text.

    Raises BadAction.
    """
    if reply.refusal:
        raise BadAction(f"it refused: {shorten(reply.refusal, 200)}")
    if reply.calls:
        call = reply.calls[0]
        if len(reply.calls) > 1:
            raise BadAction(f"expected one call, got {len(reply.calls)}")
        if call.name != wanted.tool:
            raise BadAction(f"there is no function {shorten(call.name, 80)!r}; call {wanted.tool}")
        return _member(call.arguments, wanted.word), False
    text = _THOUGHT.sub("", reply.content).strip()
    if not text:
        what = "before it was finished" if reply.finish == "length" else "with nothing"
        raise BadAction(f"the answer ended {what}")
    if form != "text" or text.startswith("{"):
        try:
            return _member(text, wanted.word), False
        except BadAction:
            if form != "text":
                raise
    line = rf"^[\s*_`#>-]*{wanted.word}[\s*_`]*[:=](.*)$"
    found = re.findall(line, text, re.IGNORECASE | re.MULTILINE)
    if found:
        return found[-1], True
    if "\n" in text:
        raise BadAction(f"it has no line that begins with {wanted.word.capitalize()}:")
    return text, True


def transcribed(reply: Reply) -> str:
    """What the model said, as a transcript holds it."""
    if reply.refusal:
        return f"(refused) {reply.refusal}"
    calls = [f"{call.name}({call.arguments})" for call in reply.calls]
    return "\n".join(filter(None, [reply.content, *calls]))


def _member(text: str, word: str) -> Any:
    """The member `word` of the JSON object in a text. Raises BadAction."""
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        raise BadAction(f"expected a JSON object, got {shorten(text, 80)!r}")
    try:
        value = safe_json.parse(text[start : end + 1])
    except ValueError as wrong:
        raise BadAction(f"the JSON object cannot be read: {str(wrong)[:200]}") from None
    if not isinstance(value, dict) or word not in value:
        raise BadAction(f'the JSON object has no member "{word}"')
    return value[word]
