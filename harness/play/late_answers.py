"""Answers that come late because simulated time does not wait for the agent.

An answer acts as many steps after its observation as whole control periods have passed. Until then
the rest of the chunk before it acts, and after that the body holds what it has.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.core.nouns import LONGEST_EPISODE
from harness.play.episode import Episode
from harness.play.held import held_action
from harness.play.outcome import Outcome
from harness.play.values import AgentFault, Chunk, Move
from harness.records.control_clock import ControlClock

__all__ = ["LateAnswers", "Waiting"]

MOST_KEPT = 1000
"""Latencies of an episode that its line keeps, when they are measured."""


class Waiting:
    """What an episode knows of its agent's latency."""

    __slots__ = ("answers", "last", "late", "latencies", "rest", "steps")

    def __init__(self) -> None:
        self.rest: list[Move] = []
        """Of the last chunk: what has not been executed."""
        self.last: Any = None
        """The last action that was sent to the body, or None before the first one."""
        self.answers = self.late = self.steps = 0
        self.latencies: list[float] = []

    def timing(self, measured: bool) -> dict[str, Any]:
        """For the result's `timing`: `answers`, how many acted late, and the steps of waiting.

        `latencies`, in seconds, where they were measured: of the first MOST_KEPT answers.
        """
        found: dict[str, Any] = {
            "answers": self.answers,
            "late": self.late,
            "waited_steps": self.steps,
        }
        if measured:
            found["latencies"] = [round(each, 6) for each in self.latencies]
        return found


class LateAnswers:
    """Puts what acts meanwhile before each answer."""

    def __init__(self, clock: ControlClock) -> None:
        self._clock = clock
        self._episodes: dict[str, Waiting] = {}

    def take(self, episode: Episode, answer: Move | Chunk, took: float) -> None:
        """Queue the answer's moves behind those of the steps that its latency costs.

        `took`: the seconds that the agent's call took here.
        """
        waiting = self._episodes.setdefault(episode.name, Waiting())
        moves = answer.moves if isinstance(answer, Chunk) else [answer]
        case, clock = episode.case, self._clock
        latency = clock.latency(case.task.id, case.seed, episode.steps, took)
        steps = clock.late(latency, episode.brief.control_hz)
        waiting.answers += 1
        waiting.late += steps > 0
        if clock.measured and len(waiting.latencies) < MOST_KEPT:
            waiting.latencies.append(latency)
        # A call may have taken longer than what is left of the episode.
        horizon = case.task.max_steps or LONGEST_EPISODE
        steps = min(steps, horizon - episode.steps)
        waiting.steps += steps
        spec = episode.brief.action
        meanwhile, waiting.rest = waiting.rest[:steps], []
        if episode.skills is not None and episode.executed is not None:
            waiting.last = episode.executed  # a controller's, which no answer held
        for move in meanwhile:
            waiting.last = move[0]
        if len(meanwhile) < steps:
            held = (held_action(spec, waiting.last), False)
            waiting.last = held[0]
            meanwhile += [held] * (steps - len(meanwhile))
        episode.pending.extend(meanwhile)
        episode.pending.extend(moves)
        if moves and not isinstance(moves[-1], AgentFault):
            waiting.last = moves[-1][0]
        if isinstance(answer, Chunk):
            # Nothing acts after an action that is none.
            waiting.rest = [move for move in answer.rest if not isinstance(move, AgentFault)]

    def ended(self, episode: Episode, outcome: Outcome) -> Outcome:
        """The outcome of an episode that is over, with its latencies in the result's timing."""
        waiting = self._episodes.pop(episode.name, None)
        if waiting is None or outcome.result is None:
            return outcome
        timing = {**outcome.result.timing, "clock": waiting.timing(self._clock.measured)}
        result = dataclasses.replace(outcome.result, timing=timing)
        return dataclasses.replace(outcome, result=result)
