"""Rollouts for PPO: the policy plays training seeds, and each decision is recorded with its reward.

Episodes are played by the harness' own loop, on training seeds that no evaluation plays. An action
is one decision, however many tokens it has. An episode that a time limit cuts off counts as
terminated, since no observation follows from which a value could be estimated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from baselines.gea.agent import infer, reads_of
from baselines.gea.policy import Decision, Policy
from baselines.gea.prompt import Prompt, StepInputs
from baselines.learning import parallel
from harness.core import DOMAINS, Agent, Case, Task, TimeStep, Turn, UserError, stream
from harness.demos.training import training_seed, training_task
from harness.host.loading import load_adapter
from harness.play.episode import Episode
from harness.play.inference import LocalAgent, Watch
from harness.play.outcome import Outcome
from harness.play.rollout import RolloutLoop

__all__ = ["Rollouts", "Segment", "Transition"]

FIRST_GUESS = 50
"""Assumed decisions per episode of a suite until some of its episodes have ended."""
MOST_FAILURES = 15
"""Consecutive episodes that may fail in the simulator before training stops."""


@dataclass(eq=False)
class Transition:
    """One decision, and the reward that followed it."""

    prompt: Prompt
    decision: Decision
    domain: int
    """Index into DOMAINS."""
    value: float
    """The return that the critic expected when the decision was made.

    Not normalised: PopArt's moments, which normalise `decision.values`, may have moved since.
    """
    reward: float = 0.0


@dataclass(frozen=True)
class Segment:
    """Consecutive transitions of an episode."""

    transitions: list[Transition]
    following: Transition | None
    """The decision after them, whose value is bootstrapped from; None if the episode ended."""


@dataclass
class _Trajectory:
    """The transitions of an episode since they were last collected."""

    domain: int
    transitions: list[Transition] = field(default_factory=list)


class _SamplingAgent(Agent):
    """Samples its actions, and records every decision in its episode's trajectory."""

    def __init__(self, policy: Policy, trajectories: dict[str, _Trajectory]) -> None:
        self.reads, self.history = reads_of(policy.config), policy.config.history  # type: ignore[misc]
        self._policy, self._trajectories = policy, trajectories
        self.inputs: dict[str, dict[int, StepInputs]] = {}

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """A sampled action for each turn."""
        with self._policy.autocast():
            prompts, decisions = infer(
                self._policy, turns, self.inputs, self._policy.config.temperature
            )
        mean, std = self._policy.mean.tolist(), self._policy.return_std().tolist()
        for turn, prompt, decision in zip(turns, prompts, decisions):
            trajectory = self._trajectories[turn.episode]
            domain = trajectory.domain
            value = float(decision.values[domain]) * std[domain] + mean[domain]
            trajectory.transitions.append(Transition(prompt, decision, domain, value))
        return [
            self._policy.codec.decode(turn.brief.action, decision.tokens)
            for turn, decision in zip(turns, decisions)
        ]


