"""The contract of a simulator: `Adapter` plays one episode at a time, `BatchedAdapter` many."""

from __future__ import annotations

import importlib.metadata
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from harness.core.errors import UserError
from harness.core.nouns import Brief, Case, Missing, Native, Task, TimeStep

__all__ = ["Adapter", "BatchedAdapter"]


class _Playable(ABC):
    """What a task needs in order to run: shared by both forms of adapter, and asked without building one."""

    packages: ClassVar[tuple[str, ...]] = ()
    """Distribution names; their versions are part of the protocol."""
    extra: ClassVar[str] = ""
    """The extra of this project that installs them."""
    guide: ClassVar[str] = ""
    """The steps to an installation that no extra gives; the remedy where a package is missing."""
    requirements: ClassVar[tuple[str, ...]] = ()
    """What `bench doctor --fix` installs into an interpreter of the family's own; empty: `packages`."""
    pythons: ClassVar[tuple[str, ...]] = ()
    """The Python versions that can be such an interpreter, the best one first ("3.11"); empty: this one's."""
    patience_s: ClassVar[float] = 120.0
    """Seconds of wall clock after which a reset or a step counts as hung."""
    inexact: ClassVar[str] = ""
    """Why the same actions may give other last digits; empty: they give the same bits. Then a replay compares no digests, and
    rewards and metrics within `tolerance`."""
    tolerance: ClassVar[float] = 0.0
    """Relative, of a score or a metric; only where `inexact` says why."""

    @classmethod
    def missing(cls, task: Task | None = None) -> Missing | None:
        """What is missing on this machine to run `task` (None: any of the family's), or None. Must not import a simulator."""
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
    def limited(cls) -> Missing | None:
        """What works only in part on this machine - images without a GL library, say -, or None. Must not import a simulator."""
        return None

    @classmethod
    def natives(cls, task: Task | None = None) -> tuple[Native, ...]:
        """The perturbations that the simulator carries out itself for `task` (None: any of the family's). Must not import a simulator."""
        return ()

    @classmethod
    def affinity(cls, task: Task) -> str:
        """Tasks of one key can be served by one kept environment."""
        return task.id

    @classmethod
    def has_expert(cls, task: Task) -> bool:
        """Whether `expert` answers for this task."""
        return False

    @classmethod
    def listed(cls, task: Task) -> bool:
        """Whether seeds only count along a list of episodes that is not a split named in the params: other seeds play the same ones, so nothing
        may be trained on."""
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
