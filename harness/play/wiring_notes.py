"""What the executed actions of one episode give away about how the agent is wired.

They stand in the episode's line under `timing.wiring`; harness/probes/wiring/passive.py puts those
of a run together.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from harness.core import Box, Discrete
from harness.records.traces import action_bytes

__all__ = ["FIRST", "wiring_notes"]

FIRST = 20
"""Actions that are compared with those of other episodes."""
TINY = 1e-3
"""The share of a range within which actions hardly move."""
MOST_ELEMENTS = 64
"""Elements of an action that are told one by one."""
MOST_TEXT = 60
"""Characters of an action."""


def wiring_notes(
    actions: Sequence[Any],
    spec: Any,
    unread: Collection[str] = (),
    table: np.ndarray | None = None,
) -> dict[str, Any]:
    """`first`: a checksum of the first FIRST actions, if there are as many; and only where it is so

    `equal`: the action that all of them are; `constant`: the value of each element that never
    changes, by its number and the name of its field; `tiny`: true if no element leaves 0.1 % of its
    range; `unread`: the views that the agent asked for and did not read. There is an action at
    least. `table`: their `action_table`, where it is known.
    """
    found: dict[str, Any] = {"unread": sorted(unread)} if unread else {}
    if len(actions) >= FIRST:
        # A part of a table has its dtype, unless that was chosen for numbers beyond 64 bits.
        head = None if table is None or table.dtype.kind not in "fi" else table[:FIRST]
        found["first"] = f"{zlib.crc32(action_bytes(actions[:FIRST], head)):08x}"
    first = actions[0]
    if not isinstance(first, np.ndarray):
        if actions.count(first) == len(actions):
            named = isinstance(spec, Discrete) and spec.names
            found["equal"] = _short(spec.names[first] if named else repr(first))
        return found
    whole = np.asarray(actions) if table is None else table
    table = whole.reshape(len(actions), first.size) + 0.0  # no -0, no integers
    reach = np.ptp(table, axis=0)
    if _moves(reach.tolist(), spec):  # as in nearly all episodes
        return found
    still = reach == 0
    if still.any():
        if still.all():
            found["equal"] = _short(", ".join(f"{value:g}" for value in table[0]))
        if len(still) <= MOST_ELEMENTS:
            names = _names(spec, len(still))
            found["constant"] = {
                names[number]: float(f"{table[0, number]:g}") for number in np.flatnonzero(still)
            }
    if not still.all() and isinstance(spec, Box):
        low, high = spec.limits
        with np.errstate(over="ignore"):
            span = (high - low).ravel()
        if np.isfinite(span).all() and (reach < TINY * span).all():
            found["tiny"] = True
    return found


def _moves(reach: Sequence[float], spec: Any) -> bool:
    """Whether every element moves, and the first one so far that nobody need look closer."""
    if 0.0 in reach or not isinstance(spec, Box) or not reach:
        return False
    low, high = spec.pairs[0]
    return reach[0] > 2 * TINY * (high - low)


def _short(text: str) -> str:
    """The text, or the part of a long one with a checksum of the rest."""
    if len(text) <= MOST_TEXT:
        return text
    return f"{text[:MOST_TEXT]}... {zlib.crc32(text.encode(errors='surrogatepass')):08x}"


def _names(spec: Any, count: int) -> list[str]:
    """`3 (gripper)` for each element, where the layout says what it is."""
    fields = [field.name for field in getattr(spec, "layout", ()) for _ in range(field.size)]
    return [
        f"{number} ({fields[number]})" if number < len(fields) else str(number)
        for number in range(count)
    ]
