"""The decision transformer as an agent of the harness.

`bench list` imports this module to describe the agent, so PyTorch is imported only when an agent
is built.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from baselines.decision_transformer.config import Body, Config
from baselines.learning.packages import need_packages
from harness.core import Agent, Answer, Brief, Discrete, Missing, Turn, UserError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["DecisionTransformer", "folder_of", "needs"]

PACKAGES = ("safetensors", "torch")
FOLDER = Path(__file__).parent / "weights"
SHIPPED = ("cartpole", "half-cheetah", "breakout")
"""Folders of FOLDER."""


def needs() -> None:
    """Raises UserError when a package that the agent needs is missing."""
    need_packages("a decision transformer", PACKAGES, "gea")


class DecisionTransformer(Agent):
    """Asked for a return, it acts as episodes went that brought as much (arXiv 2106.01345).

    Before each step it sees the last observations and actions, and beside each the return that was
    still to come. No agent is told rewards: the model estimates them from what it sees, and takes
    them off the return that it was asked for. The choices are sampled by the turn's generator;
    continuous actions are the predicted ones.
    """

    reads = Config.views
    history = Config.context
    files: ClassVar[tuple[str, ...]] = (str(FOLDER),)

    def __init__(
        self,
        weights: str = SHIPPED[0],
        target_return: float | None = None,
        temperature: float = 1.0,
        exact: bool = True,
        threads: int = 1,
    ) -> None:
        """Load the network, which runs on the CPU.

        `weights`: a name of the shipped ones, or a folder of `bench train decision-transformer`.
        `target_return`: the return to ask for; by default the highest one of the training.
        `temperature`: at which choices are sampled, 0 for the most likely one.
        `exact`: whether each turn is answered by itself. False answers all turns of a call in one
        batch: with many lanes that is faster, but the last digits of an answer then depend on the
        other turns, and in a chaotic world what follows does too.
        `threads`: CPU threads of PyTorch, or 0 to leave its setting.

        Raises UserError when there are no weights, or a number is none.
        """
        for name, value in (("target_return", target_return), ("temperature", temperature)):
            if value is not None and not (_is_number(value) and math.isfinite(value)):
                raise UserError(f"{name} is {value!r}: give a number")
        if temperature < 0:
            raise UserError(f"temperature is {temperature}: give 0 or more")
        self.reads, self.history = self.declares({"weights": weights})  # type: ignore[misc]
        import torch

        from baselines.decision_transformer.model import Model

        if threads:
            torch.set_num_threads(threads)
        self._model = Model.load(folder_of(weights))
        self._body = self._model.body
        self._target = float(self._body.highest if target_return is None else target_return)
        self._temperature = temperature
        self._exact = exact

    @classmethod
    def declares(cls, arguments: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
        """As the weights' configuration says. Raises UserError when there are none."""
        needs()
        config = Config.load(folder_of(arguments.get("weights")))
        return config.views, config.context

    @classmethod
    def unfit(cls, arguments: Mapping[str, Any], brief: Brief) -> Missing | None:
        """Weights are of one body: these views, and these actions."""
        folder = folder_of(arguments.get("weights"))
        lacking = Body.load(folder).lacks(brief)
        if lacking is None:
            return None
        return Missing(
            f"the weights {folder.name} were trained on another body: {lacking}",
            "train some for this one: bench train decision-transformer",
        )

    def act(self, turns: Sequence[Turn]) -> list[Any]:
        """The action of each turn, with what is to be remembered."""
        batches: dict[int, list[int]] = {}
        for number, turn in enumerate(turns):
            key = number if self._exact else len(turn.observations)
            batches.setdefault(key, []).append(number)
        answers: dict[int, Answer] = {}
        for numbers in batches.values():
            answers.update(zip(numbers, self._answer([turns[number] for number in numbers])))
        return [answers[number] for number in range(len(turns))]

    def _answer(self, turns: Sequence[Turn]) -> list[Answer]:
        """The answers to turns with equally long contexts."""
        import torch

        from baselines.decision_transformer.data import rows_of
        from baselines.decision_transformer.model import scaled, unscaled

        body = self._body
        count = len(turns[0].observations)
        observations = torch.from_numpy(
            np.stack([rows_of(turn.observations, body) for turn in turns])
        )
        last = body.action.noop()  # stands where the action will be, and is not seen
        played = np.stack(
            [np.asarray([*turn.actions[1 - count :], last][-count:]) for turn in turns]
        )
        actions = torch.from_numpy(
            played.astype(np.int64) if isinstance(body.action, Discrete) else scaled(played, body)
        )
        ends = np.array([[turn.step] for turn in turns], np.float32)
        with torch.no_grad():
            returns = self._returns(turns, observations, actions)
            found = self._model.last(
                torch.tensor(returns),
                torch.from_numpy(ends + np.arange(1 - count, 1, dtype=np.float32)),
                observations,
                actions,
            ).numpy()
        return [
            Answer(
                [self._choice(row, turn)]
                if isinstance(body.action, Discrete)
                else [unscaled(row, body)],
                (turn.step, known),
            )
            for turn, row, known in zip(turns, found, returns)
        ]

    def _returns(
        self, turns: Sequence[Turn], observations: Tensor, actions: Tensor
    ) -> list[tuple[float, ...]]:
        """The returns-to-go of the steps in the context of each turn.

        Where several steps were taken since the last turn, as while an answer was late, all of them
        are taken off that are still in the context.
        """
        count = observations.shape[1]
        memories = [turn.memory or (turn.step, (self._target,)) for turn in turns]
        new = [min(turn.step - asked, count - 1) for turn, (asked, _) in zip(turns, memories)]
        first = count - 1 - max(new)
        paid = self._model.rewards(
            observations[:, first:-1], actions[:, first:-1], observations[:, first + 1 :]
        )
        found = []
        for (_, known), steps, rewards in zip(memories, new, paid.tolist()):
            returns = list(known)
            for reward in rewards[len(rewards) - steps :]:
                returns.append(returns[-1] - reward)
            returns = [returns[0]] * (count - len(returns)) + returns
            found.append(tuple(returns[-count:]))
        return found

    def _choice(self, logits: np.ndarray, turn: Turn) -> int:
        if not self._temperature:
            return int(logits.argmax())
        scores = logits.astype(np.float64) / self._temperature
        shares = np.cumsum(np.exp(scores - scores.max()))
        return min(int(np.searchsorted(shares, turn.rng.random() * shares[-1], "right")),
                   len(shares) - 1)  # fmt: skip


def folder_of(weights: Any = None) -> Path:
    """Where weights are; by default the first shipped ones. Raises UserError."""
    weights = SHIPPED[0] if weights is None else weights
    if not isinstance(weights, str):
        raise UserError(f"weights is {weights!r}: name a folder, or {' or '.join(SHIPPED)}")
    return FOLDER / weights if weights in SHIPPED else Path(weights)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
