"""A plan: how it is written, as a JSON schema, and read back.

A plan is a JSON list of calls, `{"skill": "stack", "x": "b1", "y": "b2"}`; `stack(b1, b2)` is taken
for one, too. Nothing that a model writes is evaluated: every name is looked up in the lists that
the adapter gave.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from harness.core import BadAction, Skill, SkillCall, SkillsNow
from harness.core.skills import problem_of
from harness.core.text import shorten
from harness.policies.chat.grammar import MOST_CHOICES
from harness.records import safe_json

__all__ = ["described", "plan_of", "schema"]

MOST_NAMES = 60
"""Names of a type that the model is told."""
MOST_TEXT = 40_000
"""Characters of a plan in plain text."""
_CALL = re.compile(r"\s*\(?\s*([\w-]{1,80})\s*\(([^()]{0,2000})\)\s*\)?\s*|\s*([\w-]{1,80})\s*")


def described(now: SkillsNow) -> str:
    """The skills, what their arguments may be, and how a plan is written."""
    lines = ["The skills that can be called:"]
    for skill in now.skills:
        typed = ", ".join(f"{name}: {kind}" for name, kind in skill.parameters)
        lines.append(f"- {skill.name}({typed}): {skill.what}.")
    for kind, names in now.objects.items():
        if any(kind == each for skill in now.skills for _, each in skill.parameters):
            some = ", ".join(names[:MOST_NAMES])
            more = f", and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
            lines.append(f"{kind} is one of: {some or 'nothing'}{more}.")
    lines.append(
        "A plan is a JSON list of calls, which are carried out in order until the first that "
        f"fails, such as [{json.dumps(_example(now))}] with a name in the place of each <...>."
    )
    return "\n".join(lines)


def _example(now: SkillsNow) -> dict[str, str]:
    """A call without real objects: a name in it would be taken for the answer."""
    skill = max(now.skills, key=lambda each: len(each.parameters))
    return {"skill": skill.name, **{name: f"<{kind}>" for name, kind in skill.parameters}}


def schema(now: SkillsNow, most: int, empty: bool = False) -> dict[str, Any]:
    """The JSON schema of a plan of at most `most` calls. `empty`: whether it may hold none."""
    return {
        "type": "array",
        "items": {"anyOf": [_call_schema(skill, now.objects) for skill in now.skills]},
        "minItems": 0 if empty else 1,
        "maxItems": most,
    }


def _call_schema(skill: Skill, objects: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    fields: dict[str, Any] = {"skill": {"type": "string", "enum": [skill.name]}}
    for name, kind in skill.parameters:
        names = list(objects.get(kind, ()))
        listed = {"enum": names} if 0 < len(names) <= MOST_CHOICES else {}
        fields[name] = {"type": "string", **listed}
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def plan_of(
    value: Any, in_words: bool, now: SkillsNow, most: int, empty: bool = False
) -> tuple[SkillCall, ...]:
    """The calls of a plan, as JSON or, `in_words`, as the text of a JSON list.

    `empty`: whether it may hold none.

    Raises BadAction, which tells the model what is wrong.
    """
    calls: list[SkillCall] = []
    if in_words or isinstance(value, str):
        value = _json(value)
    if not isinstance(value, list):
        raise BadAction(f"expected a JSON list of calls, got {shorten(repr(value), 80)}")
    if not value and not empty:
        raise BadAction("the plan holds no call")
    if len(value) > most:
        raise BadAction(f"the plan holds {len(value)} calls; {most} are allowed")
    for number, each in enumerate(value, 1):
        try:
            call = _call(each, now)
            wrong = problem_of(call, now.skills, now.objects)
        except BadAction as bad:
            wrong = str(bad)
        if wrong is not None:
            raise BadAction(f"call {number}: {wrong}")
        calls.append(call)
    return tuple(calls)


def _call(value: Any, now: SkillsNow) -> SkillCall:
    if isinstance(value, str):
        found = _CALL.fullmatch(value[:MOST_TEXT])
        if found is None:
            raise BadAction(f"{shorten(value, 80)!r} is no call, as in skill(argument, ...)")
        name = found[1] or found[3]
        given = [part.strip().strip("\"'") for part in (found[2] or "").split(",")]
        return SkillCall(_known(name, now), tuple(part for part in given if part))
    if not isinstance(value, dict) or not isinstance(value.get("skill"), str):
        raise BadAction(f'expected an object with "skill", got {shorten(repr(value), 80)}')
    name = _known(value["skill"], now)
    skill = next((each for each in now.skills if each.name == name), None)
    if skill is None:
        return SkillCall(name)  # which is refused with what there is
    wanted = [parameter for parameter, _ in skill.parameters]
    others = sorted(str(key)[:40] for key in value.keys() - {"skill", *wanted})
    if others:
        raise BadAction(f"{skill} takes no {others[0]!r}")
    missing = [each for each in wanted if not isinstance(value.get(each), str)]
    if missing:
        raise BadAction(f"{skill} needs {missing[0]!r}, a text")
    return SkillCall(name, tuple(value[each].strip() for each in wanted))


def _known(name: str, now: SkillsNow) -> str:
    """The skill that a name means: case and `-`, `_` or a space make no difference."""
    plain = _plain(name)
    return next((each.name for each in now.skills if _plain(each.name) == plain), name)


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name[:80].strip().lower())


def _json(text: Any) -> Any:
    """The JSON list in a text, perhaps between the marks of a code block. Raises BadAction."""
    said = str(text)[:MOST_TEXT]
    start, end = said.find("["), said.rfind("]")
    if start < 0 or end < start:
        raise BadAction(f"expected a JSON list of calls, got {shorten(said.strip(), 80)!r}")
    try:
        return safe_json.parse(said[start : end + 1])
    except ValueError as wrong:
        raise BadAction(f"the JSON list cannot be read: {str(wrong)[:200]}") from None
