"""The footprint of an agent, in a few lines of a run."""

from __future__ import annotations

import dataclasses

from harness.play.inference import AgentClient
from harness.play.outcome import Outcome

__all__ = ["FootprintNotes"]


class FootprintNotes:
    """Adds the footprint to the timing of the 1st, 2nd, 4th, 8th ... result of a process.

    Reading it at the end of each episode would cost short ones one percent.
    """

    def __init__(self, agent: AgentClient) -> None:
        self._agent = agent
        self._ended = 0

    def noted(self, outcome: Outcome) -> Outcome:
        """The outcome, with the footprint if it is its turn."""
        self._ended += 1
        if outcome.result is None or self._ended & (self._ended - 1):
            return outcome
        timing = {**outcome.result.timing, "footprint": self._agent.footprint()}
        return dataclasses.replace(
            outcome, result=dataclasses.replace(outcome.result, timing=timing)
        )
