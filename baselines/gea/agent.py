"""GEA as an agent of the harness."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from baselines.gea.config import Config
from baselines.gea.policy import Choice, Policy
from baselines.gea.prompt import Look, Prompt, introduction, look
from harness.core import Agent, Turn, UserError

__all__ = ["GEA", "GEAServed", "ask"]

HINT = "bench run --agent baselines.gea:GEA --agent-arg weights=DIR"


class GEA(Agent):
    """The generalist embodied agent of arXiv 2412.08442: one model that answers every action space, in tokens that the space allows.

    All lanes are answered in one batch. A picture goes through the vision encoder once; keys and values are kept within an answer. What an
    episode is answered does not depend on who else is in the batch but for the last digits of floating-point sums, which depend on the
    batch's shape: where two actions are that close, another one may win. `exact=true` asks the model one turn at a time, which cannot drift.
    """

    reads = Config.views
    history = Config.history

    def __init__(self, weights: str | None = None, exact: bool = False, threads: int = 0) -> None:
        """`weights`: a folder that `bench train gea` wrote; `threads`: of torch, where there is no GPU (0: as they are).

        Raises UserError when there are no weights.
        """
        self.reads, self.history = self.declares({"weights": weights})  # type: ignore[misc]
        if threads:
            torch.set_num_threads(threads)
        self._policy = Policy.load(str(weights), "cuda" if torch.cuda.is_available() else "cpu")
        self._exact = exact
        self._looks: dict[str, dict[int, Look]] = {}

    @classmethod
    def declares(cls, arguments: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
        """As the weights' configuration says. Raises UserError when there are no weights."""
        weights = arguments.get("weights")
        if weights is None:
            raise UserError(
                f"GEA needs weights: {HINT}. Make some with `bench demos --suite S --episodes N --out DATA`, then "
                "`bench train gea --stage tokenizer --data DATA --out DIR` and the same with `--stage sft`"
            )
        config = Config.load(str(weights))
        return config.views, config.history

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The likeliest action of each turn."""
        if not turns:
            return []
        groups = [[turn] for turn in turns] if self._exact else [list(turns)]
        answers: list[Any] = []
        for group in groups:
            for turn, choice in zip(group, ask(self._policy, group, self._looks)[1]):
                answers.append(self._policy.codec.action(turn.brief.action, choice.tokens))
        return answers

    def end(self, episodes: Iterable[str]) -> None:
        """Forget what was seen in these."""
        for name in episodes:
            self._looks.pop(name, None)


class GEAServed(GEA):
    """GEA on a GPU, one for all workers."""

    served = True
    gpus = 1.0


def ask(
    policy: Policy, turns: Sequence[Turn], looks: dict[str, dict[int, Look]], *, sample: bool = False
) -> tuple[list[Prompt], list[Choice]]:
    """What the policy was asked and answers; `looks` keeps what was seen, by episode and step. `sample`: drawn by each turn's own generator."""
    prompts = [_prompt(policy, turn, looks.setdefault(turn.episode, {})) for turn in turns]
    grammars = [policy.codec.grammar(turn.brief.action, turn.observation) for turn in turns]
    return prompts, policy.decide(prompts, grammars, [turn.rng for turn in turns] if sample else None)


def _prompt(policy: Policy, turn: Turn, seen: dict[int, Look]) -> Prompt:
    config, words = policy.config, policy.backbone.words
    steps = range(turn.step - len(turn.observations) + 1, turn.step + 1)
    for step in [step for step in seen if step not in steps]:
        del seen[step]
    for step, observation in zip(steps, turn.observations):
        if step not in seen or not _equal(seen[step].source, observation):
            seen[step] = look(turn.brief, observation, words, config)
    # A perturbation may show fewer actions than observations have steps between them.
    done = [policy.codec.tokens(turn.brief.action, action, observation) for action, observation in zip(turn.actions, turn.observations)]
    known = (*map(tuple, done), *[()] * (len(turn.observations) - 1 - len(done)))
    said = introduction(turn.brief, turn.instruction, words, config)
    return Prompt(said, tuple(seen[step] for step in steps), known)


def _equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two observations are the same: an agent that is served gets a copy each time."""
    if one is other:
        return True
    same = all(
        np.array_equal(one[name], other[name]) if isinstance(one[name], np.ndarray) else one[name] == other[name]
        for name in one.keys() & other.keys()
    )
    return same and one.keys() == other.keys()
