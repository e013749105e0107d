"""What a body does that is told nothing new."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.core import ActionSpec, Box

__all__ = ["held_action"]


def held_action(spec: ActionSpec, last: Any) -> Any:
    """What a body does that is told nothing new. `last`: the action before, None at the start.

    Where the layout of the action says that a field is a target (an absolute position, the width
    of a gripper), the field keeps its value; every other one, a velocity or a difference, gets its
    neutral value.
    """
    neutral = spec.noop()
    if last is None or not isinstance(spec, Box) or not spec.layout:
        return neutral
    held = np.array(neutral, copy=True)
    begin = 0
    for field in spec.layout:
        end = begin + field.size
        if field.holds:
            held[begin:end] = last[begin:end]
        begin = end
    return held
