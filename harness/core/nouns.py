"""The nouns: what is asked, what is seen, what is done, and the result.

Import them from harness.core.
"""

from __future__ import annotations

import functools
import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.core.errors import UserError
from harness.core.perturbations import Perturbation
from harness.core.reference import Reference
from harness.core.skills import SkillCall, SkillsNow
from harness.core.specs import ActionSpec, Spec
from harness.core.streams import generator, stream, stream_key

__all__ = [
    "DOMAINS", "STATUSES", "Answer", "Brief", "Case", "Missing", "Normaliser", "Reference",
    "Result", "Suite", "Task", "TimeStep", "Turn", "stream", "stream_key",
]  # fmt: skip

DOMAINS = ("manipulation", "navigation", "games", "ui", "planning")
SUCCESS_RULES = ("ever", "once", "end")
LONGEST_EPISODE = 100_000
"""Steps after which an episode ends although neither its task nor its simulator has a limit."""
STATUSES = ("finished", "agent_error", "error")


@dataclass(frozen=True)
class Normaliser:
    """normalised = (score - low) / (high - low).

    0 is what `low_name` reaches (for example random play), 1 what `high_name` reaches (a human).
    """

    low: float
    high: float
    low_name: str = "random"
    high_name: str = "human"
    source: str = ""

    def __call__(self, score: float) -> float:
        """The normalised score, unbounded on both sides."""
        return (score - self.low) / (self.high - self.low)


_quoted = functools.lru_cache(maxsize=64)(json.dumps)


@dataclass(frozen=True)
class Task:
    """What is asked of an agent, and what counts as success or score.

    A rule that changes what happens or what scores makes another task.
    """

    id: str
    """`family/name@version`. The version rises when scores change meaning."""
    domain: str
    """One of DOMAINS."""
    adapter: str
    """`module:Class` of the Adapter or BatchedAdapter that plays it."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """JSON values for the adapter. Never changed after construction."""
    max_steps: int | None = None
    """The horizon in agent steps. None: the simulator's own limit, or LONGEST_EPISODE."""
    success: str | None = "ever"
    """When success counts. `ever`: at any step, and it ends the episode. `once`: at any step, and
    the episode goes on. `end`: at the last step. None: the task has a score only."""
    rule: str = ""
    """The success or score rule as a text, printed in reports."""
    score: str = "return"
    """`return` (the sum of rewards), `success` (1 or 0), or a metric's name: its value at the last
    step."""
    normaliser: Normaliser | None = None
    control_hz: float | None = None
    """Agent decisions per second of simulated time. None where the domain has no clock."""
    first_seed: int = 0
    """Episode k of the protocol has the seed `first_seed` + k. A benchmark may prescribe it."""
    tags: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()

    def __post_init__(self) -> None:
        if self.domain not in DOMAINS:
            raise UserError(
                f"task {self.id}: the domain {self.domain!r} is not one of {', '.join(DOMAINS)}"
            )
        if self.success is not None and self.success not in SUCCESS_RULES:
            raise UserError(
                f"task {self.id}: the success rule {self.success!r} is not one of "
                f"{', '.join(SUCCESS_RULES)} or absent"
            )
        if "/" not in self.id or "@" not in self.id:
            raise UserError(f"task {self.id!r}: an id reads family/name@version")
        if ":" not in self.adapter:
            raise UserError(f"task {self.id}: the adapter reads module:Class, got {self.adapter!r}")
        if self.max_steps is not None and (type(self.max_steps) is not int or self.max_steps < 1):
            raise UserError(
                f"task {self.id}: max_steps is a whole number of steps from 1 on, or absent; got "
                f"{self.max_steps!r}"
            )
        if not isinstance(self.params, Mapping):
            raise UserError(
                f"task {self.id}: params is a table of names and values, got {self.params!r}"
            )
        try:
            json.dumps(dict(self.params), allow_nan=False)
        except (TypeError, ValueError) as fault:
            raise UserError(f"task {self.id}: params must be JSON values: {fault}") from None

    @property
    def name(self) -> str:
        """The id without its version."""
        return self.id.rpartition("@")[0]

    @functools.cached_property
    def content(self) -> str:
        """Everything that changes what happens or what scores, as canonical JSON.

        Case ids and the protocol hash are made from it.
        """
        fields = [
            self.id,
            self.adapter,
            dict(self.params),
            self.max_steps,
            self.success,
            self.rule,
            self.score,
            [self.normaliser.low, self.normaliser.high] if self.normaliser else None,
            self.control_hz,
            self.first_seed,
        ]
        return json.dumps(fields, sort_keys=True)


