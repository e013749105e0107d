"""How a policy's action vector becomes ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.core import Box, Field
from harness.core.layout import ROTATION_SIZES
from harness.policies.profiles.normalisation import Normalisation
from harness.policies.profiles.rotations import convert

__all__ = ["ActionField", "ActionVector"]

Array = np.ndarray[Any, Any]
OPPOSITE = {"positive opens": "positive closes", "positive closes": "positive opens"}


@dataclass(frozen=True, kw_only=True)
class ActionField:
    """A field of the policy's action, and what becomes of it."""

    theirs: Field
    """What the policy means."""
    ignore: bool = False
    """Whether the elements are dropped, such as padding."""
    to: str = ""
    """The representation of the rotation that ours has; empty: theirs."""
    to_scale: float | None = None
    """What 1 is in ours, in the same unit; None: as in theirs, and the number stays."""
    range: tuple[float, float] | None = None
    """The range of the policy's numbers, which becomes `to_range`; None: they stay."""
    to_range: tuple[float, float] = (-1.0, 1.0)
    invert: bool = False
    """Whether the sign is turned, or with a range its ends."""
    binarise: bool = False
    """Whether only the ends of `to_range` are sent, by the nearer one."""

    @property
    def size(self) -> int:
        """How many elements ours has."""
        return ROTATION_SIZES[self.to] if self.to else self.theirs.size

    @property
    def sign(self) -> str:
        """What a positive number means once it is mapped."""
        return OPPOSITE.get(self.theirs.sign, self.theirs.sign) if self.invert else self.theirs.sign

    @property
    def scale(self) -> Any:
        """What 1 is once it is mapped."""
        return self.theirs.scale if self.to_scale is None else self.to_scale

    def mapped(self, values: Array) -> Array:
        """Ours, float64 (size,)."""
        if self.to and self.to != self.theirs.representation:
            factor = self.theirs.scale if self.theirs.scale is not None else 1.0
            turned = convert(values * np.asarray(factor), self.theirs.representation, self.to)
            values = turned / (self.scale if self.to_scale is not None else 1.0)
        elif self.to_scale is not None and self.theirs.scale is not None:
            values = values * np.asarray(self.theirs.scale) / self.to_scale
        low, high = self.to_range
        if self.range is not None:
            start, end = self.range
            share = (values - start) / (end - start)
            values = low + (1.0 - share if self.invert else share) * (high - low)
        elif self.invert:
            values = -values
        if self.binarise:
            values = np.where(values >= (low + high) / 2.0, high, low)
        return values


@dataclass(frozen=True, kw_only=True)
class ActionVector:
    """The policy's action vector."""

    fields: tuple[ActionField, ...]
    normalisation: Normalisation
    clip: tuple[float, float] | None = None
    """Bounds of the policy's own numbers, before they are un-normalised."""

    @property
    def size(self) -> int:
        """How many elements the policy's vector has."""
        return sum(field.theirs.size for field in self.fields)

    def ours(self, vector: Array, spec: Box) -> Array:
        """One action of this spec from one vector of the policy, (size,)."""
        values = np.clip(vector, *self.clip) if self.clip is not None else vector
        values = self.normalisation.outside(values)
        parts: dict[str, Array] = {}
        begin = 0
        for field in self.fields:
            end = begin + field.theirs.size
            if not field.ignore:
                parts[field.theirs.name] = field.mapped(values[begin:end])
            begin = end
        if not spec.layout:
            return np.concatenate(list(parts.values())).astype(spec.dtype)
        action = spec.noop()
        begin = 0
        for ours in spec.layout:
            end = begin + ours.size
            if ours.name in parts:
                action[begin:end] = parts[ours.name]
            begin = end
        return action
