"""Perturbed episodes: are the executed actions those that the perturbations can have let through?

The agent's own actions are not recorded, only what was executed. But what a perturbation of the
actions draws follows from task, seed, name and step. So some executed actions are known: the random
ones, the no-ops of lost and late actions, the repeats. Of the others the range is known into which
noise, gain and bias can have moved an action within the bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.core import ActionSpec, Box, Brief, Case, Perturbation
from harness.perturb.effects import Body, Effect, NotApplicable
from harness.perturb.pipeline import effect_of
from harness.perturb.registry import REGISTRY
from harness.records.plan import Plan, label
from harness.verify.difference import Difference
from harness.verify.draws import Draws, equal_actions

__all__ = ["acts", "changes_images", "check_executed", "check_severities"]

NOISY = ("image_noise", "impulse_noise")
"""Perturbations that leave no picture as it was."""


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
            params = {name: value for name, value in part.params.items() if name != "version"}
            same = [k for k, level in enumerate(kind.levels, 1) if dict(level) == params]
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


def changes_images(parts: Sequence[Perturbation], reads: Sequence[str]) -> bool:
    """Whether the first images of an agent that reads these views differ from the control's."""
    return any(name.startswith("image") for name in reads) and any(
        part.name in NOISY and part.severity and dict(part.params) in REGISTRY[part.name].levels
        for part in parts
    )


@dataclass(frozen=True)
class _Sent:
    """An action that the agent may have sent, and what became of it on its way.

    Actions of one name are equal. `low` and `high` bound real numbers; None: any other action.
    """

    name: tuple[int, ...]
    low: np.ndarray | None = None
    high: np.ndarray | None = None


def check_executed(case: Case, brief: Brief, actions: Sequence[Any], draws: Draws) -> str | None:
    """What cannot have been executed in this case, as a sentence; None: nothing is wrong.

    `brief`: the task's, `actions`: the executed ones, `draws`: those of the episodes before. None
    also where it cannot be told: where the screen is changed too, on which actions point.
    """
    groups = {REGISTRY[part.name].group for part in case.perturbations if part.name in REGISTRY}
    if not actions or "ui" in groups or not any(map(acts, case.perturbations)):
        return None
    body = Body(brief, 1, "", case.task.max_steps)
    effects: list[tuple[Perturbation, Effect]] = []
    for part in case.perturbations:
        if acts(part):
            kind = REGISTRY[part.name]
            try:
                effect = effect_of(part, kind, case, body)
            except NotApplicable as unsuited:
                return f"{part.name} has nothing to change here: {unsuited}"
            effects.append((part, effect))
    wrong = _wrong_action([effect for _, effect in effects], brief.action, actions)
    if wrong is None and len(effects) == 1:
        wrong = draws.follow(case, *effects[0], brief.action, actions)
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
            if not equal_actions(sent, executed):
                return (
                    f"action {step + 1} is {_short(executed)}, the perturbation's is {_short(sent)}"
                )
            continue
        if sent.low is not None and not _within(executed, sent.low, sent.high):
            return (
                f"action {step + 1} is {_short(executed)}, the perturbation lets "
                f"{_short(sent.low)} to {_short(sent.high)} through"
            )
        if not equal_actions(before.setdefault(sent.name, executed), executed):
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


def _within(value: Any, low: np.ndarray, high: np.ndarray | None) -> bool:
    array = np.asarray(value)
    return array.shape == low.shape and bool(np.all((low <= array) & (array <= high)))


def _short(value: Any) -> str:
    text = np.array2string(value, precision=4) if isinstance(value, np.ndarray) else str(value)
    return " ".join(text.split())[:60]