@dataclass(frozen=True)
class Suite:
    """A named list of tasks, with the number of episodes that its protocol asks for."""

    name: str
    title: str
    tasks: tuple[Task, ...]
    episodes: int
    """Episodes of each task, by the protocol."""
    in_all: bool = True
    """Whether `--suite all` plays it."""
    source: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Task id -> episodes, for tasks of which the protocol asks for another number."""

    def __post_init__(self) -> None:
        if type(self.episodes) is not int or self.episodes < 1:
            raise UserError(
                f"suite {self.name}: episodes is a whole number from 1 on, got {self.episodes!r}"
            )

    def episodes_of(self, task: Task) -> int:
        """Episodes of this task, by the protocol."""
        return self.counts.get(task.id, self.episodes)


@dataclass(frozen=True)
class Case:
    """A task, a seed and perturbations: the unit of scheduling, resume, pairing and caching."""

    task: Task
    seed: int
    perturbations: tuple[Perturbation, ...] = ()
    draw: int = 0
    """How often its start was drawn before, because the episode was solved there.

    It is no part of the id: what happens still follows from the id alone.
    """
    backend: str = ""
    """Which of the adapter's backends plays it; empty: the adapter itself. No part of the id."""
    repeat: int = 0
    """How often it was played before by an agent that draws: `Turn.rng` differs, and nothing else.
    No part of the id."""

    @functools.cached_property
    def id(self) -> str:
        """A content hash, 20 hexadecimal digits."""
        played = [[p.name, p.severity, dict(p.params)] for p in self.perturbations]
        changes = json.dumps(played, sort_keys=True) if played else "[]"
        text = f"[{_quoted(self.task.content)}, {json.dumps(self.seed)}, {changes}]"
        return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()

    def simulator_perturbation(self, name: str) -> Mapping[str, Any] | None:
        """The parameters of a simulator-side perturbation; None if the case lacks it or it is 0.

        Its randomness comes from `rng("perturbation", name)`. A kept environment must undo it at
        the next reset.
        """
        for perturbation in self.perturbations:
            if perturbation.name == name and perturbation.severity:
                return perturbation.params
        return None

    def native(self, name: str) -> Mapping[str, Any] | None:
        """The old name of `simulator_perturbation`."""
        warnings.warn(
            "Case.native is called simulator_perturbation now", DeprecationWarning, stacklevel=2
        )
        return self.simulator_perturbation(name)

    def rng(self, *purpose: object) -> np.random.Generator:
        """The random stream for one purpose.

        It depends on the task's id, the seed and the draw only, so that a perturbed case, its
        control and all severities share it.
        """
        drawn = ("draw", self.draw) if self.draw else ()
        return stream(self.task.id, self.seed, *purpose, *drawn)

    @functools.cached_property
    def simulator_seed(self) -> int:
        """A seed, 0 <= seed < 2**31, for simulators whose protocol prescribes none.

        It differs between tasks of equal seed. That of draw k is the k-th value of one stream,
        counted from 0.
        """
        rng = stream(self.task.id, self.seed, "simulator")
        for _ in range(self.draw):
            rng.integers(2**31)
        return int(rng.integers(2**31))


@dataclass(frozen=True)
class Brief:
    """What an agent may know before it acts: what it can see and do, and with which body.

    It never names the task, the seed, a perturbation or success.
    """

    observation: Mapping[str, Spec]
    """The views on offer; in a Turn, those that the agent reads. Names: docs/vocabulary.md."""
    action: ActionSpec
    embodiment: str
    """A description of the body, its actuators and its sensors."""
    simulator: str
    """A description of the platform."""
    control_hz: float | None = None


