"""Actions: noise, stickiness, random actions, delay, dropout, a wrong gain, and bursts of random actions. What they make is what is executed."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.core import ActionSpec, Box, Text
from harness.perturb.effects import Body, Effect, NotApplicable, RandomStreams

__all__ = [
    "ActionBias", "ActionDelay", "ActionDropout", "ActionNoise", "ActionRandom", "ActionScale", "ActionSticky", "Burst",
]  # fmt: skip

LONGEST_BEFORE_BURST = 30


def _samples(spec: ActionSpec) -> None:
    """Raises NotApplicable where a random action could only be one."""
    if isinstance(spec, Text) and len(spec.choices) < 2:
        raise NotApplicable("actions are free text: there are none to draw from")


class _Continuous(Effect):
    """For actions that are arrays of real numbers with bounds."""

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
    """Independent normal noise in each element at every step: `sigma` times its range. Clipped to the bounds."""

    def __init__(self, streams: RandomStreams, body: Body, sigma: float) -> None:
        super().__init__(streams, body)
        self._sigma = sigma * self.range

    def act(self, action: np.ndarray, step: int) -> np.ndarray:
        """Add and clip."""
        return self.within(
            action + self._sigma * self.streams.step(step).standard_normal(action.shape)
        )


class ActionScale(_Continuous):
    """A wrong gain: the action's distance from the one that does nothing is multiplied by `factor`."""

    def __init__(self, streams: RandomStreams, body: Body, factor: float) -> None:
        super().__init__(streams, body)
        self._factor, self._still = factor, self.spec.noop().astype(np.float64)

    def act(self, action: np.ndarray, step: int) -> np.ndarray:
        """Scale."""
        return self.within(self._still + self._factor * (action - self._still))


class ActionBias(_Continuous):
    """A drift: each element is off by `share` of its range all through the episode, up or down by the episode's luck."""

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        signs = np.where(streams.episode().random(self.spec.shape) < 0.5, -1.0, 1.0)
        self._bias = share * self.range * signs

    def act(self, action: np.ndarray, step: int) -> np.ndarray:
        """Add and clip."""
        return self.within(action + self._bias)


class ActionRandom(Effect):
    """At each step, with probability `share`, a random action is executed instead."""

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        _samples(body.action)
        self._share = share

    def act(self, action: Any, step: int) -> Any:
        """A sample of the spec, or the action."""
        rng = self.streams.step(step)
        return self.body.action.sample(rng) if rng.random() < self._share else action


class ActionSticky(Effect):
    """At each step but the first, with probability `share`, what was executed before is executed again (Machado et al. 2018, arXiv 1709.06009)."""

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        self._share = share
        self._before: Any = None

    def act(self, action: Any, step: int) -> Any:
        """The one before, or this one."""
        if self._before is None or self.streams.step(step).random() >= self._share:
            self._before = action
        return self._before


class ActionDelay(Effect):
    """Each action is executed `steps` steps late; until the first one arrives nothing is done."""

    def __init__(self, streams: RandomStreams, body: Body, steps: int) -> None:
        super().__init__(streams, body)
        self._queue = deque([body.action.noop()] * steps)

    def act(self, action: Any, step: int) -> Any:
        """The one that arrives now."""
        self._queue.append(action)
        return self._queue.popleft()


class ActionDropout(Effect):
    """At each step, with probability `share`, the action is lost and nothing is done."""

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        self._share = share

    def act(self, action: Any, step: int) -> Any:
        """Nothing, or the action."""
        return self.body.action.noop() if self.streams.step(step).random() < self._share else action


class Burst(Effect):
    """For `steps` steps in the midst of the episode, random actions are executed: can the agent recover?

    They begin at a step drawn from 2 to an eighth of the task's horizon, at least 4 and at most 30, so that short episodes see them too. The
    metric `burst_steps` tells how many were executed: 0 where the episode was over before.
    """

    def __init__(self, streams: RandomStreams, body: Body, steps: int) -> None:
        super().__init__(streams, body)
        _samples(body.action)
        latest = min(LONGEST_BEFORE_BURST, max(4, (body.max_steps or 1_000_000) // 8))
        self._first = int(streams.episode().integers(2, latest + 1))
        self._steps, self._done = steps, 0

    def act(self, action: Any, step: int) -> Any:
        """A sample of the spec within the burst."""
        if not self._first <= step < self._first + self._steps:
            return action
        self._done += 1
        return self.body.action.sample(self.streams.step(step))

    def metrics(self) -> Mapping[str, float]:
        """How many steps of it took place."""
        return {"burst_steps": float(self._done)}
