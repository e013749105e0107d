"""Perturbed actions: noise, repeats, random actions, delay, dropout, wrong gain, bias, and bursts.

The trace holds the perturbed actions, because they are what is executed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.core import ActionSpec, Box, Text
from harness.perturb.effects import Body, Effect, NotApplicable, RandomStreams

__all__ = [
    "ActionBias", "ActionDelay", "ActionDropout", "ActionNoise", "ActionRandom", "ActionScale",
    "ActionSticky", "Burst",
]  # fmt: skip

LATEST_BURST = 30
"""The last step at which a burst may begin."""


def _need_choice(spec: ActionSpec) -> None:
    """Raises NotApplicable if there are no different actions to draw from."""
    if isinstance(spec, Text) and len(spec.choices) < 2:
        raise NotApplicable("actions are free text: there are none to draw from")


class _Continuous(Effect):
    """Base of effects on actions that are arrays of real numbers with finite bounds."""

    def __init__(self, streams: RandomStreams, body: Body) -> None:
        super().__init__(streams, body)
        spec = body.action
        if not isinstance(spec, Box) or np.dtype(spec.dtype).kind != "f":
            kind = type(spec).__name__
            raise NotApplicable(
                f"actions are {kind}, not continuous",
                "use action_random, action_sticky or action_dropout for these",
            )
        low, high = (limit.astype(np.float64) for limit in spec.bounds())
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            raise NotApplicable("actions have no bounds, so there is no range to be relative to")
        self.spec, self.limits, self.range = spec, (low, high), high - low

    def within(self, action: np.ndarray) -> np.ndarray:
        """Clipped to the bounds, in the spec's dtype."""
        return np.asarray(np.clip(action, *self.limits), self.spec.dtype)


class ActionNoise(_Continuous):
    """Independent Gaussian noise in each element at every step, clipped to the bounds.

    Its standard deviation is `sigma` times the element's range.
    """

    def __init__(self, streams: RandomStreams, body: Body, sigma: float) -> None:
        super().__init__(streams, body)
        self._sigma = sigma * self.range

    def act(self, action: np.ndarray, step: int) -> np.ndarray:
        return self.within(
            action + self._sigma * self.streams.step(step).standard_normal(action.shape)
        )


class ActionScale(_Continuous):
    """A wrong gain: the action's difference from the no-op is multiplied by `factor`."""

    def __init__(self, streams: RandomStreams, body: Body, factor: float) -> None:
        super().__init__(streams, body)
        self._factor, self._noop = factor, self.spec.noop().astype(np.float64)

    def act(self, action: np.ndarray, step: int) -> np.ndarray:
        return self.within(self._noop + self._factor * (action - self._noop))


class ActionBias(_Continuous):
    """A constant error: each element is off by `share` of its range throughout the episode.

    The direction is drawn for each element and episode.
    """

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        signs = np.where(streams.episode().random(self.spec.shape) < 0.5, -1.0, 1.0)
        self._bias = share * self.range * signs

    def act(self, action: np.ndarray, step: int) -> np.ndarray:
        return self.within(action + self._bias)


class ActionRandom(Effect):
    """At each step, with probability `share`, a random action is executed instead."""

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        _need_choice(body.action)
        self._share = share

    def act(self, action: Any, step: int) -> Any:
        rng = self.streams.step(step)
        return self.body.action.sample(rng) if rng.random() < self._share else action


class ActionSticky(Effect):
    """At each step but the first, the previous action is executed again with probability `share`.

    Sticky actions after Machado et al. 2018, arXiv 1709.06009.
    """

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        self._share = share
        self._executed: Any = None

    def act(self, action: Any, step: int) -> Any:
        if self._executed is None or self.streams.step(step).random() >= self._share:
            self._executed = action
        return self._executed


class ActionDelay(Effect):
    """Each action is executed `steps` steps late; the first `steps` actions are no-ops."""

    def __init__(self, streams: RandomStreams, body: Body, steps: int) -> None:
        super().__init__(streams, body)
        self._queue = deque([body.action.noop()] * steps)

    def act(self, action: Any, step: int) -> Any:
        self._queue.append(action)
        return self._queue.popleft()


class ActionDropout(Effect):
    """At each step, with probability `share`, the action is lost and a no-op is executed."""

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        self._share = share

    def act(self, action: Any, step: int) -> Any:
        return self.body.action.noop() if self.streams.step(step).random() < self._share else action


class Burst(Effect):
    """For `steps` steps in mid-episode, random actions are executed: can the agent recover?

    The first step is drawn uniformly from 2 to L, where L is an eighth of the task's horizon, at
    least 4 and at most 30: early enough for short episodes. The metric `burst_steps` is the number
    of random actions executed, 0 if the episode ended before.
    """

    def __init__(self, streams: RandomStreams, body: Body, steps: int) -> None:
        super().__init__(streams, body)
        _need_choice(body.action)
        latest = min(LATEST_BURST, max(4, (body.max_steps or 1_000_000) // 8))
        self._first = int(streams.episode().integers(2, latest + 1))
        self._steps, self._done = steps, 0

    @property
    def window(self) -> tuple[int, int]:
        """(the first step of the burst, its length)."""
        return self._first, self._steps

    def act(self, action: Any, step: int) -> Any:
        if not self._first <= step < self._first + self._steps:
            return action
        self._done += 1
        return self.body.action.sample(self.streams.step(step))

    def metrics(self) -> Mapping[str, float]:
        return {"burst_steps": float(self._done)}
