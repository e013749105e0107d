"""Perturbed numbers (noise, bias, failing sensors), and observations that arrive late."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.core import Box
from harness.perturb.effects import Body, Effect, NotApplicable, RandomStreams, is_camera

__all__ = ["ObservationDelay", "StateBias", "StateDropout", "StateNoise"]


class _Numbers(Effect):
    """Base of effects on views of real numbers, such as `state` and `proprio`.

    Views of integers, images and depth maps are left alone. The scale of an element is its range if
    its bounds are finite. All other elements share one scale: the root mean square of all elements
    in the episode's first observation, or 1 if that is 0. Results are clipped to the bounds.
    """

    def __init__(self, streams: RandomStreams, body: Body) -> None:
        super().__init__(streams, body)
        offered = body.brief.observation.items()
        self._specs = {
            name: spec
            for name, spec in offered
            if isinstance(spec, Box)
            and np.dtype(spec.dtype).kind == "f"
            and not is_camera(name, spec)
        }
        if not self._specs:
            raise NotApplicable("there is no view of real numbers here")
        self._scales: dict[str, np.ndarray] = {}

    def views(self) -> Sequence[str]:
        return list(self._specs)

    def scale(self, view: str, value: np.ndarray) -> np.ndarray:
        """The scale of each element, float64 in the shape of `value`, fixed by the first value."""
        if view not in self._scales:
            low, high = (limit.astype(np.float64) for limit in self._specs[view].bounds())
            rms = float(np.sqrt(np.mean(np.square(value, dtype=np.float64)))) if value.size else 0.0
            with np.errstate(over="ignore", invalid="ignore"):
                span = high - low
            self._scales[view] = np.where(np.isfinite(span), span, rms or 1.0)
        return self._scales[view]

    def within(self, view: str, value: np.ndarray, like: np.ndarray) -> np.ndarray:
        """Clipped to the bounds, in the view's dtype."""
        largest = np.finfo(like.dtype).max
        low, high = (
            np.clip(limit.astype(np.float64), -largest, largest)
            for limit in self._specs[view].bounds()
        )
        return np.asarray(np.clip(value, low, high), like.dtype)


class StateNoise(_Numbers):
    """Independent Gaussian noise at every step, of `sigma` times an element's scale."""

    remembers = True

    def __init__(self, streams: RandomStreams, body: Body, sigma: float) -> None:
        super().__init__(streams, body)
        self._sigma = sigma

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        noise = self.streams.step(step, view).standard_normal(value.shape)
        return self.within(view, value + self._sigma * self.scale(view, value) * noise, value)


class StateBias(_Numbers):
    """A sensor with a constant error throughout the episode.

    It is drawn from a normal distribution with `sigma` times an element's scale as its standard
    deviation.
    """

    remembers = True

    def __init__(self, streams: RandomStreams, body: Body, sigma: float) -> None:
        super().__init__(streams, body)
        self._sigma = sigma

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        bias = self.streams.episode(view).standard_normal(value.shape)
        return self.within(view, value + self._sigma * self.scale(view, value) * bias, value)


class StateDropout(_Numbers):
    """At every step each element is 0 with probability `share`, or the bound nearest to 0."""

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        self._share = share

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        lost = self.streams.step(step, view).random(value.shape) < self._share
        return self.within(view, np.where(lost, 0.0, value), value)


class ObservationDelay(Effect):
    """All views are `steps` steps old; in the first steps they show the first observation.

    The instruction is not delayed.
    """

    remembers = True

    def __init__(self, streams: RandomStreams, body: Body, steps: int) -> None:
        super().__init__(streams, body)
        self._steps = steps
        self._queues: dict[str, deque[Any]] = {}

    def views(self) -> Sequence[str]:
        return list(self.body.brief.observation)

    def see(self, view: str, value: Any, step: int) -> Any:
        queue = self._queues.setdefault(view, deque(maxlen=self._steps + 1))
        queue.append(value)
        return queue[0]
