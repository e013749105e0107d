"""The contract of a simulator: `Adapter` plays one episode at a time, `BatchedAdapter` many."""

from __future__ import annotations

import importlib.metadata
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from harness.core.errors import UserError
from harness.core.goals import Goal
from harness.core.nouns import Brief, Case, Missing, Task, TimeStep
from harness.core.perturbations import SimulatorPerturbation
from harness.core.skills import Skill, SkillCall

__all__ = ["Adapter", "BatchedAdapter"]

OLD_HOOKS = {
    "natives": "simulator_perturbations",
    "affinity": "env_key",
    "inexact": "nondeterminism",
    "listed": "fixed_episode_list",
}
"""Hooks that users may have overridden by their old names, and the new names."""


class _Playable(ABC):
    """What both forms of adapter share: questions about a family that need no instance.

    None of these may import a simulator.
    """

    packages: ClassVar[tuple[str, ...]] = ()
    """Names of distributions. Their versions are part of the protocol hash."""
    extra: ClassVar[str] = ""
    """The extra of this project that installs them."""
    guide: ClassVar[str] = ""
    """How to install the family where no extra can. It is the remedy where a package is missing."""
    requirements: ClassVar[tuple[str, ...]] = ()
    """What `bench doctor --fix` installs into a separate interpreter; empty: `packages`."""
    pythons: ClassVar[tuple[str, ...]] = ()
    """The Python versions of a separate interpreter, best first ("3.11"); empty: this one's."""
    conda: ClassVar[str] = ""
    """The file of a conda environment, next to the adapter's module, for a separate interpreter.

    `bench doctor --fix` makes it where pip cannot; it needs numpy and msgpack as well."""
    conda_installs: ClassVar[tuple[str, ...]] = ()
    """What pip installs into that environment, without what these packages depend on."""
    code_params: ClassVar[tuple[str, ...]] = ()
    """Names of params that become code: a module, a registered id, arguments of a constructor."""
    path_params: ClassVar[tuple[str, ...]] = ()
    """Names of params that become a path, or a part of one."""
    privileged_views: ClassVar[tuple[str, ...]] = ()
    """Views that come from no camera, text or sensor of the body but from the simulator itself: the
    place of a goal or of an object as numbers, a console's memory, the state. Whoever reads one is
    privileged, and reports say so.
    """
    privileged_skills: ClassVar[bool] = True
    """Whether the controllers of its skills read what no camera, text or sensor of the body shows.

    Whoever has a skill played is privileged then, as whoever reads a privileged view.
    """
    goal_views: ClassVar[tuple[str, ...]] = ()
    """Views that hold the goal: an agent that reads one of them needs no instruction."""
    derived_views: ClassVar[tuple[str, ...]] = ()
    """Views that follow from other ones, such as a scene in words.

    They are no part of the digest of a start, so that one can be added without making older runs
    look as if they had started otherwise.
    """
    backends: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Name -> `module:Class` of an adapter that plays the same cases by other code.

    It may do so in a run only where it is equal on this machine: `bench run --backend NAME` plays
    both first and compares every reward, flag, state and view. See docs/backends.md.
    """
    gpus: ClassVar[float] = 0.0
    """GPUs that its simulator needs; Ray hides them from a worker that asks for none. A fraction
    lets several workers share one."""
    patience_s: ClassVar[float] = 120.0
    """Seconds of wall clock after which a reset or a step counts as hung."""
    nondeterminism: ClassVar[str] = ""
    """Why equal actions may give slightly different numbers; empty: results are bit-identical.

    Where it is set, a replay compares no digests, and scores and metrics within `tolerance`.
    """
    tolerance: ClassVar[float] = 0.0
    """Relative tolerance of scores and metrics in a replay, where `nondeterminism` is set."""
    own_streams: ClassVar[bool] = False
    """Whether tasks that are played with the same seed have nothing random in common.

    True where all that an episode draws comes from `case.simulator_seed` or `case.rng`. Where it is
    False, as where the benchmark prescribes seeds, statistics over several tasks take the episodes
    of a seed for one cluster: their intervals are wider.
    """
    start_kind: ClassVar[str] = ""
    """What the digest of a start, with the `scene` of `factors`, says of it.

    `countable`: it covers all of a start, and starts are drawn from what can be counted, such as
    cells, words or levels: equal digests prove that a start was seen, others that it is new.
    `continuous`: it covers all of a start, whose places are real numbers: equal digests prove it,
    others say nothing, since the next start may differ by less than anyone sees. Empty: it does not
    cover all of a start, and neither is claimed.
    """
    redraws: ClassVar[bool] = True
    """Whether an episode that is solved at its start is drawn again, at most ten times.

    `reset` is then called with `case.draw` 1, 2 and so on. False where the benchmark prescribes
    the start: the episode counts as it is, as solved after no step.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        """Take hooks that are overridden by their old names, and keep `super()` calls to them."""
        super().__init_subclass__(**options)
        for old, new in OLD_HOOKS.items():
            # A mixin that is no adapter itself may hold the override.
            own = next(vars(each) for each in cls.__mro__ if old in vars(each) or new in vars(each))
            if new not in own:
                what = f"{cls.__name__}.{old} is called {new} now"
                # Level 2 is ABCMeta, level 3 the class statement.
                warnings.warn(what, DeprecationWarning, stacklevel=3)
            found = own[new] if new in own else own[old]
            if old not in own or new not in own:
                setattr(cls, new, found)
                setattr(cls, old, found)

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        """What this machine lacks to run `task` (None: any task of the family), or None."""
        for package in cls.packages:
            try:
                importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                extra = (
                    f"pip install 'generalist-bench[{cls.extra}]'"
                    if cls.extra
                    else f"pip install {package}"
                )
                return Missing(f"the package {package} is not installed", cls.guide or extra)
        return None

    @classmethod
    def versions(cls) -> Mapping[str, str]:
        """The versions of `packages` where the simulator runs; `-` where one is absent."""
        found: dict[str, str] = {}
        for package in cls.packages:
            try:
                found[package] = importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                found[package] = "-"
        return found

    @classmethod
    def modules(cls, task: Task) -> tuple[str, ...]:
        """Names of the modules, beside `packages`, whose code decides the results of `task`.

        What they hold is part of the task's protocol; those of bench itself and of Python are not.
        """
        return tuple(dict.fromkeys(each.__module__ for each in cls.__mro__))

    @classmethod
    def limited(cls) -> Missing | None:
        """What works only partly on this machine (for example images, without a GL library)."""
        return None

    @classmethod
    def simulator_perturbations(cls, task: Task | None = None) -> tuple[SimulatorPerturbation, ...]:
        """The perturbations that the simulator itself carries out.

        `task`: for this task; None: for any task of the family.
        """
        return ()

    @classmethod
    def env_key(cls, task: Task) -> str:
        """A key; tasks with the same key can be played in the same environment, one by one."""
        return task.id

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        """Whether `expert` answers for this task."""
        return False

    @classmethod
    def skills(cls, task: Task) -> tuple[Skill, ...]:
        """What its controllers can do in this task, for agents that plan; none by default."""
        return ()

    @classmethod
    def stages(cls, task: Task) -> tuple[str, ...]:
        """Names of the stages on the way to the goal, in order, the last one being the success.

        Empty where the family has none. They describe a run and are no part of its protocol.
        """
        return ()

    @classmethod
    def failure_modes(cls, task: Task) -> tuple[str, ...]:
        """The failure modes (harness.core.failure_modes) that `failure_mode` can tell of this task.

        Beside those that are found in every family. With `stopped_early` among them, a last half of
        no-ops counts as that too: the no-op must bring nothing closer to the goal.
        """
        return ()

    @classmethod
    def fixed_episode_list(cls, task: Task) -> bool:
        """True if the benchmark has one fixed list of episodes and no training split.

        Other seeds then play the same episodes, so training on this task would leak.
        """
        return False

    def renderer_info(self) -> str:
        """What draws the images and depths of this machine's views, in at most 200 characters.

        Such as `EGL, Mesa, llvmpipe (LLVM 15.0.6, 256 bits), 4.5 Mesa 25.0.7`: what may change a
        pixel without a change of `packages`. Empty where nothing else does, as where the simulator
        draws by itself. It is asked once for each environment, after a drawn view was read.
        """
        return ""


