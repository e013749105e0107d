"""Briefs, turns and answers as data, for a server of ours that is asked by a client of ours.

A noun is the map `{b"__noun__": "Box", b"fields": {...}}`, a tuple `{b"__tuple__": [...]}`; arrays
are as in packing. What is read back is checked by the nouns' own constructors, and by hand where
those check nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from harness.core import ActionSpec, Brief, Skill, SkillCall, SkillsNow, Spec, Turn, UIAction
from harness.core.elements import Element
from harness.core.skills import MOST_CALLS
from harness.core.values import BadValue
from harness.host.wire import NOUNS
from harness.play.values import AgentFault, Chunk, checked_confidence, checked_notes
from harness.policies.wire.packing import Malformed

__all__ = ["answer_of", "as_answer", "as_plain", "as_turn", "brief_of", "revive", "turn_of"]

_NOUN, _FIELDS, _TUPLE = b"__noun__", b"fields", b"__tuple__"
_PASSING = frozenset(NOUNS) - {"Case", "Task", "Missing", "Perturbation", "Reference", "Normaliser"}
"""Nouns that an agent may be shown, or may answer."""
STATUSES = ("agent_error", "error")
MOST_TEXT = 10_000_000
"""Characters of an instruction."""


def as_plain(value: Any) -> Any:
    """The value with nouns and tuples as maps. Raises TypeError for what cannot be sent."""
    kind = type(value)
    if kind in (np.ndarray, str, int, float, bool, bytes) or value is None:
        return value
    if kind is tuple:
        return {_TUPLE: [as_plain(each) for each in value]}
    if kind is list:
        return [as_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {key: as_plain(each) for key, each in value.items()}
    if is_dataclass(value) and kind.__name__ in _PASSING and NOUNS[kind.__name__] is kind:
        parts = {each.name: as_plain(getattr(value, each.name)) for each in fields(value)}
        return {_NOUN: kind.__name__, _FIELDS: parts}
    if isinstance(value, np.generic):
        return value
    raise TypeError(f"{kind.__name__} cannot be sent")


def revive(found: dict[Any, Any]) -> Any:
    """What a map stands for, as packing.unpack calls it. Raises Malformed."""
    if _TUPLE in found:
        parts = found[_TUPLE]
        if not isinstance(parts, list):
            raise Malformed("it holds a tuple that is none")
        return tuple(parts)
    if _NOUN not in found:
        return found
    name, parts = found[_NOUN], found.get(_FIELDS)
    if name not in _PASSING or not isinstance(parts, dict):
        raise Malformed(f"it holds the unknown noun {str(name)[:40]!r}")
    try:
        return NOUNS[name](**parts)
    except Exception as wrong:  # whatever a constructor makes of a stranger's values
        raise Malformed(f"it holds a {name} that is none: {str(wrong)[:200]}") from None


def brief_of(found: Any) -> Brief:
    """The brief. Raises Malformed."""
    if not isinstance(found, Brief):
        raise Malformed("it holds no brief")
    views, rate = found.observation, found.control_hz
    if not (
        isinstance(views, Mapping)
        and all(isinstance(name, str) and _sound(spec, Spec) for name, spec in views.items())
        and _sound(found.action, ActionSpec)
        and isinstance(found.embodiment, str)
        and isinstance(found.simulator, str)
        and (rate is None or type(rate) in (int, float))
    ):
        raise Malformed("it holds a brief whose parts are none")
    return found


def _sound(spec: Any, union: Any) -> bool:
    """Whether this is a spec with which the agent can work; its arrays are small or make no sense.

    The constructors of the specs look at some of their fields only.
    """
    if not isinstance(spec, union.__args__):
        return False
    try:
        noop = getattr(spec, "noop", None)
        shape = getattr(spec, "shape", ())
        if not (isinstance(shape, tuple) and len(shape) <= 8):
            return False
        size = 1
        for side in shape:
            if type(side) is not int or not 0 <= side <= 1 << 26:
                return False
            size *= side
        if size > 1 << 28:
            return False
        if isinstance(spec, ActionSpec.__args__) and noop is not None:  # type: ignore[attr-defined]
            spec.validate(noop())
    except Exception:  # a field of another type than the spec's, wherever it is first used
        return False
    return True


def as_turn(turn: Turn, brief: str, asked: int) -> dict[str, Any]:
    """The turn as data: `brief` names its brief, `asked` counts the answers before it."""
    return {
        "brief": brief,
        "episode": turn.episode,
        "asked": asked,
        "step": turn.step,
        "key": turn.rng_key.to_bytes(16, "little"),
        "instruction": turn.instruction,
        "observations": [
            *map(_seen_before, turn.observations[:-1]),
            as_plain(dict(turn.observation)),
        ],
        "actions": [as_plain(each) for each in turn.actions],
        "expert": as_plain(turn.expert),
        "skills": as_plain(turn.skills),
    }


def _seen_before(observation: Mapping[str, Any]) -> dict[str, Any]:
    """What is left of an earlier observation: a view that was not read then cannot be read now."""
    found = {}
    for name in observation:
        with contextlib.suppress(KeyError):
            found[name] = as_plain(observation[name])
    return found


def turn_of(found: Any, briefs: Mapping[str, Brief], history: int) -> tuple[Turn, int]:
    """(the turn without memory, how many answers were given before). Raises Malformed.

    `briefs`: those that were sent, by name.
    """
    if not isinstance(found, dict):
        raise Malformed("it holds a turn that is no map")
    text = ("brief", "episode", "instruction")
    numbers = ("asked", "step")
    if (
        not all(isinstance(found.get(name), str) for name in text)
        or not all(type(found.get(name)) is int and found[name] >= 0 for name in numbers)
        or not isinstance(found.get("key"), bytes)
        or len(found["key"]) != 16
        or not 0 < len(found["episode"]) <= 200
        or len(found["instruction"]) > MOST_TEXT
    ):
        raise Malformed("it holds a turn that lacks a part")
    brief = briefs.get(found["brief"])
    if brief is None:
        raise Malformed("it holds a turn of a brief that was not sent")
    observations, actions = found.get("observations"), found.get("actions")
    if (
        not isinstance(observations, list)
        or not isinstance(actions, list)
        or not 0 < len(observations) <= max(history, 1)
        or len(actions) >= max(history, 1)
        or not all(isinstance(each, dict) for each in observations)
    ):
        raise Malformed("it holds a turn without observations, or with more than the agent reads")
    for observation in observations:
        for name, value in observation.items():
            if name not in brief.observation or not _fits(brief.observation[name], value):
                raise Malformed(f"its view {str(name)[:80]!r} is not what the brief says")
    skills = found.get("skills")
    if skills is not None and not _sound_skills(skills):
        raise Malformed("it holds a turn with skills that are none")
    turn = Turn(
        brief=brief,
        instruction=found["instruction"],
        observations=tuple(observations),
        actions=tuple(actions),
        step=found["step"],
        episode=found["episode"],
        expert=found.get("expert"),
        skills=skills,
        rng_key=int.from_bytes(found["key"], "little"),
    )
    return turn, found["asked"]


def _sound_skills(now: Any) -> bool:
    """Whether these are skills whose parts have the types that they should have."""
    return (
        isinstance(now, SkillsNow)
        and isinstance(now.skills, tuple)
        and all(
            isinstance(each, Skill)
            and isinstance(each.name, str)
            and isinstance(each.what, str)
            and isinstance(each.parameters, tuple)
            and all(_are_texts(pair) and len(pair) == 2 for pair in each.parameters)
            for each in now.skills
        )
        and isinstance(now.objects, Mapping)
        and all(isinstance(kind, str) and _are_texts(each) for kind, each in now.objects.items())
        and _are_calls(now.done)
        and (now.failed is None or _are_calls((now.failed,)))
        and isinstance(now.why, str)
        and (now.plan is None or _are_calls(now.plan))
    )


def _are_texts(values: Any) -> bool:
    return isinstance(values, tuple) and all(isinstance(each, str) for each in values)


def _are_calls(values: Any) -> bool:
    return isinstance(values, tuple) and all(
        isinstance(each, SkillCall) and isinstance(each.skill, str) and _are_texts(each.arguments)
        for each in values
    )


def _fits(spec: Spec, value: Any) -> bool:
    """Whether the value has the type, the shape and the dtype of the view; bounds may be passed."""
    shape = getattr(spec, "shape", None)
    if shape is not None:
        dtype = getattr(spec, "dtype", None)
        return isinstance(value, np.ndarray) and value.shape == shape and value.dtype == dtype
    if isinstance(value, tuple):
        return all(isinstance(each, (str, Element)) for each in value)
    return isinstance(value, (str, int, np.ndarray, np.generic))


def as_answer(answer: Any) -> dict[str, Any]:
    """What `call_agent` returned for a turn, as data, without its memory."""
    if isinstance(answer, AgentFault):
        return _as_fault(answer)
    if not isinstance(answer, Chunk):
        return {"chunk": [_move(answer)]}
    sent: dict[str, Any] = {"chunk": list(map(_move, answer.moves))}
    if answer.calls:
        sent["calls"] = as_plain(answer.calls)
    sent["rest"] = list(map(_move, answer.rest))
    if answer.figures or answer.said:
        sent.update(figures=dict(answer.figures), said=answer.said)
    if answer.confidence is not None:
        sent["confidence"] = answer.confidence
    if answer.ask:
        sent["ask"] = True
    return sent


def _as_fault(fault: AgentFault) -> dict[str, Any]:
    reason = fault.reason.encode("utf-8", "backslashreplace").decode()
    return {"fault": reason, "status": fault.status}


def _move(move: Any) -> Any:
    if isinstance(move, AgentFault):
        return _as_fault(move)
    return [as_plain(move[0]), move[1]]


def answer_of(found: Any, spec: ActionSpec) -> Chunk | AgentFault:
    """What `call_agent` returns for a turn, checked against the action spec. Raises Malformed."""
    if not isinstance(found, dict):
        raise Malformed("its answer is no map")
    if "fault" in found:
        return _fault(found)
    moves, rest, calls = found.get("chunk"), found.get("rest", []), found.get("calls", ())
    if not _are_calls(calls) or len(calls) > MOST_CALLS:
        raise Malformed("its answer holds calls that are none, or too many")
    if not isinstance(moves, list) or not isinstance(rest, list) or bool(moves) == bool(calls):
        raise Malformed("its answer holds no actions")
    try:
        notes = checked_notes(found.get("figures", {}), found.get("said", ""))
        confidence, ask = checked_confidence(found.get("confidence")), found.get("ask", False)
    except BadValue as bad:
        raise Malformed(
            f"its answer holds figures or a transcript or a confidence that is none: {bad}"
        ) from None
    if type(ask) is not bool or (ask and (calls or len(moves) != 1)):
        raise Malformed("its answer asks the expert, and not with one action")
    return Chunk(_moves(moves, spec), None, _moves(rest, spec), *notes, calls, confidence, ask)


def _fault(found: Mapping[Any, Any]) -> AgentFault:
    reason, status = found.get("fault"), found.get("status", "agent_error")
    if not isinstance(reason, str) or status not in STATUSES:
        raise Malformed("its answer holds a fault that is none")
    return AgentFault(reason[:1000], status)


def _moves(moves: Sequence[Any], spec: ActionSpec) -> list[Any]:
    taken: list[Any] = []
    for move in moves:
        if isinstance(move, dict) and "fault" in move:
            taken.append(_fault(move))
            break
        if not isinstance(move, list) or len(move) != 2 or type(move[1]) is not bool:
            raise Malformed("its answer holds an action that is none")
        value = move[0]
        if isinstance(value, UIAction):
            value = value.fields()
        try:
            action, clipped = spec.coerce(value)
        except Exception as bad:
            raise Malformed(f"its answer holds an action that is none: {bad}") from None
        taken.append((action, clipped or move[1]))
    return taken
