"""GEA as an agent of the harness. It is imported to be named and described, so torch is imported where it is built."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from baselines.gea.config import Config
from baselines.gea.prompt import Look, Prompt, introduction, look
from harness.core import Agent, Turn, UserError

if TYPE_CHECKING:
    from baselines.gea.policy import Choice, Policy

__all__ = ["GEA", "GEABase", "GEAServed", "ask", "needs"]

BLINDLY = 4096
"""Answers kept for tasks that show nothing which is read."""
PACKAGES = (
    "einops",
    "peft",
    "safetensors",
    "tokenizers",
    "torch",
    "transformers",
    "vector_quantize_pytorch",
)
SHIPPED = Path(__file__).parent / "weights"


def needs() -> None:
    """Raises UserError where a package of the method is missing."""
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise UserError(f"GEA needs the package {package}: pip install 'generalist-bench[gea]'")


class GEA(Agent):
    """The generalist embodied agent of arXiv 2412.08442: one model that answers every action space, in tokens that the space allows.

    All lanes are answered in one batch. A picture goes through the vision encoder once; keys and values are kept within an answer. What an
    episode is answered does not depend on who else is in the batch but for the last digits of floating-point sums, which depend on the
    batch's shape: where two actions are that close, another one may win. `exact=true` asks the model one turn at a time, which cannot drift.
    """

    reads = Config.views
    history = Config.history
    shipped: ClassVar[Path] = SHIPPED / "gea"
    files = (str(shipped),)

    def __init__(
        self,
        weights: str | None = None,
        exact: bool = False,
        threads: int = 1,
        temperature: float | None = None,
    ) -> None:
        """`weights`: a folder that `bench train gea` wrote, else those that come with the product; `threads`: of torch, where there is no GPU (0: as
        they are): workers make better use of cores, and the answers do not depend on their number; `temperature`: of the actions that are drawn,
        0 for the likeliest, else what the weights' configuration says.

        Raises UserError when there are no weights, or on a temperature that is no number from 0 on.
        """
        if temperature is not None and not (
            isinstance(temperature, (int, float)) and 0 <= temperature < math.inf
        ):
            raise UserError(
                f"temperature is {temperature!r}: 0 for the likeliest answer, or a number above for one that is drawn"
            )
        self.reads, self.history = self.declares({"weights": weights})  # type: ignore[misc]
        import torch

        from baselines.gea.policy import Policy

        if threads:
            torch.set_num_threads(threads)
        self._policy = Policy.load(
            weights or self.shipped, "cuda" if torch.cuda.is_available() else "cpu"
        )
        self._exact = exact
        self._temperature = (
            self._policy.config.play_temperature if temperature is None else temperature
        )
        self._looks: dict[str, dict[int, Look]] = {}
        self._blindly: dict[Any, Any] = {}

    @classmethod
    def declares(cls, arguments: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
        """As the weights' configuration says. Raises UserError when there are no weights, or a package is missing."""
        needs()
        config = Config.load(arguments.get("weights") or cls.shipped)
        return config.views, config.history

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The likeliest action of each turn, or one that is drawn by the turn's generator."""
        if not turns:
            return []
        answers: dict[int, Any] = {}
        asked: list[int] = []
        for number, turn in enumerate(turns):
            if any(turn.observations):
                asked.append(number)
            else:
                answers[number] = self._without_looking(turn)
        for group in [[number] for number in asked] if self._exact else [asked] if asked else []:
            for number, choice in zip(
                group,
                ask(
                    self._policy,
                    [turns[number] for number in group],
                    self._looks,
                    self._temperature,
                )[1],
            ):
                answers[number] = self._policy.codec.action(
                    turns[number].brief.action, choice.tokens
                )
        return [answers[number] for number in range(len(turns))]

    def _without_looking(self, turn: Turn) -> Any:
        """Where a task shows nothing that it reads, few questions differ: each is asked once."""
        key = (
            turn.brief.simulator,
            repr(turn.brief.action),
            turn.instruction,
            len(turn.observations),
            repr(turn.actions),
        )
        if key not in self._blindly:
            if len(self._blindly) >= BLINDLY:
                self._blindly.clear()
            choice = ask(self._policy, [turn], self._looks, 0.0)[1][0]
            self._blindly[key] = self._policy.codec.action(turn.brief.action, choice.tokens)
        return self._blindly[key]

    def end(self, episodes: Iterable[str]) -> None:
        """Forget what was seen in these."""
        for name in episodes:
            self._looks.pop(name, None)


class GEABase(GEA):
    """GEA before it learned by trying: after the demonstrations alone."""

    shipped = SHIPPED / "gea-base"
    files = (str(shipped),)


class GEAServed(GEA):
    """GEA on a GPU, one for all workers."""

    served = True
    gpus = 1.0


def ask(
    policy: Policy, turns: Sequence[Turn], looks: dict[str, dict[int, Look]], temperature: float
) -> tuple[list[Prompt], list[Choice]]:
    """What the policy was asked and answers; `looks` keeps what was seen, by episode and step. Above a temperature of 0 it is drawn by each turn's
    own generator."""
    prompts = [_prompt(policy, turn, looks.setdefault(turn.episode, {})) for turn in turns]
    grammars = [policy.codec.grammar(turn.brief.action, turn.observation) for turn in turns]
    rngs = [turn.rng for turn in turns] if temperature else None
    return prompts, policy.decide(prompts, grammars, rngs, temperature or 1.0)


def _prompt(policy: Policy, turn: Turn, seen: dict[int, Look]) -> Prompt:
    config, words = policy.config, policy.backbone.words
    steps = range(turn.step - len(turn.observations) + 1, turn.step + 1)
    for step in [step for step in seen if step not in steps]:
        del seen[step]
    for step, observation in zip(steps, turn.observations):
        if step not in seen or not _equal(seen[step].source, observation):
            seen[step] = look(turn.brief, observation, words, config)
    # A perturbation may show fewer actions than observations have steps between them.
    done = [
        policy.codec.tokens(turn.brief.action, action, observation)
        for action, observation in zip(turn.actions, turn.observations)
    ]
    known = (*map(tuple, done), *[()] * (len(turn.observations) - 1 - len(done)))
    said = introduction(turn.brief, turn.instruction, words, config)
    return Prompt(said, tuple(seen[step] for step in steps), known)


def _equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two observations are the same: an agent that is served gets a copy each time."""
    if one is other:
        return True
    same = all(
        np.array_equal(one[name], other[name])
        if isinstance(one[name], np.ndarray)
        else one[name] == other[name]
        for name in one.keys() & other.keys()
    )
    return same and one.keys() == other.keys()
