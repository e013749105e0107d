"""What a perturbation is made of: its luck, the body that it disturbs, and the hooks through which it does."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.core import ActionSpec, Box, Brief, Case, Missing, Spec, stream

__all__ = ["Body", "Effect", "RandomStreams", "NotApplicable", "is_camera", "is_picture", "need"]


class NotApplicable(Exception):
    """This perturbation has nothing to change here: said in a row of its own, never played as if it were clean."""

    def __init__(self, reason: str, remedy: str = "leave it out for this task") -> None:
        super().__init__(reason)
        self.missing = Missing(reason, remedy)


class RandomStreams:
    """The random streams of one perturbation in one case: keyed by task id, seed and its name, never by severity.

    So severities share their luck: what is disturbed at severity 2 is disturbed more at severity 4, not elsewhere.
    """

    def __init__(self, case: Case, name: str) -> None:
        self._key = (case.task.id, case.seed, "perturbation", name)

    def step(self, step: int, *purpose: str) -> np.random.Generator:
        """The generator of one step; `purpose` keeps two draws of a step apart, say those for two cameras."""
        return stream(*self._key, *purpose, step=step)

    def episode(self, *purpose: str) -> np.random.Generator:
        """A generator for what stays the same through the episode."""
        return stream(*self._key, "episode", *purpose)


@dataclass(frozen=True)
class Body:
    """What is disturbed: the brief with all views on offer, how many observations the agent is shown, and the instruction at the start."""

    brief: Brief
    history: int
    instruction: str
    max_steps: int | None = None

    @property
    def action(self) -> ActionSpec:
        """The actions that the simulator takes."""
        return self.brief.action


class Effect:
    """One perturbation in one episode. A hook that is not overridden changes nothing and is not called.

    The constructor raises NotApplicable where there is nothing to change. No hook may change what it is given: it returns another value.
    """

    remembers: bool = False
    """Whether `see` must be shown every step's value, also of those at which the agent is not asked."""

    def __init__(self, streams: RandomStreams, body: Body) -> None:
        self.streams = streams
        self.body = body

    def views(self) -> Sequence[str]:
        """The views that `see` changes, of those on offer."""
        return ()

    def see(self, view: str, value: Any, step: int) -> Any:
        """What the agent sees in place of `value`, `step` actions after the reset."""
        return value

    def say(self, instruction: str) -> str:
        """What the agent is told in place of this instruction: a function of it, so that it does not flicker."""
        return instruction

    def act(self, action: Any, step: int) -> Any:
        """What is executed in place of `action`, the episode's action number `step` from 0; within the action's spec."""
        return action

    def keep(self, history: int) -> int:
        """How many observations the agent is shown, of `history`."""
        return history

    def shown(self, brief: Brief) -> Brief:
        """The brief, where the screen's size changes."""
        return brief

    def outward(self, action: Any) -> Any:
        """An action of the simulator's, as the agent would have to put it: the expert's passes here."""
        return action

    def inward(self, action: Any) -> Any:
        """The inverse of `outward`: an action of the agent's, as the simulator takes it."""
        return action

    def metrics(self) -> Mapping[str, float]:
        """What the result should tell."""
        return {}


def is_camera(name: str, spec: Spec) -> bool:
    """Whether a view is a picture or a depth map."""
    return (
        isinstance(spec, Box)
        and name.partition("_")[0] in ("image", "depth")
        and len(spec.shape) >= 2
    )


def is_picture(name: str, spec: Spec) -> bool:
    """Whether a view is a picture of bytes: (H, W) or (H, W, 3)."""
    return (
        is_camera(name, spec)
        and isinstance(spec, Box)
        and spec.dtype == "uint8"
        and not name.startswith("depth")
    )


@functools.lru_cache(maxsize=1)
def need() -> Any:
    """OpenCV. Raises NotApplicable with the remedy where it is not installed."""
    try:
        import cv2
    except ImportError as fault:
        raise NotApplicable(
            f"OpenCV cannot be imported ({fault})", "pip install 'generalist-bench[images]'"
        ) from None
    return cv2
