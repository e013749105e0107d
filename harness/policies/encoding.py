"""How a turn becomes what a policy server is sent, and its reply an answer, without a profile.

The views are sent under their own names, and the instruction as `prompt`; the reply holds
`actions`: one action, or a chunk of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from harness.core import UI, Answer, Box, Missing, MultiDiscrete, Text, Turn, UserError
from harness.core.elements import Element
from harness.core.nouns import Brief

__all__ = ["AsViews", "Encoding", "encoding_of", "profile_identity", "unfit"]

MOST_ACTIONS = 10_000


class Encoding(Protocol):
    """The translation between our turns and what a policy takes and returns."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The views that it needs, as in Agent.reads."""
        ...

    def settling(self, turn: Turn) -> Any:
        """An answer for which the policy is not asked, or None."""
        ...

    def observation(self, turn: Turn) -> dict[str, Any]:
        """What is sent: keys and values of the policy's own."""
        ...

    def answer(self, actions: Any, turn: Turn) -> Answer:
        """The answer to the turn. Raises ValueError where the actions make no sense."""
        ...


def encoding_of(profile: str, execute: int) -> Encoding:
    """The profile of this name or file; empty: AsViews. Raises UserError."""
    if not profile:
        return AsViews(execute)
    from harness.policies.profiles import load_profile

    if execute:
        raise UserError("execute is said by the profile: leave one of the two out")
    found: Encoding = load_profile(profile)
    return found


def profile_identity(profile: str) -> dict[str, str]:
    """What the profile says, as a digest under its own name; nothing without one."""
    if not profile:
        return {}
    from harness.policies.profiles import load_profile

    digest = hashlib.blake2b(digest_size=8)
    for file in load_profile(profile).files:
        digest.update(Path(file).read_bytes())
    return {"profile_content": digest.hexdigest()}


def unfit(profile: str, check: str, brief: Brief) -> Missing | None:
    """Why the profile does not fit this body, or None; as Agent.unfit."""
    if not profile:
        return None
    from harness.policies.profiles import load_profile

    found: Missing | None = load_profile(profile).missing(brief, check)
    return found


class AsViews:
    """Views under their own names, `prompt`, and `actions`."""

    reads = ("*",)

    def __init__(self, execute: int = 0) -> None:
        """`execute`: how many actions of a chunk are executed; 0: all. Raises UserError."""
        if type(execute) is not int or execute < 0:
            raise UserError(f"execute is a number of actions, 0 for all of a chunk; got {execute}")
        self._execute = execute

    def settling(self, turn: Turn) -> None:
        """It asks the policy in every turn."""

    def observation(self, turn: Turn) -> dict[str, Any]:
        """Texts and elements become lists."""
        sent = {name: _plain(value) for name, value in turn.observation.items()}
        return {**sent, "prompt": turn.instruction}

    def answer(self, actions: Any, turn: Turn) -> Answer:
        """Of a Box [H, A] or [A]; of a Discrete [H] or a number; of texts one or a list."""
        spec = turn.brief.action
        if isinstance(spec, (Text, UI)):
            listed = actions if isinstance(actions, list) else [actions]
        else:
            array = np.asarray(actions)
            if array.dtype.kind not in "biuf":
                raise ValueError(f"`actions` are no numbers but {type(actions).__name__}")
            one = len(getattr(spec, "shape", ())) if isinstance(spec, Box) else 0
            one = 1 if isinstance(spec, MultiDiscrete) else one
            if array.ndim == one:
                array = array[None]
            if array.ndim != one + 1:
                expected = "[A] or a chunk [H, A]" if one == 1 else "a number or a chunk [H]"
                expected = expected if one < 2 else f"an action of {one} dimensions, or a chunk"
                raise ValueError(f"`actions` have the shape {array.shape}; expected {expected}")
            listed = list(array)
        if not 0 < len(listed) <= MOST_ACTIONS:
            raise ValueError(f"`actions` hold {len(listed)} actions; from 1 to {MOST_ACTIONS} may")
        first = self._execute or len(listed)
        return Answer(listed[:first], rest=tuple(listed[first:]))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Element):
        return {name: _plain(each) for name, each in vars(value).items()}
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return value