for _old, _new in OLD_HOOKS.items():
    setattr(_Playable, _old, vars(_Playable)[_new])


class Adapter(_Playable):
    """One simulator that plays one episode at a time. It is built as `Class(task)`.

    An instance is kept and reset for every case with its environment key, and keeps nothing from
    one case to the next: everything that happens follows from the case alone.
    """

    brief: Brief
    """All views on offer. Set at construction or, at the latest, by `reset`."""

    @abstractmethod
    def reset(self, case: Case) -> TimeStep:
        """Start the case's episode."""

    @abstractmethod
    def step(self, action: Any) -> TimeStep:
        """Execute one action. Raises BadAction when `brief.action.validate` refuses it."""

    def render(self) -> np.ndarray:
        """A frame for people: (H, W, 3) uint8 RGB, row 0 at the top. It changes nothing."""
        raise UserError(f"{type(self).__name__} draws no frames")

    def expert(self, executed: Any) -> Any:
        """The expert's action for this step; None when the expert has given up.

        `executed` is the action that was really executed in the previous step, None at the first.
        """
        raise UserError(f"{type(self).__name__} has no expert")

    def skill_objects(self) -> Mapping[str, tuple[str, ...]]:
        """Type of parameter -> the names that such an argument may be, in this episode.

        Asked after `reset`. All types that the task's skills name are in it.
        """
        return {}

    def skill(self, call: SkillCall, taken: int, executed: Any) -> Any:
        """The next action of a call, or a SkillEnd where it is over.

        `taken`: how many actions of this call have been executed; 0 begins it. `executed`: the
        action that was really executed last in this call, None where it begins. Asking must change
        nothing that an episode's course depends on. The call is one of a skill of this task, with
        objects that `skill_objects` names; one that cannot be done now ends with the reason.
        """
        raise UserError(f"{type(self).__name__} has no skills")

    def expert_plan(self) -> Sequence[SkillCall] | None:
        """Calls that reach the goal from the present state.

        None of them where it is reached, None where the expert knows no way.
        """
        return None

    def state(self) -> bytes:
        """The simulator's state in few bytes; it enters the episode's digest after every step."""
        return b""

    def stage(self) -> int:
        """How many of the task's stages have been reached so far in this episode.

        0 to their number, and never falling. Asked after the reset and after every step of a
        replay, and never while an agent plays: what it keeps from one step to the next begins anew
        with the reset. Asking must change nothing that an episode's course depends on.
        """
        return 0

    def failure_mode(self) -> tuple[str, ...]:
        """How the episode failed, of `failure_modes`; asked once at its end, after `stage`."""
        return ()

    def factors(self, case: Case) -> Mapping[str, str]:
        """What the episode of `case` is about, for the question whether an agent had seen it.

        Names are among harness.core.factors.TOLD: the `object` that the goal names ("red ball") and
        the `scene` that it takes place in ("flat 12"), in words that are equal where these are. The
        instruction and the body are known anyway. Asked right after the reset of that case, never
        while an agent plays; asking must change nothing.
        """
        return {}

    def other_goals(self, case: Case) -> tuple[Goal, ...]:
        """What else could be asked for in the scene that `case` begins in, none of it true yet.

        Asked right after the reset of that case, in a replay and never while an agent plays. The
        same with and without the perturbation `goal`, under which one of them is asked for
        (harness.core.goals.asked_goal). Empty where the scene, or the family, has none.
        """
        return ()

    def goals_met(self, executed: Any) -> tuple[str, ...]:
        """Ids of the goals that are met now: OWN for the task's own, and those of `other_goals`.

        Asked after `other_goals`, at once and after every step of a replay. `executed` is the
        action of that step, None after the reset. Asking must change nothing that an episode's
        course depends on.
        """
        return ()

    def close(self) -> None:
        """Free everything. Called once."""


