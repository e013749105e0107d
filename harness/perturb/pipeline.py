"""Applies the effects of a case's perturbations, in their order, between adapter and agent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from harness.core import Brief, Case, Perturbation, UserError
from harness.perturb.effects import Body, Effect, NotApplicable, RandomStreams
from harness.perturb.registry import REGISTRY, Kind
from harness.records.registry import load

__all__ = ["Pipeline", "effect_of", "other_versions", "refuse_other_versions"]

LONGEST_DELAY = 64
"""Steps for which an action of the agent may be kept back."""


def other_versions(conditions: Iterable[Sequence[Perturbation]]) -> Iterator[tuple[str, str]]:
    """(reason, remedy) for each that was planned for a version of its effect that is not ours."""
    for perturbation in (each for condition in conditions for each in condition):
        kind = REGISTRY.get(perturbation.name)
        version = perturbation.params.get("version", 1)
        if kind is not None and perturbation.severity and version != kind.version:
            yield (
                f"{kind.name} was planned in version {version} and has version {kind.version} "
                "here, with another effect",
                "its results are still reported, but not played again: play new ones",
            )


def refuse_other_versions(conditions: Iterable[Sequence[Perturbation]]) -> None:
    """Raises UserError if one was planned for a version of its effect that is not ours."""
    for reason, remedy in other_versions(conditions):
        raise UserError(f"{reason}; {remedy}")


def effect_of(perturbation: Perturbation, kind: Kind, case: Case, body: Body) -> Effect:
    """The effect of a perturbation of severity 1 or more.

    Raises NotApplicable if there is nothing to change, or if the case was planned for another
    version of the effect: a name and severity must never stand for two effects in one comparison.
    """
    params = dict(perturbation.params or kind.params(perturbation.severity))
    if perturbation.params:
        for reason, remedy in other_versions([[perturbation]]):
            raise NotApplicable(reason, remedy)
    params.pop("version", None)
    form: Callable[..., Effect] = load(kind.entry)
    return form(RandomStreams(case, perturbation.name), body, **params)


class Pipeline:
    """The effects of one episode.

    Perturbations of severity 0 have no effect; simulator-side perturbations act in the adapter's
    reset. Views that the agent does not read are never drawn.
    """

    def __init__(self, case: Case, brief: Brief, history: int, instruction: str) -> None:
        """`brief` is the adapter's, with all views.

        Raises NotApplicable if a perturbation has nothing to change here.
        """
        body = Body(brief, history, instruction, case.task.max_steps)
        made: list[Effect] = []
        for perturbation in case.perturbations:
            kind = REGISTRY.get(perturbation.name)
            if kind is None or not perturbation.severity:
                continue
            effect = effect_of(perturbation, kind, case, body)
            made.append(effect)
            # The next effect works on what this one shows: a zoomed screen, for example.
            body = Body(effect.shown(body.brief), history, instruction, case.task.max_steps)
        self.effects = made
        self._views: dict[str, list[Effect]] = {}
        for effect in made:
            for view in effect.views():
                self._views.setdefault(view, []).append(effect)
        self._remembered = {
            view
            for view, effects in self._views.items()
            if any(effect.remembers for effect in effects)
        }
        self._passed: deque[Any] = deque(maxlen=LONGEST_DELAY)
        self._saying = _with(made, "say")
        self._acting = _with(made, "act")
        self._moving = _with(made, "inward")
        self.history = history
        for effect in made:
            self.history = effect.keep(self.history)
        self._sent: deque[Any] | None = (
            deque(maxlen=max(0, self.history - 1)) if self._acting or self._moving else None
        )

    @classmethod
    def of(cls, case: Case, brief: Brief, history: int, instruction: str) -> Pipeline | None:
        """The pipeline of a case.

        None if nothing acts between adapter and agent: unperturbed cases, severity 0, and
        simulator-side perturbations. Such episodes cost nothing extra.
        """
        if not case.perturbations:
            return None
        pipeline = cls(case, brief, history, instruction)
        return pipeline if pipeline.effects else None

    def brief(self, brief: Brief) -> Brief:
        """The agent's brief."""
        for effect in self.effects:
            brief = effect.shown(brief)
        return brief

    def say(self, instruction: str) -> str:
        """The agent's instruction."""
        for effect in self._saying:
            instruction = effect.say(instruction)
        return instruction

    def see(
        self, names: Sequence[str], read: Callable[[str], Any], step: int, looked: bool
    ) -> dict[str, Any] | None:
        """What the agent observes of the views `names`, `step` actions after the reset.

        `read` gives the simulator's value of a view. `looked`: whether the agent sees this step.
        If not, returns None, and reads only the views of which an effect needs every step.
        """
        observation: dict[str, Any] = {}
        for name in names:
            if not looked and name not in self._remembered:
                continue
            value = read(name)
            for effect in self._views.get(name, ()):
                value = effect.see(name, value, step)
            observation[name] = value
        return observation if looked else None

    def act(self, action: Any, step: int) -> Any:
        """The action to execute instead of the agent's action number `step`."""
        if self._sent is not None:
            self._sent.append(action)
        for effect in reversed(self._moving):
            action = effect.inward(action)
        self._passed.append(action)
        for effect in self._acting:
            action = effect.act(action, step)
        return action

    def passed(self, action: Any) -> bool:
        """Whether an action that `act` returned is the agent's, perhaps of some steps before."""
        return any(action is each for each in self._passed)

    def sent(self) -> tuple[Any, ...] | None:
        """The agent's own actions between the observations in its history.

        The agent must not learn what was executed instead. None if its actions are not changed.
        """
        return None if self._sent is None else tuple(self._sent)

    def expert(self, action: Any) -> Any:
        """The expert's action in the coordinates that the agent uses."""
        if action is not None:
            for effect in self._moving:
                action = effect.outward(action)
        return action

    def metrics(self) -> dict[str, float]:
        """Metrics of all effects, to add to the result."""
        return {name: value for effect in self.effects for name, value in effect.metrics().items()}


def _with(effects: Sequence[Effect], hook: str) -> list[Effect]:
    """The effects that override this hook."""
    return [
        effect for effect in effects if getattr(type(effect), hook) is not getattr(Effect, hook)
    ]
