"""The nouns: what is asked, what is seen, what is done, what came of it - and the two contracts, `Adapter` and `Agent`.

Standard library and numpy only; runs on Python 3.9. Nothing here knows a simulator, a model, Ray or a file.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from harness.specs import ActionSpec, BadAction, Box, Discrete, MultiDiscrete, Spec, Text, Texts
from harness.ui import UI, Element, Elements, UIAction

__all__ = [
    "DOMAINS", "UI", "ActionSpec", "Adapter", "Agent", "Answer", "BadAction", "BatchedAdapter", "Box", "Brief", "Case", "Discrete", "Element", "Elements",
    "Missing", "MultiDiscrete", "Normaliser", "Perturbation", "Reference", "Result", "Spec", "Suite", "Task", "Text", "Texts", "TimeStep", "Turn", "UIAction",
    "UserError", "stream", "stream_key",
]  # fmt: skip

DOMAINS = ("manipulation", "navigation", "games", "ui", "planning")
SUCCESS_RULES = ("ever", "once", "end")
STATUSES = ("finished", "agent_error", "error")


class UserError(Exception):
    """Wrong use or wrong input: shown as one message with its remedy and exit code 2, never as a traceback."""


def stream(*key: object, step: int = 0) -> np.random.Generator:
    """A random generator of its own for each key and step: Philox keyed by a hash of `key`, its counter moved to `step`; streams never overlap."""
    return _philox(stream_key(*key), step)


def stream_key(*key: object) -> int:
    """The 128-bit key of a stream."""
    return int.from_bytes(hashlib.blake2b(json.dumps(key).encode(), digest_size=16).digest(), "little")


def _philox(key: int, step: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=key, counter=step << 128))


@dataclass(frozen=True)
class Normaliser:
    """normalised = (score - low) / (high - low): 0 is `low_name` (say, random play) and 1 is `high_name` (say, a human)."""

    low: float
    high: float
    low_name: str = "random"
    high_name: str = "human"
    source: str = ""

    def __call__(self, score: float) -> float:
        """The normalised score, unbounded on both sides."""
        return (score - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Reference:
    """A published figure to print beside ours. `same_rule` says whether its rule is the task's own; `rule` says what differs if not."""

    label: str
    value: float
    metric: str
    source: str
    rule: str = ""
    same_rule: bool = False


@dataclass(frozen=True)
class Task:
    """What is asked of an agent, and what counts. A rule that changes what happens or what scores makes another task."""

    id: str
    """`family/name@version`; the version rises when scores change meaning."""
    domain: str
    """One of DOMAINS."""
    adapter: str
    """`module:Class` of the Adapter or BatchedAdapter that plays it."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """JSON values for the adapter; never changed after construction."""
    max_steps: int | None = None
    """The horizon in agent steps; None leaves it to the simulator's own rule."""
    success: str | None = "ever"
    """`ever`: success at any step, which ends the episode. `once`: at any step, the episode goes on. `end`: at the last step. None: only a score."""
    rule: str = ""
    """The success or score rule in words, printed in every row."""
    score: str = "return"
    """What the score is: `return` (the sum of rewards), `success` (1 or 0), or the name of a metric at the last step."""
    normaliser: Normaliser | None = None
    control_hz: float | None = None
    """Agent decisions per second of simulated time; None where the domain has no clock."""
    first_seed: int = 0
    """Seeds count up from here: where a benchmark prescribes them, they are those."""
    tags: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()

    def __post_init__(self) -> None:
        if self.domain not in DOMAINS:
            raise UserError(f"task {self.id}: the domain {self.domain!r} is not one of {', '.join(DOMAINS)}")
        if self.success is not None and self.success not in SUCCESS_RULES:
            raise UserError(f"task {self.id}: the success rule {self.success!r} is not one of {', '.join(SUCCESS_RULES)} or absent")
        if "/" not in self.id or "@" not in self.id:
            raise UserError(f"task {self.id!r}: an id reads family/name@version")
        if ":" not in self.adapter:
            raise UserError(f"task {self.id}: the adapter reads module:Class, got {self.adapter!r}")
        if self.max_steps is not None and (type(self.max_steps) is not int or self.max_steps < 1):
            raise UserError(f"task {self.id}: max_steps is a whole number of steps from 1 on, or absent; got {self.max_steps!r}")
        if not isinstance(self.params, Mapping):
            raise UserError(f"task {self.id}: params is a table of names and values, got {self.params!r}")
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
        """Everything that changes what happens or what scores, as canonical JSON: the base of case ids and of the protocol hash."""
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
    """A named list of tasks with the number of episodes its protocol asks for."""

    name: str
    title: str
    tasks: tuple[Task, ...]
    episodes: int
    """Episodes a task, by the protocol."""
    in_all: bool = True
    """Whether `--suite all` plays it."""
    source: str = ""

    def __post_init__(self) -> None:
        if type(self.episodes) is not int or self.episodes < 1:
            raise UserError(f"suite {self.name}: episodes is a whole number from 1 on, got {self.episodes!r}")


