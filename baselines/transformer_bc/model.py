"""The model: an encoder of language, rows of what is seen, their fusion, and a choice."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from baselines.learning.encoders import CellEncoder, NumberEncoder
from baselines.learning.text_tokenizer import NanoTokenizer
from baselines.transformer_bc.blocks import Block, PatchEncoder
from baselines.transformer_bc.config import Config
from baselines.transformer_bc.fusion import make_fusion
from baselines.transformer_bc.inputs import Query
from harness.core import UserError

__all__ = ["FILE", "Model"]

FILE = "model.safetensors"


class LanguageEncoder(nn.Module):
    """Token ids as one vector: a block of attention, and the mean of its rows."""

    def __init__(self, config: Config, vocabulary: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, config.width)
        self.place = nn.Parameter(0.02 * torch.randn(config.text_tokens, config.width))
        self.block = Block(config.width, config.heads)
        self.out = nn.Linear(config.width, config.sentence)

    def forward(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """(B, sentence), from B sequences of token ids, none of them empty."""
        device = self.place.device
        padded = pad_sequence([torch.tensor(each, device=device) for each in ids], True)
        lengths = torch.tensor([len(each) for each in ids], device=device)
        mask = torch.arange(padded.shape[1], device=device) < lengths[:, None]
        rows = self.block(self.words(padded) + self.place[: padded.shape[1]], mask)
        mean = (rows * mask[..., None]).sum(1) / lengths[:, None]
        sentence: Tensor = self.out(mean)
        return sentence


class Model(nn.Module):
    """The policy: logits of the actions.

    The names of modules and parameters are those of the tensors in model.safetensors.
    """

    def __init__(self, config: Config, tokenizer: NanoTokenizer) -> None:
        super().__init__()
        self.config, self.tokenizer = config, tokenizer
        width = config.width
        self.language = LanguageEncoder(config, tokenizer.size)
        self.cells = CellEncoder(width) if config.reads("grid") else None
        self.pictures = PatchEncoder(config.pixels, width) if config.reads("image") else None
        self.numbers = NumberEncoder(config.numbers, width)
        self.past = nn.Embedding(len(config.actions), width)
        self.when = nn.Parameter(0.02 * torch.randn(config.history, width))
        """Added to an action's row: how many steps ago it was."""
        self.fusion = make_fusion(config)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, len(config.actions))

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self.when.device

    def forward(self, queries: Sequence[Query]) -> Tensor:
        """(B, actions): logits."""
        sentence = self.language([each.instruction for each in queries])
        rows, mask = self._rows(queries)
        logits: Tensor = self.head(self.norm(self.fusion(sentence, rows, mask)))
        return logits

    def _rows(self, queries: Sequence[Query]) -> tuple[Tensor, Tensor]:
        """(B, N, width) and bool (B, N): what is seen and was done. One row of numbers is always
        there, so that there is something to attend to."""
        parts: list[list[Tensor]] = [
            [row[None]]
            for row in self.numbers([each.seen.numbers for each in queries], self.device)
        ]
        grids = [(k, cells) for k, each in enumerate(queries) for cells in each.seen.cells]
        if grids and self.cells is not None:
            for (k, _), rows in zip(grids, self.cells([each for _, each in grids], self.device)):
                parts[k].append(rows)
        pictures = [(k, one) for k, each in enumerate(queries) for one in each.seen.pictures]
        if pictures and self.pictures is not None:
            stacked = torch.as_tensor(np.stack([each for _, each in pictures]), device=self.device)
            for (k, _), rows in zip(pictures, self.pictures(stacked)):
                parts[k].append(rows)
        for k, each in enumerate(queries):
            if each.past:
                ids = torch.tensor(each.past, device=self.device)
                parts[k].append(self.past(ids) + self.when[-len(each.past) :])
        joined = [torch.cat(each) for each in parts]
        lengths = torch.tensor([len(each) for each in joined], device=self.device)
        padded = pad_sequence(joined, True)
        return padded, torch.arange(padded.shape[1], device=self.device) < lengths[:, None]

    def save(self, file: Path) -> None:
        """Write the weights; a file is replaced when the new one is complete."""
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".new")
        tensors = {name: value.detach().cpu() for name, value in self.state_dict().items()}
        save_file({name: value.contiguous() for name, value in tensors.items()}, partial)
        os.replace(partial, file)

    @classmethod
    def untrained(cls, folder: str | Path, device: str = "cpu", seed: int = 0) -> Model:
        """The model of a folder of weights with random ones, those of this seed, ready to act.

        Raises UserError when the folder has no configuration or no tokenizer.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls._with_tokenizer(Path(folder)).to(device).eval()

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu") -> Model:
        """The model in a folder of weights, ready to act. Raises UserError when there is none."""
        model = cls._with_tokenizer(Path(folder))
        try:
            model.load_state_dict(load_file(Path(folder) / FILE))
        except (OSError, RuntimeError, SafetensorError) as wrong:
            raise _damaged(folder, wrong) from None
        return model.to(device).eval()

    @classmethod
    def _with_tokenizer(cls, folder: Path) -> Model:
        config = Config.load(folder)
        try:
            tokenizer = NanoTokenizer.load(folder)
        except Exception as wrong:  # `tokenizers` raises no narrower one
            raise _damaged(folder, wrong) from None
        return cls(config, tokenizer)


def _damaged(folder: str | Path, wrong: Exception) -> UserError:
    first = str(wrong).strip().partition("\n")[0]
    return UserError(
        f"{folder} holds no weights that fit its configuration: {first}; train them again with "
        f"`bench train transformer-bc --data DATA --out {folder}`"
    )
