"""Do the actions of perturbed episodes follow draws that their severity would not have used?

All severities of a perturbation draw the same numbers, and a higher one lets more of them strike.
So the actions of a high severity fit a lower one, too. But an agent cannot know the draws: if its
actions follow those that only another severity would have used, that one was played.

Every chance here is that of a coincidence, given an agent that does not know the draws. Whatever it
does instead (nothing, the same again, one of two choices) makes no coincidence less likely.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from harness.core import ActionSpec, Box, Case, Discrete, MultiDiscrete, Perturbation, Text
from harness.perturb.effects import Effect, RandomStreams
from harness.perturb.registry import REGISTRY

__all__ = ["Draws", "equal_actions"]

UNLIKELY = 1e-9
"""A coincidence that is less likely than this is none. Every perturbed episode is looked at."""


def equal_actions(one: Any, other: Any) -> bool:
    """Whether two actions of one spec are equal."""
    return bool(np.array_equal(one, other)) if isinstance(one, np.ndarray) else bool(one == other)


class Draws:
    """The draws of many episodes, each perturbed in one way: a short one alone tells little."""

    def __init__(self) -> None:
        self._noise: dict[str, tuple[float, float]] = {}
        """By perturbation: (the actions, less the noise, times the noise; their square)."""
        self._logs: dict[tuple[str, int], float | None] = {}
        """By (perturbation, another severity): the log of the chance; None: it was not played."""

    def follow(
        self,
        case: Case,
        part: Perturbation,
        effect: Effect,
        spec: ActionSpec,
        actions: Sequence[Any],
    ) -> str | None:
        """Whether these actions, or those of all episodes so far, follow other draws.

        A sentence that says so, or None. `effect`: that of `part` in this case, with its severity.
        """
        params = dict(part.params or REGISTRY[part.name].levels[part.severity - 1])
        streams = RandomStreams(case, part.name)
        if part.name == "action_noise":
            return self._follow_noise(part, _noise(streams, params["sigma"], spec, actions))
        if part.name == "burst":
            found = _longer_burst(part, effect, streams, spec, actions)
        elif part.name in HITS:
            found = _other_shares(part, params["share"], streams, spec, actions)
        else:
            return None
        for number, log in found.items():
            before = self._logs.get((str(part), number), 0.0)
            both = None if log is None or before is None else log + before
            self._logs[str(part), number] = both
            if any(each is not None and each < math.log(UNLIKELY) for each in (log, both)):
                return f"the actions follow the draws of {part.name}:{number}, not those of {part}"
        return None

    def _follow_noise(self, part: Perturbation, sums: tuple[float, float]) -> str | None:
        before = self._noise.get(str(part), (0.0, 0.0))
        both = self._noise[str(part)] = before[0] + sums[0], before[1] + sums[1]
        for product, square in (sums, both):
            if square and 0.5 * math.erfc(product / math.sqrt(2 * square)) < UNLIKELY:
                return f"the actions have more of the noise than {part} adds"
        return None


def _noise(
    streams: RandomStreams, sigma: float, spec: ActionSpec, actions: Sequence[Any]
) -> tuple[float, float]:
    """(the actions, less the noise, times the noise; the square of the actions, less the noise).

    The agent's action does not depend on the noise of its step, so the first is about normal, with
    mean 0 and the second as its variance. Clipping can only turn what is left against the noise: a
    test on one side errs to the safe one.
    """
    assert isinstance(spec, Box)
    low, high = (limit.astype(np.float64) for limit in spec.bounds())
    span = np.where(high > low, high - low, 1.0)
    noise = [streams.step(step).standard_normal(low.shape) for step in range(len(actions))]
    left = np.ravel([action / span - sigma * each for action, each in zip(actions, noise)])
    return float(left @ np.ravel(noise)), float(left @ left)


def _random(rng: np.random.Generator, spec: ActionSpec, actions: Sequence[Any], step: int) -> bool:
    return equal_actions(spec.sample(rng), actions[step])


def _repeat(rng: np.random.Generator, spec: ActionSpec, actions: Sequence[Any], step: int) -> bool:
    return step > 0 and equal_actions(actions[step - 1], actions[step])


def _lost(rng: np.random.Generator, spec: ActionSpec, actions: Sequence[Any], step: int) -> bool:
    return equal_actions(spec.noop(), actions[step])


HITS: Mapping[str, Callable[..., bool]] = {
    "action_random": _random,
    "action_sticky": _repeat,
    "action_dropout": _lost,
}
"""Whether an action is what a perturbation makes of it where it strikes. `rng` is the step's
generator after the draw that decides whether it does."""


def _other_shares(
    part: Perturbation,
    share: float,
    streams: RandomStreams,
    spec: ActionSpec,
    actions: Sequence[Any],
) -> dict[int, float | None]:
    """The log of the chance, by severity, that every draw of it that is left was followed.

    None where one was not followed: it was not played. The draws of the steps at which `part` does
    not strike change nothing, so any order of them is as likely, whatever the actions are.
    """
    free: list[tuple[float, bool]] = []
    for step in range(int(part.name == "action_sticky"), len(actions)):
        rng = streams.step(step)
        draw = float(rng.random())
        if draw >= share:
            free.append((draw, HITS[part.name](rng, spec, actions, step)))
    hits = sum(hit for _, hit in free)
    found: dict[int, float | None] = {}
    for number, level in enumerate(REGISTRY[part.name].levels, 1):
        inside = [hit for draw, hit in free if draw < level["share"]]
        if not inside:
            continue
        found[number] = None
        if all(inside):
            ways = _log_ways(len(free) - len(inside), hits - len(inside))
            found[number] = ways - _log_ways(len(free), hits)
    return found


def _log_ways(count: int, chosen: int) -> float:
    return math.lgamma(count + 1) - math.lgamma(chosen + 1) - math.lgamma(count - chosen + 1)


def _longer_burst(
    part: Perturbation,
    effect: Effect,
    streams: RandomStreams,
    spec: ActionSpec,
    actions: Sequence[Any],
) -> dict[int, float | None]:
    """The same for the steps by which the burst of another severity is longer."""
    chance = _chance_of_a_sample(spec)
    begins, steps = effect.window  # type: ignore[attr-defined]
    found: dict[int, float | None] = {}
    for number, level in enumerate(REGISTRY[part.name].levels, 1):
        more = range(begins + steps, min(begins + level["steps"], len(actions)))
        if chance is None or not more:
            continue
        followed = all(_random(streams.step(step), spec, actions, step) for step in more)
        found[number] = len(more) * math.log(chance) if followed else None
    return found


def _chance_of_a_sample(spec: ActionSpec) -> float | None:
    """The chance that an action equals a random one; None: unknown."""
    if isinstance(spec, Discrete):
        return 1 / spec.n
    if isinstance(spec, MultiDiscrete):
        return 1 / math.prod(spec.nvec)
    if isinstance(spec, Text):
        return 1 / len(spec.choices) if spec.choices else None
    return 1e-6 if isinstance(spec, Box) else None
