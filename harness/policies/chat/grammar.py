"""How an action is written in each action space: for people, as a JSON schema, and read back.

Nothing that a model writes is evaluated. Every value passes the space's own `coerce` in the end.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.core import UI, ActionSpec, BadAction, Box, Discrete, MultiDiscrete
from harness.core.text import shorten
from harness.core.ui import DIRECTIONS, FIELDS
from harness.records import safe_json

__all__ = ["MOST_NUMBERS", "action_of", "described", "from_words", "schema", "written"]

MOST_NUMBERS = 256
"""Elements of a Box or MultiDiscrete that a model can be asked to write."""
MOST_CHOICES = 500
"""Choices that a schema lists; where there are more, it asks for any text."""
_QUOTES = " \t\n\"'`*."


def described(spec: ActionSpec) -> str:
    """The action space in words, with an example."""
    if isinstance(spec, Discrete):
        if spec.names:
            text = f"An action is one of these words: {', '.join(spec.names)}."
        else:
            text = f"An action is a whole number from 0 to {spec.n - 1}."
    elif isinstance(spec, MultiDiscrete):
        ranges = ", ".join(f"0 to {n - 1}" for n in spec.nvec)
        text = f"An action is a JSON list of {len(spec.nvec)} whole numbers, in order: {ranges}."
    elif isinstance(spec, Box):
        text = _box_in_words(spec)
    elif isinstance(spec, UI):
        text = _ui_in_words(spec)
    else:
        text = f"An action is a text of at most {spec.max_length} characters."
        if spec.choices:
            text += f" Some that are useful: {', '.join(spec.choices[:20])}."
    meaning = spec.meaning.rstrip(".")
    return f"{text} {meaning}." if meaning else text


def _box_in_words(spec: Box) -> str:
    size = math.prod(spec.shape)
    kind = "whole numbers" if spec.np_dtype.kind in "iu" else "numbers"
    unit = f" in {spec.unit}" if spec.unit not in ("", "1") else ""
    if len(set(spec.pairs)) == 1:
        low, high = spec.pairs[0]
        bounds = f"each from {low:g} to {high:g}"
    else:
        bounds = "with these bounds: " + ", ".join(
            f"{low:g} to {high:g}" for low, high in spec.pairs
        )
    return f"An action is a JSON list of {size} {kind}{unit}, {bounds}."


def _ui_in_words(spec: UI) -> str:
    lines = ["An action is a JSON object with a kind and the fields of that kind:"]
    place = '"ref" (the number of an element)' if spec.refs else ""
    point = '"x" and "y" in px'
    where = f"{place}, or {point}" if place else point
    for kind in spec.kinds:
        form = FIELDS[kind]
        parts = []
        if "at" in form.needs:
            parts.append(where)
        if "to" in form.needs:
            parts.append('"to_ref", or "to_x" and "to_y"' if spec.refs else '"to_x" and "to_y"')
        if "text" in form.needs:
            choices = {"key": spec.keys, "open_app": spec.apps}.get(kind, ())
            some = f", one of {', '.join(choices[:40])}" if choices else ""
            parts.append(f'"text"{some}')
        if "direction" in form.needs:
            parts.append(f'"direction", one of {", ".join(DIRECTIONS)}')
        if "at" in form.takes:
            parts.append(f"and, if it is to act at a place, {where}")
        lines.append(f'- {{"kind": "{kind}"}}{" with " if parts else ""}{"; ".join(parts)}')
    example = '{"kind": "click", "ref": 3}' if spec.refs else '{"kind": "click", "x": 10, "y": 20}'
    lines.append(f"The screen has {spec.width} x {spec.height} px. Example: {example}.")
    return "\n".join(lines)


def schema(spec: ActionSpec, possible: Sequence[Any] = ()) -> dict[str, Any]:
    """The JSON schema of an action.

    `possible`: the commands that are possible now, or the refs that are on the screen, if known.
    """
    if isinstance(spec, Discrete):
        if spec.names:
            return {"type": "string", "enum": list(spec.names)}
        return {"type": "integer", "minimum": 0, "maximum": spec.n - 1}
    if isinstance(spec, (Box, MultiDiscrete)):
        whole = isinstance(spec, MultiDiscrete) or spec.np_dtype.kind in "iu"
        size = len(spec.nvec) if isinstance(spec, MultiDiscrete) else math.prod(spec.shape)
        kind = {"type": "integer" if whole else "number"}
        return {"type": "array", "items": kind, "minItems": size, "maxItems": size}
    if isinstance(spec, UI):
        return _ui_schema(spec, list(dict.fromkeys(possible)))
    choices = list(dict.fromkeys(possible))
    if 0 < len(choices) <= MOST_CHOICES:
        return {"type": "string", "enum": choices}
    return {"type": "string"}


def _ui_schema(spec: UI, refs: list[int]) -> dict[str, Any]:
    """One object for each kind and way to name a place, which has exactly the fields of that kind.

    An optional place or key that is held is a form of its own: strict schemas have no optional
    fields.
    """
    ref: dict[str, Any] = {"type": "integer"}
    if 0 < len(refs) <= MOST_CHOICES:
        ref["enum"] = refs
    values: dict[str, dict[str, Any]] = {
        "ref": ref,
        "to_ref": ref,
        **{name: {"type": "number"} for name in ("x", "y", "to_x", "to_y")},
        "direction": {"type": "string", "enum": list(DIRECTIONS)},
        "modifier": {"type": "string", "enum": list(spec.modifiers)},
    }
    texts = {"key": spec.keys, "open_app": spec.apps}
    found = []
    for kind in spec.kinds:
        form = FIELDS[kind]
        choices = list(texts.get(kind, ()))
        values["text"] = {"type": "string", **({"enum": choices} if choices else {})}
        rest = [name for name in ("text", "direction") if name in form.needs]
        places = [["ref"]] if spec.refs else []
        places += [["x", "y"]]
        if "at" not in form.needs:
            places = [[], *(places if "at" in form.takes else [])]
        if "to" in form.needs:
            places = [[*at, *(f"to_{name}" for name in at)] for at in places]
        if spec.modifiers and "modifier" in form.takes:
            places += [[*at, "modifier"] for at in places]
        for at in places:
            fields = {"kind": {"type": "string", "enum": [kind]}}
            fields |= {name: values[name] for name in [*at, *rest]}
            found.append(
                {
                    "type": "object",
                    "properties": fields,
                    "required": list(fields),
                    "additionalProperties": False,
                }
            )
    return {"anyOf": found}


def action_of(spec: ActionSpec, value: Any) -> Any:
    """The action that a JSON value stands for. Raises BadAction, which says what is wrong."""
    if isinstance(spec, Discrete):
        value = _choice(spec, value)
    elif isinstance(spec, MultiDiscrete):
        value = np.asarray(_numbers(value, len(spec.nvec), whole=True), np.int64)
    elif isinstance(spec, Box):
        whole = spec.np_dtype.kind in "iu"
        numbers = _numbers(value, math.prod(spec.shape), whole=whole)
        value = np.asarray(numbers, np.int64 if whole else np.float64).reshape(spec.shape)
    elif isinstance(spec, UI) and isinstance(value, str):
        value = _json(value)
    return spec.coerce(value)[0]


def from_words(spec: ActionSpec, text: str) -> Any:
    """The action that a model wrote as plain text. Raises BadAction."""
    if isinstance(spec, Discrete):
        return action_of(spec, text)
    if isinstance(spec, (Box, MultiDiscrete, UI)):
        return action_of(spec, _json(text))
    return action_of(spec, text.strip().strip("\"'`*").strip())


def written(spec: ActionSpec, action: Any) -> Any:
    """An action as the JSON value that `action_of` reads."""
    if isinstance(spec, Discrete):
        return spec.names[action] if spec.names else int(action)
    if isinstance(spec, (Box, MultiDiscrete)):
        flat = np.asarray(action).ravel().tolist()
        return [round(number, 4) if isinstance(number, float) else number for number in flat]
    return action.fields() if isinstance(spec, UI) else str(action)


def _choice(spec: Discrete, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    word = value.strip(_QUOTES).lower()
    for number, name in enumerate(spec.names):
        if word == name.lower():
            return number
    if re.fullmatch(r"\d{1,9}", word):
        return int(word)
    expected = ", ".join(spec.names) or f"a whole number from 0 to {spec.n - 1}"
    raise BadAction(f"{shorten(value.strip(), 80)!r} is no action; expected one of {expected}")


def _numbers(value: Any, size: int, *, whole: bool) -> list[Any]:
    """A list of finite numbers, which may be nested as the space's shape is."""
    flat, rest = [], [value]
    while rest:
        each = rest.pop()
        if isinstance(each, list):
            rest += reversed(each)
            continue
        if type(each) not in ((int,) if whole else (int, float)):
            kind = "whole numbers" if whole else "numbers"
            raise BadAction(
                f"expected a list of {size} {kind}, which holds {shorten(repr(each), 80)}"
            )
        flat.append(each)
        if len(flat) > size:
            break
    if len(flat) != size:
        count = f"more than {size}" if len(flat) > size else str(len(flat))
        raise BadAction(f"expected a list of {size} numbers, got {count}")
    if any(abs(number) > 1e300 for number in flat):
        raise BadAction("it holds a number that is too large")
    return flat


def _json(text: str) -> Mapping[str, Any] | Any:
    """The JSON value in a text, perhaps between the marks of a code block. Raises BadAction."""
    found = re.search(r"[\[{]", text)
    end = max(text.rfind("]"), text.rfind("}"))
    if found is None or end < found.start():
        raise BadAction(f"expected JSON, got {shorten(text.strip(), 80)!r}")
    try:
        return safe_json.parse(text[found.start() : end + 1])
    except ValueError as wrong:
        raise BadAction(f"it is no JSON: {str(wrong)[:200]}") from None