class BatchedAdapter(_Playable):
    """A simulator that steps many lanes at once. It is built as `Class(task, lanes)`.

    Lanes are numbered from 0. A lane that gets no action in a step does not move. The number of
    lanes must not change any result; where a simulator cannot promise that, it fixes the number in
    the task's params, which are part of the protocol.
    """

    brief: Brief
    """As `Adapter.brief`; the same for all lanes."""

    @abstractmethod
    def reset(self, cases: Mapping[int, Case]) -> Mapping[int, TimeStep]:
        """Start the given cases on the given lanes; the other lanes do not move."""

    @abstractmethod
    def step(self, actions: Mapping[int, Any]) -> Mapping[int, TimeStep]:
        """Execute one action on each of the given lanes.

        What it raises is a fault of the simulator in all lanes: unlike a single adapter, it cannot
        refuse an action that lies within the spec.
        """

    def render(self, lane: int) -> np.ndarray:
        """As Adapter.render, for one lane."""
        raise UserError(f"{type(self).__name__} draws no frames")

    def expert(self, lane: int, executed: Any) -> Any:
        """As Adapter.expert, for one lane."""
        raise UserError(f"{type(self).__name__} has no expert")

    def skill_objects(self, lane: int) -> Mapping[str, tuple[str, ...]]:
        """As Adapter.skill_objects, for one lane."""
        return {}

    def skill(self, lane: int, call: SkillCall, taken: int, executed: Any) -> Any:
        """As Adapter.skill, for one lane."""
        raise UserError(f"{type(self).__name__} has no skills")

    def expert_plan(self, lane: int) -> Sequence[SkillCall] | None:
        """As Adapter.expert_plan, for one lane."""
        return None

    def state(self, lane: int) -> bytes:
        """As Adapter.state, for one lane."""
        return b""

    def stage(self, lane: int) -> int:
        """As Adapter.stage, for one lane."""
        return 0

    def failure_mode(self, lane: int) -> tuple[str, ...]:
        """As Adapter.failure_mode, for one lane."""
        return ()

    def factors(self, lane: int, case: Case) -> Mapping[str, str]:
        """As Adapter.factors, for one lane."""
        return {}

    def other_goals(self, lane: int, case: Case) -> tuple[Goal, ...]:
        """As Adapter.other_goals, for one lane."""
        return ()

    def goals_met(self, lane: int, executed: Any) -> tuple[str, ...]:
        """As Adapter.goals_met, for one lane."""
        return ()

    def close(self) -> None:
        """Free everything. Called once."""