@dataclass(frozen=True)
class Perturbation:
    """A change between adapter and agent: a name, a severity (0 changes nothing) and parameters."""

    name: str
    severity: int
    params: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        params = json.dumps(dict(self.params), sort_keys=True, separators=(",", ":")) if self.params else ""
        return f"{self.name}:{self.severity}{params}"


@dataclass(frozen=True)
class Case:
    """A task, a seed and the perturbations: the unit of scheduling, resume, pairing and caching."""

    task: Task
    seed: int
    perturbations: tuple[Perturbation, ...] = ()

    @functools.cached_property
    def id(self) -> str:
        """A content hash, 20 hexadecimal digits."""
        played = [[p.name, p.severity, dict(p.params)] for p in self.perturbations]
        text = json.dumps([self.task.content, self.seed, played], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()

    def rng(self, *purpose: object) -> np.random.Generator:
        """The stream of one purpose, from the task's id and the seed alone, so that twins and severities share their luck."""
        return stream(self.task.id, self.seed, *purpose)

    @functools.cached_property
    def simulator_seed(self) -> int:
        """0 <= seed < 2**31, for simulators whose protocol prescribes none; differs between tasks of the same seed."""
        return int(self.rng("simulator").integers(2**31))


@dataclass(frozen=True)
class Brief:
    """What an agent may know of its body before it acts. It never names the task, the seed, a perturbation or success."""

    observation: Mapping[str, Spec]
    """The views on offer, or, in a Turn, those the agent reads. Names are one vocabulary over all adapters: see docs/adapters.md."""
    action: ActionSpec
    embodiment: str
    """The body, its actuators and its sensors, in words."""
    simulator: str
    """The platform, in words."""
    control_hz: float | None = None


@dataclass(frozen=True)
class TimeStep:
    """What the simulator says after a reset or a step.

    A value of `observation` may be a function of no arguments: a view that costs something, drawn only if somebody reads it before the next step.
    """

    observation: Mapping[str, Any]
    instruction: str = ""
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    success: bool | None = None
    """True or False; None: this task has no success."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Further measures up to now, by name; the last ones become the episode's."""


@dataclass(frozen=True)
class Turn:
    """One episode's request for an answer."""

    brief: Brief
    instruction: str
    observations: tuple[Mapping[str, Any], ...]
    """The last `history` observations, the newest last; shorter at the start."""
    actions: tuple[Any, ...]
    """The actions executed between them, so one less."""
    step: int
    """Steps taken in this episode."""
    episode: str
    """An opaque name of the episode, the same in all its turns and in `Agent.end`."""
    memory: Any = None
    """What the agent's last accepted Answer carried."""
    expert: Any = None
    """The expert's action, only for an agent that reads `expert`; None when the expert has given up."""
    rng_key: int = 0
    """The key of `rng`; draw from `rng` instead."""

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Turn:
        """A turn from all its fields. One is made at every step, and a frozen dataclass pays for each assignment in its constructor."""
        turn = object.__new__(cls)
        turn.__dict__.update(fields)
        return turn

    @property
    def observation(self) -> Mapping[str, Any]:
        """The newest observation."""
        return self.observations[-1]

    @functools.cached_property
    def rng(self) -> np.random.Generator:
        """A generator for this turn, keyed by case and step: the same whoever else is in the batch, and when the agent is asked again."""
        return _philox(self.rng_key, self.step)


@dataclass(frozen=True)
class Answer:
    """An agent's answer where a plain action is not enough."""

    actions: Sequence[Any]
    """One action, or a chunk: executed one after the other beside the simulator, without asking again."""
    memory: Any = None
    """Kept for this episode and shown in its next Turn; replaces the old one when the answer is accepted."""


@dataclass(frozen=True)
class Missing:
    """Why something cannot run here, and what mends it."""

    reason: str
    remedy: str


@dataclass(frozen=True)
class Result:
    """What came of a case. All that may vary between two equal runs is under `timing`."""

    case: str
    task: str
    seed: int
    perturbations: tuple[str, ...]
    status: str
    """`finished`; `agent_error`: the agent's fault, a failure; `error`: ours, no score."""
    success: bool | None
    score: float | None
    normalised: float | None
    steps: int
    ended: str
    """`success`, `terminated`, `truncated` (the simulator's own limit), `horizon` (the task's), or the status where that is an error."""
    metrics: Mapping[str, float]
    error: str | None
    digest: str
    """A digest of every reward, flag and simulator state; empty where the episode never started."""
    protocol: str
    timing: Mapping[str, Any]


class _Playable(ABC):
    """What a task needs in order to run: shared by both forms of adapter, and asked without building one."""

    packages: ClassVar[tuple[str, ...]] = ()
    """Distribution names; their versions are part of the protocol."""
    extra: ClassVar[str] = ""
    """The extra of this project that installs them."""
    patience_s: ClassVar[float] = 120.0
    """Seconds of wall clock after which a reset or a step counts as hung."""

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        """What is missing on this machine to run `task` (None: any of the family's), or None. Must not import a simulator."""
        for package in cls.packages:
            try:
                importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                extra = f"pip install 'bench[{cls.extra}]'" if cls.extra else f"pip install {package}"
                return Missing(f"the package {package} is not installed", extra)
        return None

    @classmethod
    def limited(cls) -> Missing | None:
        """What works only in part on this machine - images without a GL library, say -, or None. Must not import a simulator."""
        return None

    @classmethod
    def affinity(cls, task: Task) -> str:
        """Tasks of one key can be served by one kept environment."""
        return task.id

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        """Whether `expert` answers for this task."""
        return False


class Adapter(_Playable):
    """One simulator, one lane, one episode at a time; kept and reset for every case of its affinity key, keeping nothing from the last one.

    It is built as `Class(task)`. Everything that happens follows from the case alone.
    """

    brief: Brief
    """All views on offer; set at construction or, at the latest, by reset."""

    @abstractmethod
    def reset(self, case: Case) -> TimeStep:
        """Start the case's episode."""

    @abstractmethod
    def step(self, action: Any) -> TimeStep:
        """Execute one action. Raises BadAction when `self.brief.action.check` refuses it."""

    def render(self) -> np.ndarray:
        """A frame for people: (H, W, 3) uint8 RGB, row 0 at the top. Must not change the episode."""
        raise UserError(f"{type(self).__name__} draws no frames")

    def expert(self, executed: Any) -> Any:
        """The expert's action now, given the action really executed before (None at the first step); None when it has given up."""
        raise UserError(f"{type(self).__name__} has no expert")

    def state(self) -> bytes:
        """The simulator's state now, in few bytes and at no cost worth naming: it enters the digest after every step."""
        return b""

    def close(self) -> None:
        """Free everything. Called once."""


class BatchedAdapter(_Playable):
    """A simulator that steps many lanes at once. It is built as `Class(task, lanes)`; lanes are numbered from 0.

    A lane that gets no action in a step rests: its episode does not move. The number of lanes must not change any result; where a simulator
    cannot promise that, it fixes the number in the task's params, which are part of the protocol.
    """

    brief: Brief

    @abstractmethod
    def reset(self, cases: Mapping[int, Case]) -> Mapping[int, TimeStep]:
        """Start the given cases on the given lanes; the other lanes rest."""

    @abstractmethod
    def step(self, actions: Mapping[int, Any]) -> Mapping[int, TimeStep]:
        """Execute one action on each of the given lanes."""

    def render(self, lane: int) -> np.ndarray:
        """As Adapter.render."""
        raise UserError(f"{type(self).__name__} draws no frames")

    def expert(self, lane: int, executed: Any) -> Any:
        """As Adapter.expert."""
        raise UserError(f"{type(self).__name__} has no expert")

    def state(self, lane: int) -> bytes:
        """As Adapter.state."""
        return b""

    def close(self) -> None:
        """Free everything. Called once."""


class Agent(ABC):
    """Anything that answers turns. It is built as `Class(**arguments)`, once in every worker, or once for all where it is served.

    What it answers to a turn must not depend on who else is in the batch, nor on how often it is asked: randomness comes from `turn.rng`,
    and what an episode needs to remember goes through `Answer.memory`.
    """

    reads: ClassVar[tuple[str, ...]] = ()
    """The views it reads, by name; a trailing `?` marks one that it can do without. `expert` makes it privileged: it sees the expert's action."""
    history: ClassVar[int] = 1
    """How many past observations a turn carries."""
    gpus: ClassVar[float] = 0.0
    """GPUs it needs; more than none makes it served."""
    served: ClassVar[bool] = False
    """Whether one instance serves all workers, with dynamic batching."""

    @abstractmethod
    def act(self, turns: Sequence[Turn]) -> Sequence[Any]:
        """An action or an Answer for every turn, in the same order."""

    def end(self, episodes: Iterable[str]) -> None:
        """These episodes are over: free what is kept for them. Unknown names are no error."""

    def close(self) -> None:
        """Free everything. Called once."""
