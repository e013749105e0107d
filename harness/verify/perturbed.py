"""Perturbed episodes: are the executed actions those that the perturbations can have let through?

The agent's own actions are not recorded, only what was executed. But what a perturbation of the
actions draws follows from task, seed, name and step. So some executed actions are known: the random
ones, the no-ops of lost and late actions, the repeats. Of the others the range is known into which
noise, gain and bias can have moved an action within the bounds.

A lower severity than the played one fits that, too: its draws are among those of the higher one.
It is told by the draws that a lower severity would have let through: an agent cannot know them, so
it cannot have followed them either.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.core import ActionSpec, Box, Brief, Case, Perturbation
from harness.perturb.effects import Body, Effect, NotApplicable, RandomStreams
from harness.perturb.registry import REGISTRY
from harness.records.plan import Plan, label
from harness.records.registry import load
from harness.verify.difference import Difference

__all__ = ["acts", "check_executed", "check_severities"]

UNLIKELY = 1e-9
"""A coincidence that is less likely than this is none. Every perturbed episode is looked at."""


def check_severities(plan: Plan, command: object) -> tuple[list[Difference], list[str]]:
    """(differences, claims): conditions whose parameters are not those of their severity.

    A user's file may set levels of its own, and `command`, which run.json holds, then names one.
    """
    own_levels = ".toml" in str(command)
    differences: list[Difference] = []
    claims: list[str] = []
    for condition in plan.perturbations:
        for part in condition:
            kind = REGISTRY.get(part.name)
            if kind is None or not part.params or not part.severity:
                continue
            same = [k for k, level in enumerate(kind.levels, 1) if dict(level) == dict(part.params)]
            if part.severity in same:
                continue
            if same and not own_levels:
                differences.append(
                    Difference(
                        what="the severity",
                        recorded=f"{part}, in {label(condition)}",
                        expected=f"{part.name}:{same[0]}, which has these parameters",
                    )
                )
            else:
                claims.append(f"levels of the user's own ({part})")
    return differences, list(dict.fromkeys(claims))


def acts(part: Perturbation) -> bool:
    """Whether a perturbation changes the actions on their way to the simulator."""
    kind = REGISTRY.get(part.name)
    return kind is not None and bool(part.severity) and kind.group in ("action", "burst")


@dataclass(frozen=True)
class _Sent:
    """An action that the agent may have sent, and what became of it on its way.

    Actions of one name are equal. `low` and `high` bound real numbers; None: any other action.
    """

    name: tuple[int, ...]
    low: np.ndarray | None = None
    high: np.ndarray | None = None


def check_executed(case: Case, brief: Brief, actions: Sequence[Any]) -> str | None:
    """What cannot have been executed in this case, as a sentence; None: nothing is wrong.

    `brief`: the task's, `actions`: the executed ones. None also where it cannot be told: where the
    screen is changed too, on which actions point.
    """
    groups = {REGISTRY[part.name].group for part in case.perturbations if part.name in REGISTRY}
    if not actions or "ui" in groups or not any(map(acts, case.perturbations)):
        return None
    body = Body(brief, 1, "", case.task.max_steps)
    effects: list[tuple[Perturbation, Effect]] = []
    for part in case.perturbations:
        if acts(part):
            kind = REGISTRY[part.name]
            form: Callable[..., Effect] = load(kind.entry)
            params = part.params or kind.levels[part.severity - 1]
            try:
                effect = form(RandomStreams(case, part.name), body, **params)
            except NotApplicable as unsuited:
                return f"{part.name} has nothing to change here: {unsuited}"
            effects.append((part, effect))
    wrong = _wrong_action([effect for _, effect in effects], brief.action, actions)
    if wrong is None and len(effects) == 1:
        wrong = _other_severity(case, effects[0][0], brief.action, actions)
    return wrong


def _wrong_action(
    effects: Sequence[Effect], spec: ActionSpec, actions: Sequence[Any]
) -> str | None:
    limits = _limits(spec)
    before: dict[tuple[int, ...], Any] = {}
    for step, executed in enumerate(actions):
        sent: Any = _Sent((step,), *limits)
        for effect in effects:
            sent = _pass(effect, sent, step, spec)
        if not isinstance(sent, _Sent):
            if not _equal(sent, executed):
                return (
                    f"action {step + 1} is {_short(executed)}, the perturbation's is {_short(sent)}"
                )
            continue
        if sent.low is not None and not _within(executed, sent.low, sent.high):
            return (
                f"action {step + 1} is {_short(executed)}, the perturbation lets "
                f"{_short(sent.low)} to {_short(sent.high)} through"
            )
        if not _equal(before.setdefault(sent.name, executed), executed):
            return f"action {step + 1} is {_short(executed)}, the perturbation repeats another one"
    return None


def _limits(spec: ActionSpec) -> tuple[np.ndarray | None, np.ndarray | None]:
    if not isinstance(spec, Box) or np.dtype(spec.dtype).kind != "f":
        return None, None
    low, high = spec.bounds()
    return np.asarray(low, spec.dtype), np.asarray(high, spec.dtype)


def _pass(effect: Effect, sent: Any, step: int, spec: ActionSpec) -> Any:
    """What an effect makes of an action. Gain, bias and noise keep the order of real numbers."""
    if not hasattr(effect, "within"):
        return effect.act(sent, step)
    if not isinstance(sent, _Sent):
        return effect.act(sent, step)
    assert sent.low is not None
    low, high = effect.act(sent.low, step), effect.act(sent.high, step)
    # Noise differs from step to step, so an action that is sent twice does not stay equal.
    return _Sent((*sent.name, step), low, high)


def _equal(one: Any, other: Any) -> bool:
    return bool(np.array_equal(one, other)) if isinstance(one, np.ndarray) else bool(one == other)


def _within(value: Any, low: np.ndarray, high: np.ndarray | None) -> bool:
    array = np.asarray(value)
    return array.shape == low.shape and bool(np.all((low <= array) & (array <= high)))


def _short(value: Any) -> str:
    text = np.array2string(value, precision=4) if isinstance(value, np.ndarray) else str(value)
    return " ".join(text.split())[:60]


def _other_severity(
    case: Case, part: Perturbation, spec: ActionSpec, actions: Sequence[Any]
) -> str | None:
    """A severity whose draws the actions follow although the recorded one lets them through."""
    kind = REGISTRY[part.name]
    params = dict(part.params or kind.levels[part.severity - 1])
    streams = RandomStreams(case, part.name)
    name = f"{part.name}:{part.severity}"
    if part.name == "action_noise":
        chance = _noise_chance(streams, params["sigma"], spec, actions)
        return f"the actions have more of the noise than {name} adds" if chance < UNLIKELY else None
    if (hit := HITS.get(part.name)) is None:
        return None
    draws: list[tuple[float, bool]] = []
    for step in range(1 if hit is _repeat else 0, len(actions)):
        rng = streams.step(step)
        draws.append((float(rng.random()), hit(rng, spec, actions, step)))
    free = [(draw, done) for draw, done in draws if draw >= params["share"]]
    total = sum(done for _, done in free)
    for number, level in enumerate(kind.levels, 1):
        inside = [done for draw, done in free if draw < level["share"]]
        if not inside or not all(inside):
            continue
        ways = math.comb(len(free) - len(inside), total - len(inside))
        if ways / math.comb(len(free), total) < UNLIKELY:
            return f"the actions follow the draws of {part.name}:{number}, not those of {name}"
    return None


def _random(rng: np.random.Generator, spec: ActionSpec, actions: Sequence[Any], step: int) -> bool:
    return _equal(spec.sample(rng), actions[step])


def _repeat(rng: np.random.Generator, spec: ActionSpec, actions: Sequence[Any], step: int) -> bool:
    return _equal(actions[step - 1], actions[step])


def _lost(rng: np.random.Generator, spec: ActionSpec, actions: Sequence[Any], step: int) -> bool:
    return _equal(spec.noop(), actions[step])


HITS: Mapping[str, Callable[..., bool]] = {
    "action_random": _random,
    "action_sticky": _repeat,
    "action_dropout": _lost,
}
"""Whether an action is what a perturbation makes of it where it strikes. `rng` is the step's
generator after the draw that decides whether it does."""


def _noise_chance(
    streams: RandomStreams, sigma: float, spec: ActionSpec, actions: Sequence[Any]
) -> float:
    """The chance that the actions, less the noise, go along with the noise as well as they do.

    The agent's action does not depend on the noise of its step. Clipping can only turn what is left
    against the noise, so this test on one side errs to the safe one.
    """
    low, high = _limits(spec)
    assert low is not None
    assert high is not None
    span = high.astype(np.float64) - low
    span[span == 0.0] = 1.0
    noise = [streams.step(step).standard_normal(low.shape) for step in range(len(actions))]
    left = np.ravel([action / span - sigma * each for action, each in zip(actions, noise)])
    size = math.sqrt(float(left @ left))
    return 0.5 * math.erfc(float(left @ np.ravel(noise)) / size / math.sqrt(2)) if size else 1.0
