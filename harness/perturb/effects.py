"""The base class of perturbations, what they know of the episode, and their random streams."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.core import ActionSpec, Box, Brief, Case, Missing, Spec, stream

__all__ = ["Body", "Effect", "RandomStreams", "NotApplicable", "is_camera", "is_picture", "need"]


class NotApplicable(Exception):
    """This perturbation has nothing to change here.

    The report then has a row with the reason; an unchanged episode never counts as perturbed.
    """

    def __init__(self, reason: str, remedy: str = "leave it out for this task") -> None:
        super().__init__(reason)
        self.missing = Missing(reason, remedy)


class RandomStreams:
    """The random streams of one perturbation in one case, keyed by task id, seed and its name.

    The severity is not part of the key, so all severities draw the same numbers: a severity changes
    how much is disturbed, not where, and a curve over severities has no noise from other draws.

    Each step has a separate stream, so a draw does not depend on earlier draws either: neither on
    the steps at which the agent looks, nor on other perturbations in the same episode.
    """

    def __init__(self, case: Case, name: str) -> None:
        self._key = (case.task.id, case.seed, "perturbation", name)

    def step(self, step: int, *purpose: str) -> np.random.Generator:
        """The generator of one step.

        `purpose` separates several draws at one step, for example those for two cameras.
        """
        return stream(*self._key, *purpose, step=step)

    def episode(self, *purpose: str) -> np.random.Generator:
        """A generator for what stays the same throughout the episode."""
        return stream(*self._key, "episode", *purpose)


@dataclass(frozen=True)
class Body:
    """What an effect may know of the episode that it disturbs."""

    brief: Brief
    """With all views on offer, not only those that the agent reads."""
    history: int
    """How many observations the agent is shown at a time."""
    instruction: str
    """The one at the start."""
    max_steps: int | None = None
    """The task's horizon."""

    @property
    def action(self) -> ActionSpec:
        """The simulator's actions."""
        return self.brief.action


class Effect:
    """One perturbation in one episode. A hook that is not overridden changes nothing.

    The constructor raises NotApplicable if there is nothing to change. Hooks must not modify their
    arguments, which the simulator may still use: they return another value.
    """

    remembers: bool = False
    """Whether `see` needs the value of every step, also of steps that the agent does not see."""

    def __init__(self, streams: RandomStreams, body: Body) -> None:
        self.streams = streams
        self.body = body

    def views(self) -> Sequence[str]:
        """The names of the views that `see` changes."""
        return ()

    def see(self, view: str, value: Any, step: int) -> Any:
        """What the agent sees instead of `value`, `step` actions after the reset."""
        return value

    def say(self, instruction: str) -> str:
        """What the agent reads instead of this instruction.

        The result depends on the instruction alone, so that it stays the same from step to step.
        """
        return instruction

    def act(self, action: Any, step: int) -> Any:
        """The action to execute instead of `action`, number `step` of the episode, from 0.

        It must lie within the action spec.
        """
        return action

    def keep(self, history: int) -> int:
        """How many of `history` observations the agent is shown."""
        return history

    def shown(self, brief: Brief) -> Brief:
        """The brief that the agent gets, for effects that change the size of the screen."""
        return brief

    def outward(self, action: Any) -> Any:
        """A simulator's action, such as the expert's, in the coordinates that the agent uses."""
        return action

    def inward(self, action: Any) -> Any:
        """The inverse of `outward`: an agent's action in the simulator's coordinates."""
        return action

    def metrics(self) -> Mapping[str, float]:
        """Metrics to add to the result, by name."""
        return {}


def is_camera(name: str, spec: Spec) -> bool:
    """Whether a view is an image or a depth map."""
    return (
        isinstance(spec, Box)
        and name.partition("_")[0] in ("image", "depth")
        and len(spec.shape) >= 2
    )


def is_picture(name: str, spec: Spec) -> bool:
    """Whether a view is an image, uint8 (H, W) or (H, W, 3)."""
    return (
        is_camera(name, spec)
        and isinstance(spec, Box)
        and spec.dtype == "uint8"
        and not name.startswith("depth")
    )


@functools.lru_cache(maxsize=1)
def need() -> Any:
    """The module cv2. Raises NotApplicable with the remedy if OpenCV is not installed."""
    try:
        import cv2
    except ImportError as fault:
        raise NotApplicable(
            f"OpenCV cannot be imported ({fault})", "pip install 'generalist-bench[images]'"
        ) from None
    return cv2
