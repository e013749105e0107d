"""The other direction of a profile: a client speaks as to a policy, and an agent of ours answers.

What a profile does to our views is undone where it can be; nothing is computed that the client did
not send. So an agent sees a picture in the policy's size, and a vector in the policy's
representation, as the layout of its view says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.core import Box, Brief, Field, UserError
from harness.policies.profiles.expectations import Expectations

__all__ = ["answer_of", "brief_of", "prompt_of", "views_of"]

Array = np.ndarray[Any, Any]


def brief_of(profile: Expectations, sent: Mapping[str, Any]) -> Brief:
    """Views as clients send them, with our names; the action is the policy's vector.

    `sent`: views that a client sent, whose sizes count where the profile says none. Raises
    UserError where neither says the size of a picture, or the profile not that of a part.
    """
    views: dict[str, Any] = {}
    for image in profile.images:
        if image.optional and sent and image.view not in sent:
            continue
        shape = image.shape or image.resize or np.shape(sent.get(image.view, ()))[:2]
        if not shape:
            raise UserError(
                f"the profile {profile.name} does not say the size of {image.key!r}: write shape"
            )
        views[image.view] = Box((*shape, 3), "uint8", 0, 255, "1", "RGB")
    for view, fields in _sent(profile).items():
        layout = tuple(field for _, _, field in fields)
        views[view] = Box((sum(field.size for field in layout),), layout=layout)
    layout = tuple(field.theirs for field in profile.action.fields)
    action = Box((profile.action.size,), layout=layout)
    return Brief(views, action, "", "", profile.control_hz)


def _sent(profile: Expectations) -> dict[str, list[tuple[str, int, Field]]]:
    """View -> (the client's key, the first element there, the field) of each of its parts."""
    found: dict[str, list[tuple[str, int, Field]]] = {}
    for vector in profile.vectors:
        begin = 0
        for part in vector.parts:
            size = part.sent_size()
            if not size:
                raise UserError(
                    f"the profile {profile.name} does not say how many elements {part.field!r} "
                    f"has in {vector.key!r}: write size"
                )
            if part.view:
                fields = found.setdefault(part.view, [])
                field = Field(
                    part.field or f"{part.start}-{part.start + part.size - 1}",
                    size,
                    "absolute",
                    part.frame,
                    part.unit,
                    part.representation,
                    part.sign,
                    None,
                )
                fields.append((vector.key, begin, field))
            begin += size
    return found


def views_of(profile: Expectations, observation: Mapping[str, Any]) -> dict[str, Any]:
    """Our views from a client's observation. Raises ValueError where it is not as expected."""
    found: dict[str, Any] = {}
    for image in profile.images:
        if image.key in observation or not image.optional:
            found[image.view] = image.upright(_value(profile, observation, image.key))
    vectors = {
        vector.key: vector.normalisation.outside(_vector(profile, observation, vector.key))
        for vector in profile.vectors
    }
    for view, fields in _sent(profile).items():
        parts = [vectors[key][begin : begin + field.size] for key, begin, field in fields]
        found[view] = np.concatenate(parts).astype(np.float32)
    specs = brief_of(profile, found).observation
    for view, value in found.items():
        spec = specs[view]
        assert isinstance(spec, Box)
        wrong = spec.problem(value)
        if wrong is not None:
            raise ValueError(f"{view}: {wrong}")
    return found


def _value(profile: Expectations, observation: Mapping[str, Any], key: str) -> Any:
    if key not in observation:
        raise ValueError(f"the observation lacks {key!r}")
    value = np.asarray(observation[key])
    if profile.batch:
        if not value.ndim or value.shape[0] != 1:
            raise ValueError(f"{key!r} has the shape {value.shape}, not (1, ...)")
        value = value[0]
    return value


def _vector(profile: Expectations, observation: Mapping[str, Any], key: str) -> Array:
    value = _value(profile, observation, key)
    if value.ndim != 1 or value.dtype.kind not in "fiu":
        raise ValueError(f"{key!r} is no vector of numbers: {value.dtype} {value.shape}")
    size = sum(
        part.sent_size() for each in profile.vectors if each.key == key for part in each.parts
    )
    if len(value) != size:
        raise ValueError(f"{key!r} has {len(value)} elements, not {size}")
    found: Array = value.astype(np.float64)
    return found


def prompt_of(profile: Expectations, observation: Mapping[str, Any]) -> str:
    """The instruction that a client sent; empty where the policy reads none."""
    if not profile.prompt_key:
        return ""
    words = observation.get(profile.prompt_key, "")
    if isinstance(words, (list, tuple)) and len(words) == 1:
        words = words[0]
    if not isinstance(words, str):
        raise ValueError(f"{profile.prompt_key!r} is no text")
    return words


def answer_of(profile: Expectations, actions: Sequence[Any]) -> Array:
    """An agent's actions as the policy would answer them, float32 (H, A). Raises ValueError."""
    chunk = np.stack([np.asarray(action, np.float64) for action in actions])
    if chunk.shape[1:] != (profile.action.size,):
        raise ValueError(
            f"the actions have the shape {chunk.shape[1:]}; the profile {profile.name} says "
            f"({profile.action.size},)"
        )
    return np.asarray(profile.action.normalisation.inside(chunk), np.float32)
