"""Failure modes that are found in every family: from the recorded actions, the result, its metrics.

What they mean stands in harness/core/failure_modes.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.core import ActionSpec, Box, Result

__all__ = ["modes_looked_for", "modes_of_trace"]

ALWAYS = ("agent_error", "never_moved", "loop", "out_of_time")
"""Looked for in every family."""
MEASURED = {"drops": "dropped", "collisions": "collided", "invalid_actions": "invalid_action"}
"""Metric -> the mode that is looked for where the family measures it."""
LEAST_TAIL = 10
"""Actions of a last half from which on it may be a loop."""
MOST_CYCLE = 50
"""Actions of a cycle at most."""
CYCLES = 4
"""How often a cycle fills the last half at least."""
SAME_ACTION = 0.02
"""Of the span of a bounded number: two actions that differ by no more repeat one another."""
LEAST_WAY = 0.01
"""m; the body of an episode with a shorter path_length never moved."""
COLLIDED_SHARE, INVALID_SHARE = 0.25, 0.5
"""Of the steps."""


def modes_looked_for(
    declared: Sequence[str], stages: int, metrics: Mapping[str, float]
) -> frozenset[str]:
    """Which modes an episode could have been found to have; all others are not known of it.

    declared: those of the family's own hook; stages: how many stages its task has.
    """
    measured = {mode for metric, mode in MEASURED.items() if metric in metrics}
    return frozenset({*ALWAYS, *declared, *measured, *({"near_goal"} if stages > 1 else ())})


def modes_of_trace(
    result: Result,
    actions: Sequence[Any],
    spec: ActionSpec,
    looked_for: frozenset[str],
    *,
    near: bool,
) -> set[str]:
    """The modes of a failed episode. `near`: all stages but the last were reached."""
    found = {"agent_error"} if result.status == "agent_error" else set[str]()
    metrics, steps = result.metrics, result.steps
    if result.ended in ("horizon", "truncated"):
        found.add("near_goal" if near else "out_of_time")
    if metrics.get("drops", 0) > 0:
        found.add("dropped")
    if steps and metrics.get("collisions", 0) >= COLLIDED_SHARE * steps:
        found.add("collided")
    still = [is_same(spec, action, spec.noop()) for action in actions]
    # Some families count a no-op among the actions that did nothing.
    invalid = metrics.get("invalid_actions", 0) + metrics.get("unknown_refs", 0) - sum(still)
    if steps and invalid >= INVALID_SHARE * steps:
        found.add("invalid_action")
    if actions and (all(still) or metrics.get("path_length", LEAST_WAY) < LEAST_WAY):
        found.add("never_moved")
    elif len(actions) > 1 and all(still[len(still) // 2 :]):
        found.add("stopped_early")
    elif is_loop(spec, actions):
        found.add("loop")
    return found & looked_for


def is_same(spec: ActionSpec, one: Any, other: Any) -> bool:
    """Whether two actions do the same; numbers in bounds to within SAME_ACTION of their span."""
    if isinstance(spec, Box):
        low, high = spec.limits
        span = np.where(np.isfinite(high - low), high - low, 0.0)
        return bool((np.abs(np.asarray(one, np.float64) - other) <= SAME_ACTION * span).all())
    return bool(np.all(one == other))


def is_loop(spec: ActionSpec, actions: Sequence[Any]) -> bool:
    """Whether the last half is CYCLES or more equal cycles, the last of which may be cut off."""
    tail = actions[len(actions) // 2 :]
    if len(tail) < LEAST_TAIL:
        return False
    most = min(len(tail) // CYCLES, MOST_CYCLE)
    return any(
        all(is_same(spec, tail[k], tail[k + cycle]) for k in range(len(tail) - cycle))
        for cycle in range(1, most + 1)
    )
