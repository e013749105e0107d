"""The fields of a profile."""

from __future__ import annotations

from dataclasses import dataclass

from harness.policies.profiles.keys import ImageKey, VectorKey
from harness.policies.profiles.moves import ActionVector

__all__ = ["Expectations"]


@dataclass(frozen=True, kw_only=True)
class Expectations:
    """What a policy expects of its observation, what its actions mean, and at which rate."""

    name: str
    title: str = ""
    source: str = ""
    images: tuple[ImageKey, ...] = ()
    vectors: tuple[VectorKey, ...] = ()
    prompt_key: str = ""
    """The key of the instruction; empty: the policy reads none."""
    batch: bool = False
    """Whether every value has one more axis in front, of length 1."""
    action: ActionVector
    chunk: int | None = None
    """How many actions an answer has; None: any number."""
    execute: int | None = None
    """How many of them are executed before the policy is asked again; None: all."""
    control_hz: float | None = None
    settle: int = 0
    """How many steps the body does nothing before the policy is asked."""
    files: tuple[str, ...] = ()
    """The files that it was read from: part of an agent's identity."""
