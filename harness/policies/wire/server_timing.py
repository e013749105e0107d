"""What a policy server says of its own time: `server_timing` and `policy_timing` of a reply.

openpi's server adds `server_timing` (`infer_ms`, `prev_total_ms`) to every answer, its policies
`policy_timing` (`infer_ms`): src/openpi/serving/websocket_policy_server.py and
src/openpi/policies/policy.py of Physical-Intelligence/openpi.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["timings_of"]

PARTS = ("server_timing", "policy_timing")
MOST_TIMES = 16
"""Of each part; those after are left out."""
MOST_NAME = 40
MOST_MS = 1e9


def timings_of(reply: Any, turns: int = 1) -> dict[str, float]:
    """The times of a reply by `server_timing.NAME` and `policy_timing.NAME`, for one of its turns.

    In the unit of the server, milliseconds in openpi's. A stranger says them, and no action hangs
    on them: what is no plain name with a finite number from 0 on is left out.
    """
    found: dict[str, float] = {}
    for part in PARTS:
        told = reply.get(part) if isinstance(reply, Mapping) else None
        if not isinstance(told, Mapping):
            continue
        for name, value in list(told.items())[:MOST_TIMES]:
            plain = isinstance(value, (int, float, np.integer, np.floating))
            if (
                isinstance(name, str)
                and name.isascii()
                and name.isidentifier()
                and len(name) <= MOST_NAME
                and plain
                and not isinstance(value, bool)
                and math.isfinite(value)
                and 0 <= value <= MOST_MS
            ):
                found[f"{part}.{name}"] = float(value) / turns
    return found