class Rollouts:
    """Plays suites without end and hands out what was recorded.

    All suites get equally many decisions, or their shares of them, whatever the length of their
    episodes; within a suite, all tasks get equally many episodes. It is the loop's case source and,
    as agents are not shown rewards, also its observer.
    """

    def __init__(
        self,
        policy: Policy,
        suites: Sequence[Sequence[Task]],
        seed: int,
        state: Mapping[str, Any] | None = None,
        *,
        shares: Sequence[float] = (),
    ) -> None:
        """`suites`: the tasks of each suite; `state`: what `state()` of an earlier one returned.

        `shares`: of the decisions, for each suite; by default all get equally many.

        Raises UserError when a task cannot run here.
        """
        self._seed = seed
        self._shares = shares or [1.0] * len(suites)
        # The numbers of processes that learn together are interleaved.
        self._number: int = state["number"] if state else parallel.rank() + 1 - parallel.size()
        self._ended: list[list[int]] = (
            [list(each) for each in state["ended"]] if state else [[0, 0] for _ in suites]
        )
        """For each suite, the episodes that have ended and their decisions."""
        self._suites = [[training_task(task) for task in tasks] for tasks in suites]
        for task in (task for tasks in self._suites for task in tasks):
            missing = load_adapter(task.adapter).missing(task)
            if missing is not None:
                raise UserError(
                    f"{task.id} cannot run here: {missing.reason}; {missing.remedy}, "
                    "or leave it out with --tasks"
                )
        self._running: dict[str, _Trajectory] = {}
        self._complete: list[_Trajectory] = []
        self.finished: list[Outcome] = []
        """Outcomes of the episodes that have ended; the caller clears it."""
        self._failures = 0
        self._agent = _SamplingAgent(policy, self._running)
        watch = Watch()
        client = LocalAgent(self._agent, watch, 3600.0)
        self._loop = RolloutLoop(
            client,
            self._agent.reads,
            self._agent.history,
            lanes=policy.config.lanes,
            groups=1,
            watch=watch,
            report=self._report,
            observer=self,
        )

    # The loop's case source

    def take(self, held: Sequence[str]) -> tuple[int, Case]:
        """(index of a suite, a case of it): a random task, with a training seed not used before."""
        self._number += parallel.size()
        rng = stream(self._seed, "rollouts", step=self._number)
        # Suites are drawn in inverse proportion to their mean episode length.
        cdf = np.cumsum(
            [
                share * (episodes + 1) / (decisions + FIRST_GUESS)
                for share, (episodes, decisions) in zip(self._shares, self._ended)
            ]
        )
        suite = min(int(np.searchsorted(cdf, rng.random() * cdf[-1], "right")), len(cdf) - 1)
        task = self._suites[suite][int(rng.integers(len(self._suites[suite])))]
        return suite, Case(task, training_seed(task, 0, self._seed * 100_000 + self._number))

    # The loop's observer

    def begin(self, episode: Episode, first: TimeStep) -> None:
        """Open the episode's trajectory."""
        self._running[episode.name] = _Trajectory(DOMAINS.index(episode.case.task.domain))

    def step(self, episode: Episode, seen: TimeStep, last: bool) -> None:
        """Add the reward to the decision that led here."""
        self._running[episode.name].transitions[-1].reward += float(seen.reward)

    def end(self, episode: Episode, outcome: Outcome) -> Outcome:
        """Close the trajectory. Those of episodes that failed in the simulator are dropped."""
        trajectory = self._running.pop(episode.name)
        self._agent.inputs.pop(episode.name, None)
        self._ended[episode.ticket][0] += 1
        self._ended[episode.ticket][1] += episode.steps
        if outcome.result is not None and outcome.result.status == "finished":
            self._complete.append(trajectory)
        return outcome

    def close(self) -> None:
        """The loop has closed its environments."""

    def _report(self, outcome: Outcome) -> None:
        if outcome.result is None:
            reason = outcome.missing.reason if outcome.missing else "unknown"
            raise UserError(f"a task cannot be played: {reason}")
        if outcome.result.status == "agent_error":
            raise RuntimeError(f"{outcome.result.task}: {outcome.result.error}")
        self._failures = self._failures + 1 if outcome.result.status == "error" else 0
        if self._failures > MOST_FAILURES:
            raise RuntimeError(
                f"{self._failures} episodes in a row failed; the last one, "
                f"{outcome.result.task}: {outcome.result.error}"
            )
        self.finished.append(outcome)

    # For the training

    def collect(self, count: int) -> list[Segment]:
        """Play until there are `count` transitions or more, and hand them out."""
        while sum(self._available()) < count:
            self._loop.turn(self)
        segments = [Segment(trajectory.transitions, None) for trajectory in self._complete]
        self._complete = []
        for trajectory in self._running.values():
            # The newest decision's reward is not known yet: it begins the next segment.
            if len(trajectory.transitions) > 1:
                segments.append(Segment(trajectory.transitions[:-1], trajectory.transitions[-1]))
                trajectory.transitions = trajectory.transitions[-1:]
        return [segment for segment in segments if segment.transitions]

    def _available(self) -> Iterator[int]:
        yield from (len(trajectory.transitions) for trajectory in self._complete)
        yield from (
            max(0, len(trajectory.transitions) - 1) for trajectory in self._running.values()
        )

    def state(self) -> dict[str, Any]:
        """JSON values from which another one continues, with other seeds than so far."""
        return {"number": self._number, "ended": self._ended}

    def weights_changed(self) -> None:
        """Drop the encoded inputs, which the old weights made."""
        self._agent.inputs.clear()

    def stop(self) -> None:
        """Close the environments."""
        self._loop.close()