@dataclass(frozen=True)
class TimeStep:
    """What the simulator says after a reset or a step.

    A value of `observation` may be a function of no arguments that draws a costly view. It is
    called only if somebody reads the view, and before the next step.
    """

    observation: Mapping[str, Any]
    instruction: str = ""
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    success: bool | None = None
    """None: this task has no success."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Further measures by name. Those of the last step become the episode's metrics."""

    # One is made at every step: the constructor of a frozen dataclass takes twice as long.
    def __init__(
        self,
        observation: Mapping[str, Any],
        instruction: str = "",
        reward: float = 0.0,
        terminated: bool = False,
        truncated: bool = False,
        success: bool | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        self.__dict__.update(
            observation=observation,
            instruction=instruction,
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            success=success,
            metrics={} if metrics is None else metrics,
        )


@dataclass(frozen=True)
class Turn:
    """One episode's request for an answer."""

    brief: Brief
    instruction: str
    observations: tuple[Mapping[str, Any], ...]
    """The last `history` observations, the newest last; fewer at the start of an episode."""
    actions: tuple[Any, ...]
    """The actions that the agent sent between these observations, clipped into their bounds."""
    step: int
    """Steps taken in this episode."""
    episode: str
    """An opaque name of the episode, the same in all its turns and in `Agent.end`."""
    memory: Any = None
    """The memory of the last Answer that was accepted in this episode."""
    expert: Any = None
    """The expert's action, for an agent that reads `expert`. None: the expert has given up."""
    rng_key: int = 0
    """The key of `rng`; draw from `rng` instead."""
    skills: SkillsNow | None = None
    """For an agent that reads `skills`."""

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Turn:
        """A turn from all its fields, which it keeps: one is made at every step."""
        turn = object.__new__(cls)
        object.__setattr__(turn, "__dict__", fields)
        return turn

    @property
    def observation(self) -> Mapping[str, Any]:
        """The newest observation."""
        return self.observations[-1]

    @functools.cached_property
    def rng(self) -> np.random.Generator:
        """The random generator of this turn, keyed by case and step.

        It is the same whatever else is in the batch, and when the agent is asked again.
        """
        return generator(self.rng_key, self.step)


@dataclass(frozen=True)
class Answer:
    """An agent's answer, where a plain action is not enough."""

    actions: Sequence[Any]
    """One action, or a chunk: actions that are executed in order without asking again."""
    memory: Any = None
    """Kept for this episode and shown in its next Turn."""
    rest: Sequence[Any] = ()
    """Further actions of a chunk. They act only while a late answer is awaited (`--latency`)."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """What the answer took, by name: `tokens_in`, `tokens_out`, `usd`, `requests`, and so on. Their
    sums over an episode stand in its result under `timing.agent`, and in reports."""
    said: str = ""
    """One line for the transcript: what was asked and answered, as JSON. It is kept with the
    episode's trace, and `bench show` prints it."""
    calls: Sequence[SkillCall] = ()
    """In the place of actions: skills, one after the other, until the first that fails."""
    confidence: float | None = None
    """The chance that this episode succeeds, in [0, 1]. That of an episode's first answer stands in
    its result under `timing.confidence`, and the report says how far it can be trusted."""
    ask: bool = False
    """The expert acts in this step, in the place of `actions`, which may be empty. Of those the
    first acts where the expert has given up, and a no-op where there are none. Only of an agent
    that reads `ask`. The metric `expert_steps` counts the steps in which the expert acted."""


@dataclass(frozen=True)
class Missing:
    """Why something cannot run here, and how to fix it."""

    reason: str
    remedy: str


@dataclass(frozen=True)
class Result:
    """The result of a case. All that may differ between two equal runs is under `timing`."""

    case: str
    task: str
    seed: int
    perturbations: tuple[str, ...]
    status: str
    """`finished`; `agent_error`: the agent failed, which counts as a failure; `error`: something
    else failed, and the case has no score."""
    success: bool | None
    score: float | None
    normalised: float | None
    steps: int
    ended: str
    """`success`, `terminated`, `truncated` (the simulator's own limit), `horizon` (the task's
    limit), `solved_at_start` (nothing was left to play, after no step), or the status where that
    is an error."""
    metrics: Mapping[str, float]
    error: str | None
    digest: str
    """A digest of every reward, flag and simulator state; empty where the status is `error`."""
    protocol: str
    timing: Mapping[str, Any]
    start: str = ""
    """A digest of the simulator's state, the instruction and the views that need no renderer, after
    the reset. Empty in lines of schema 1, where the status is `error`, and where equal starts
    differ slightly (`Adapter.nondeterminism`)."""
    success_ever: bool | None = None
    """Whether any step, or the reset, was a success; None without a success rule."""
    success_end: bool | None = None
    """Whether the last step was one."""
    first_success: int | None = None
    """The step of the first success, 0 for the reset."""
