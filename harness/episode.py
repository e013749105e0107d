"""One episode under way: what the agent sees of it, when it ends, and the result that remains."""

from __future__ import annotations

import hashlib
import math
import struct
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.asking import Watch
from harness.core import Case, Missing, Result, TimeStep, Turn, stream_key
from harness.environments import Seat
from harness.traces import Trace, encode_actions

__all__ = ["Episode", "Outcome", "SimulatorFault"]

_FLAGS = struct.Struct("<d3b")
_SUCCESS = {None: -1, False: 0, True: 1}


class SimulatorFault(Exception):
    """The simulator broke the contract, in words."""


class Episode:
    """The state of one episode between its reset and its result."""

    __slots__ = (
        "actions", "agent_s", "asked", "brief", "case", "clipped", "executed", "hasher", "instruction", "memory", "metrics", "name", "pending",
        "returned", "seat", "simulator_s", "solved", "started_with", "steps", "ticket", "tickets", "_actions", "_expert", "_history", "_names", "_observations",
        "_rng_key",
    )  # fmt: skip

    def __init__(self, ticket: Any, case: Case) -> None:
        self.ticket = ticket
        self.tickets = (ticket,)
        self.case = case
        self.name = hashlib.blake2b(f"episode {case.id}".encode(), digest_size=8).hexdigest()
        self.hasher = hashlib.blake2b(digest_size=10)
        self.pending: deque[Any] = deque()
        self._actions: list[Any] = []
        self.steps = self.asked = self.clipped = 0
        self.simulator_s = self.agent_s = 0.0
        self.memory: Any = None
        self.executed: Any = None
        self.solved: bool = False
        self.returned = 0.0
        self.instruction = self.started_with = ""
        self.metrics: Mapping[str, float] = {}

    def begin(self, seat: Seat, first: TimeStep, reads: Sequence[str], history: int) -> None:
        """Take the reset's step. Raises SimulatorFault on an episode that is already over, Unreadable on a view that does not exist."""
        self.seat = seat
        if first.terminated or first.truncated or first.success:
            raise SimulatorFault("already solved or over at reset: nothing is left to play")
        self.brief = seat.narrowed(reads)
        self._names = tuple(self.brief.observation)
        self._expert = "expert" in reads
        self._history = history
        self._observations: deque[Mapping[str, Any]] = deque(maxlen=history)
        self._rng_key = stream_key(self.case.task.id, self.case.seed, "agent")
        self.started_with = first.instruction
        self._see(first)
        self.hasher.update(seat.state())

    def _see(self, seen: TimeStep) -> None:
        """Read what the agent reads, and only what a turn will show: inside a chunk nobody looks."""
        self.instruction = seen.instruction
        self.metrics = seen.metrics
        if len(self.pending) >= self._history:
            return
        observation = {}
        for name in self._names:
            value = seen.observation[name]
            observation[name] = value() if callable(value) else value
        self._observations.append(observation)

    def turn(self, watch: Watch) -> Turn:
        """What the agent is asked now."""
        expert = None
        if self._expert:
            expert = self._ask_expert(watch)
        past = self._history - 1
        return Turn.of(
            {
                "brief": self.brief,
                "instruction": self.instruction,
                "observations": tuple(self._observations),
                "actions": tuple(self._actions[-past:]) if past else (),
                "step": self.steps,
                "episode": self.name,
                "memory": self.memory,
                "expert": expert,
                "rng_key": self._rng_key,
            }
        )

    def _ask_expert(self, watch: Watch) -> Any:
        watch.guard("simulator", self.seat.patience, self.tickets)
        try:
            return self.seat.expert(self.executed)
        finally:
            watch.deadline = 0.0

    def advance(self, action: Any, seen: TimeStep) -> str:
        """Take the step that followed `action`; returns how the episode ended, or an empty string."""
        self.steps += 1
        self.executed = action
        self._actions.append(action)
        reward = float(seen.reward)
        self.returned += reward
        success = seen.success
        if success:
            self.solved = True
        self.hasher.update(_FLAGS.pack(reward, seen.terminated, seen.truncated, _SUCCESS[success]) + self.seat.state())
        task = self.case.task
        ended = ""
        if success and task.success == "ever":
            ended = "success"
        elif seen.terminated:
            ended = "terminated"
        elif seen.truncated:
            ended = "truncated"
        elif task.max_steps is not None and self.steps >= task.max_steps:
            ended = "horizon"
        if ended:
            self.metrics = seen.metrics
            if task.success == "end":
                self.solved = bool(success)
        else:
            self._see(seen)
            if self._expert and self.pending:
                self.seat.expert(action)  # inside a chunk nobody asks, but an expert that follows the episode must be told
        return ended

    def scored(self) -> tuple[bool | None, float, float | None]:
        """(success, score, normalised) by the task's rules, at the end. Raises SimulatorFault when there is no finite score."""
        task = self.case.task
        success = self.solved if task.success is not None else None
        if task.score == "return":
            score = self.returned
        elif task.score == "success":
            score = float(self.solved)
        elif task.score in self.metrics:
            score = float(self.metrics[task.score])
        else:
            raise SimulatorFault(f"the task scores the metric {task.score!r}, and the adapter gave {sorted(self.metrics) or 'none'}")
        if not math.isfinite(score):
            raise SimulatorFault(f"the score is {score}")
        for name, value in self.metrics.items():
            if not math.isfinite(value):
                raise SimulatorFault(f"the metric {name!r} is {value}")
        return success, score, task.normaliser(score) if task.normaliser else None

    def trace(self) -> Trace:
        """The executed actions."""
        return Trace(
            self.case.id, self.case.task.id, self.case.seed, self.started_with, encode_actions(self._actions), self.hasher.hexdigest()
        )

    def result(self, status: str, ended: str, error: str | None, scores: tuple[bool | None, float | None, float | None]) -> Result:
        """The line that remains; protocol and the rest of `timing` are the runner's to fill in."""
        metrics = {name: float(value) for name, value in self.metrics.items() if math.isfinite(value)}
        if self.clipped:
            metrics["clipped_actions"] = float(self.clipped)
        return Result(
            case=self.case.id,
            task=self.case.task.id,
            seed=self.case.seed,
            perturbations=tuple(map(str, self.case.perturbations)),
            status=status,
            success=scores[0],
            score=scores[1],
            normalised=scores[2],
            steps=self.steps,
            ended=ended,
            metrics=metrics,
            error=error,
            digest=self.hasher.hexdigest() if status != "error" else "",
            protocol="",
            timing={"simulator_s": round(self.simulator_s, 6), "agent_s": round(self.agent_s, 6), "asked": self.asked},
        )


@dataclass(frozen=True)
class Outcome:
    """What the loop reports of one case: a result with its trace, or that the task cannot run."""

    ticket: Any
    result: Result | None
    trace: Trace | None = None
    missing: Missing | None = None

    @classmethod
    def finished(cls, episode: Episode, ended: str) -> Outcome:
        """An episode that came to its end."""
        return cls(episode.ticket, episode.result("finished", ended, None, episode.scored()), episode.trace())

    @classmethod
    def failed(cls, episode: Episode, status: str, reason: str) -> Outcome:
        """An episode cut short. By the agent: a failure that can be replayed up to there. By us: no score, no evidence."""
        if status == "agent_error":
            success = False if episode.case.task.success is not None else None
            return cls(episode.ticket, episode.result(status, status, reason, (success, None, None)), episode.trace())
        return cls(episode.ticket, episode.result(status, status, reason, (None, None, None)))
