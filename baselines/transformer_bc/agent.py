"""transformer-bc as an agent of the harness.

`bench list` imports this module to describe the agent, so PyTorch is imported only when an agent
is built.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from baselines.learning.packages import need_packages
from baselines.learning.trained_on import where_trained_on
from baselines.transformer_bc.config import Config
from harness.core import Agent, Brief, Discrete, Missing, Turn, UserError

__all__ = ["TransformerBC", "needs"]

PACKAGES = ("safetensors", "tokenizers", "torch")
SHIPPED = Path(__file__).parent / "weights/babyai-worded"


def needs() -> None:
    """Raises UserError when a package is missing."""
    need_packages("transformer-bc", PACKAGES, "gea")


class TransformerBC(Agent):
    """A small transformer that imitates an expert under instructions (as in arXiv 2601.22948).

    It reads the views of one step and its last actions, and an instruction as one vector of 128
    numbers, and answers with the likeliest of a few actions. How instruction and views meet, the
    fusion, is a choice of the training.

    An answer depends on the other turns of the batch only by rounding.
    """

    reads = Config.views
    history = Config.history
    files = (str(SHIPPED),)

    def __init__(
        self, weights: str | None = None, untrained: bool | int = False, threads: int = 1
    ) -> None:
        """Load the model, onto the GPU if there is one.

        `weights`: a folder that `bench train transformer-bc` wrote; by default the shipped one.
        `untrained`: the same architecture with random weights, always the same ones; a whole number
        draws others, so that several can be compared.
        `threads`: CPU threads of PyTorch, or 0 to leave its setting.

        Raises UserError when there are no weights or a package is missing.
        """
        self.reads, self.history = self.declares({"weights": weights})  # type: ignore[misc]
        import torch

        from baselines.transformer_bc.model import Model

        if threads:
            torch.set_num_threads(threads)
        folder = Path(weights) if weights is not None else SHIPPED
        device = "cuda" if torch.cuda.is_available() else "cpu"
        if not untrained:
            self._model = Model.load(folder, device)
            return
        seed = 0 if untrained is True else untrained
        if type(seed) is not int or not 0 <= seed < 1 << 63:
            raise UserError(f"untrained is {untrained!r}: give true, or a whole number from 1 on")
        self._model = Model.untrained(folder, device, seed)

    @classmethod
    def trained_on(cls, arguments: Mapping[str, Any]) -> str:
        return where_trained_on(arguments, Path(__file__).parent)

    @classmethod
    def declares(cls, arguments: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
        """As the weights' configuration says.

        Raises UserError when there are no weights or a package is missing.
        """
        needs()
        config = _config(arguments)
        return config.views, config.history

    @classmethod
    def unfit(cls, arguments: Mapping[str, Any], brief: Brief) -> Missing | None:
        """Only tasks with the actions of the demonstrations can be played."""
        config, spec = _config(arguments), brief.action
        if isinstance(spec, Discrete) and spec.n == len(config.actions):
            return None
        return Missing(
            f"transformer-bc answers with one of {len(config.actions)} actions, "
            f"{', '.join(config.actions)}, which are not those of this task",
            "train weights on its demonstrations: bench train transformer-bc",
        )

    def act(self, turns: Sequence[Turn]) -> list[int]:
        """The likeliest action of each turn."""
        import torch

        from baselines.transformer_bc.inputs import Query, past_actions, seen, token_ids

        if not turns:
            return []
        model, config = self._model, self._model.config
        queries = [
            Query(
                token_ids(turn.instruction, model.tokenizer, config),
                seen(turn.brief, turn.observation, config),
                past_actions([int(action) for action in turn.actions], config),
            )
            for turn in turns
        ]
        with torch.inference_mode():
            return [int(best) for best in model(queries).argmax(-1)]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """float32 (N, sentence): what the fusion reads of each instruction."""
        import torch

        from baselines.transformer_bc.inputs import token_ids

        model, config = self._model, self._model.config
        if not texts:
            return np.zeros((0, config.sentence), np.float32)
        ids = [token_ids(text, model.tokenizer, config) for text in texts]
        with torch.inference_mode():
            found: np.ndarray = model.language(ids).cpu().numpy()
        return found


def _config(arguments: Mapping[str, Any]) -> Config:
    return Config.load(arguments.get("weights") or SHIPPED)
