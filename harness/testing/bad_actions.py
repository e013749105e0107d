"""Actions that an adapter must refuse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from harness.core.specs import UI, ActionSpec, BadAction, Box, Discrete, MultiDiscrete

__all__ = ["bad_actions"]


def bad_actions(spec: ActionSpec) -> list[Any]:
    """Actions that `spec.validate` refuses: wrong type, shape, dtype or value."""
    tried: list[Any] = [None, "no action", 7, 0.5, -1, math.nan, [], np.zeros((2, 3, 2)), object()]
    if isinstance(spec, Box):
        low, high = spec.bounds()
        tried += [
            high + 1 + abs(high),
            low - 1 - abs(low),
            np.full(spec.shape, math.nan),
            np.full(spec.shape, "x"),
            np.zeros((*spec.shape, 1)),
        ]
    elif isinstance(spec, Discrete):
        tried += [spec.n, np.int64(spec.n)]
    elif isinstance(spec, MultiDiscrete):
        tried += [
            np.asarray(spec.nvec),
            np.zeros(len(spec.nvec)),
            np.zeros(len(spec.nvec) + 1, np.int64),
        ]
    elif isinstance(spec, UI):
        tried += [
            {"kind": "no kind"},
            {"kind": "wait", "text": "x"},
            {"kind": "wait", "no field": 1},
        ]
        tried += [
            {"kind": kind, "x": x, "y": 0}
            for kind in spec.kinds
            for x in (math.nan, float(spec.width))
        ]
    elif spec.max_length < 1_000_000:
        tried.append("x" * (spec.max_length + 1))
    # Some of them are good actions of some spec: 7 of Discrete(8), for example.
    return [action for action in tried if _is_refused(spec, action)]


def _is_refused(spec: ActionSpec, action: Any) -> bool:
    try:
        spec.validate(action)
    except BadAction:
        return True
    return False
