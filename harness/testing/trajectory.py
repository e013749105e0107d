"""What is recorded of every step of an episode, and the comparison of two trajectories."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.testing.checks import ContractError

__all__ = ["StepRecord", "content_digest", "demand_equal", "first_difference"]


def content_digest(value: Any) -> str:
    """A digest of a view, an action or a state.

    Digests are equal if and only if type, dtype, shape and every bit are.
    """
    if isinstance(value, (np.ndarray, np.generic)):
        header, body = f"{value.dtype}{value.shape}", np.ascontiguousarray(value).tobytes()
    else:
        header = type(value).__name__
        body = value if isinstance(value, bytes) else repr(value).encode()
    return hashlib.blake2b(header.encode() + body, digest_size=8).hexdigest()


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepRecord:
    """All that must be equal when a case is played again, after the reset or one step."""

    instruction: str
    reward: float
    terminated: bool
    truncated: bool
    success: bool | None
    metrics: tuple[tuple[str, float], ...]
    state: str
    views: tuple[tuple[str, str], ...]
    """(name, digest) of each view; empty where none was read."""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> StepRecord:
        """The inverse of dataclasses.asdict, also after a trip through JSON."""
        fields: dict[str, Any] = dict(row)
        for name in ("metrics", "views"):
            fields[name] = tuple((key, value) for key, value in row[name])
        return cls(**fields)


_COMPARED = tuple(field.name for field in dataclasses.fields(StepRecord) if field.name != "views")


def first_difference(one: Sequence[StepRecord], other: Sequence[StepRecord]) -> str | None:
    """The first difference between two trajectories, or None.

    Views are compared where both trajectories read them.
    """
    for step, (mine, theirs) in enumerate(zip(one, other)):
        for field in _COMPARED:
            here, there = getattr(mine, field), getattr(theirs, field)
            if here != there:
                return f"step {step}: {field} is {here!r} in one and {there!r} in the other"
        for (name, seen), (_, other_seen) in zip(mine.views, theirs.views):
            if seen != other_seen:
                return f"step {step}: the view {name} differs"
    if len(one) == len(other):
        return None
    return f"one ends after {len(one) - 1} steps, the other after {len(other) - 1}"


def demand_equal(one: Sequence[StepRecord], other: Sequence[StepRecord], message: str) -> None:
    """Raise ContractError with `message` and the first difference of two trajectories, if any."""
    if (found := first_difference(one, other)) is not None:
        raise ContractError(f"{message} ({found})")
