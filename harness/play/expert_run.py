"""The expert of an episode, where the agent is shown what it would do, or lets it act."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from harness.core import BadAction
from harness.core.lane import Lane
from harness.play.values import Chunk, SimulatorFault

__all__ = ["ASKING", "ExpertRun", "expert_action"]

ASKING = frozenset({"expert", "ask"})
"""In `Agent.reads`: to be shown the expert's action, and to let it act."""


def expert_action(lane: Lane, executed: Any) -> Any:
    """The expert's action; None: it has given up. `executed`: the last action, None at first.

    Raises SimulatorFault if it is no action: it must not be blamed on who repeats it.
    """
    try:
        action = lane.expert(executed)
        if action is None:
            return None
        taken, _ = lane.adapter.brief.action.coerce(action)
    except BadAction as bad:
        raise SimulatorFault(f"the expert's action is none: {bad}") from None
    # As it is where it is plain: an element beyond its bound stays there, and is counted.
    return action if type(action) is type(taken) else taken


class ExpertRun:
    """It is asked in every step, because it may follow the episode, whether it acts or not."""

    __slots__ = ("asks", "shows", "steps", "_lane", "_would")

    def __init__(self, lane: Lane, reads: Collection[str]) -> None:
        self.shows = "expert" in reads
        self.asks = "ask" in reads
        self.steps = 0
        """In which it acted because the agent asked."""
        self._lane = lane
        self._would: Any = None

    def now(self, executed: Any, outward: Callable[[Any], Any] | None) -> Any:
        """What it would do, if the agent may see it, else None. Raises as expert_action does.

        `outward`: from its coordinates to those in which the agent acts.
        """
        would = expert_action(self._lane, executed)
        self._would = would if outward is None else outward(would)
        return self._would if self.shows else None

    def in_place_of(self, answer: Chunk) -> Chunk:
        """What acts where the agent asks: what it answered if the expert has given up."""
        if self._would is None:
            return answer
        self.steps += 1
        return replace(answer, moves=[self._lane.adapter.brief.action.coerce(self._would)])
