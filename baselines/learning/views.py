"""What encoders read of a view: which grids of codes, and numbers in one scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.core import Box, Discrete, MultiDiscrete

__all__ = ["CODES", "has_codes", "scaled"]

CODES, CHANNELS = 16, 4
"""Upper bounds of the values that a code of a grid's cell has, and of the codes of a cell."""
SMALLEST = 5
"""Cells per side of the smallest grid that two convolutions of 3 x 3 make a row of."""


def has_codes(spec: Box) -> bool:
    """Whether the encoder of grids has a row for each code of this one.

    NetHack's cells are characters: such a grid is left out.
    """
    if len(spec.shape) != 3 or min(spec.shape[:2]) < SMALLEST or spec.shape[2] > CHANNELS:
        return False
    low, high = spec.bounds()
    return bool(low.min() >= 0 and high.max() < CODES)


def scaled(spec: Box | Discrete | MultiDiscrete, value: Any) -> np.ndarray:
    """float32 (n,): elements with finite bounds scaled to [-1, 1], all others unchanged.

    A NumberEncoder reads unbounded numbers both as they are and as x / (1 + |x|).
    """
    flat = np.asarray(value, np.float32).reshape(-1)
    if isinstance(spec, Discrete):
        position: np.ndarray = 2 * flat / max(1, spec.n - 1) - 1
        return position
    if isinstance(spec, MultiDiscrete):
        positions: np.ndarray = 2 * flat / np.maximum(1, np.asarray(spec.nvec, np.float32) - 1) - 1
        return positions
    low, high = (limit.astype(np.float64).reshape(-1) for limit in spec.limits)
    bounded = np.isfinite(low) & np.isfinite(high) & (high > low)
    width = np.where(bounded, high - low, 2.0)
    return np.where(bounded, 2 * (flat - np.where(bounded, low, 0.0)) / width - 1, flat).astype(
        np.float32
    )
