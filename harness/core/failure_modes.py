"""One closed list of the ways in which an episode fails, with what each means.

A mode is found in what happened, never judged by a model. Some are found in every family from the
recorded actions, the result and its metrics (harness/verify/trace_modes.py); the others by the
family's own hook, `Adapter.failure_mode`. An episode may have several modes, or none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["FAILURE_MODES", "in_order"]

FAILURE_MODES: Mapping[str, str] = {
    "agent_error": "the agent raised, did not answer in time, or answered what is no action",
    "other_goal": "it fulfilled, or came to, a goal that is not the task's",
    "wrong_object": "it took, or stayed at, an object that the task does not name",
    "dropped": "it lost what it held, away from the goal",
    "collided": "it ended in a collision, or collided in a quarter of the steps or more",
    "invalid_action": "half of its actions or more, no-ops apart, were understood as none",
    "stopped_early": "it ended the episode short of the goal, or did nothing in its last half",
    "never_moved": "all that it did was the no-op, or the body moved less than 1 cm",
    "loop": "the last half of its actions, ten or more, is one short cycle again and again",
    "near_goal": "its time was over with all stages reached but the last",
    "out_of_time": "its time was over",
}
"""Name -> meaning. Of several modes of an episode, tables count the first in this order: what
happened comes before how long it took."""


def in_order(modes: Iterable[str]) -> tuple[str, ...]:
    """These modes, each once, in the order of FAILURE_MODES. Raises ValueError for another name."""
    found = set(modes)
    unknown = sorted(found - FAILURE_MODES.keys())
    if unknown:
        raise ValueError(
            f"there is no failure mode {unknown[0]!r}: choose from {', '.join(FAILURE_MODES)}"
        )
    return tuple(mode for mode in FAILURE_MODES if mode in found)
