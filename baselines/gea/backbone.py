"""The interface of all backbones: prompts in, hidden states out.

Text tokens, action codes, images, grids and numbers become one sequence of embeddings: the
introduction, then for each step its images, grids, numbers and text, and the tokens of its action.
Sequences are padded on the left, so that all answers begin at the same index; positions count from
each sequence's own first token.

The names of modules and parameters are those of the tensors in model.safetensors.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from baselines.gea.config import Config
from baselines.gea.prompt import Prompt, StepInputs
from baselines.learning.encoders import CellEncoder, NumberEncoder
from baselines.learning.text_tokenizer import TextTokenizer

__all__ = ["IGNORED", "PAD", "Backbone", "Batch"]

PAD = 0
"""The token id of padding, and of places that features take."""
IGNORED = -100
"""The target of places that are not trained on."""
TOKEN, IMAGE, OTHER = range(3)
"""Kinds of places in a sequence: a token, a row of an image, a row of another feature."""


@dataclass(frozen=True)
class Batch:
    """B sequences, padded on the left to the same length L."""

    ids: Tensor
    """int64 (B, L): token ids; PAD where there is padding or a feature."""
    mask: Tensor
    """int64 (B, L): 0 where there is padding, else 1."""
    kinds: Tensor
    """int64 (B, L): TOKEN, IMAGE or OTHER."""
    features: list[Tensor]
    """(n, width) each: the rows for the places that are not TOKEN, in order."""
    grids: list[Any]
    """One per image, in order: what the model needs to compute the positions of its rows."""
    targets: Tensor
    """int64 (B, L): the token id where it is trained on, else IGNORED."""


class Backbone(nn.Module, ABC):
    """A causal language model with encoders for what is observed.

    Subclasses set `width`, `text_tokenizer` and `model`, and encode images.
    """

    width: int
    text_tokenizer: TextTokenizer

    def __init__(self, config: Config, width: int, codes: int) -> None:
        """`codes`: number of action codes, over all codebooks."""
        super().__init__()
        self.config, self.width = config, width
        self.code_embedding = nn.Embedding(codes, width)
        nn.init.normal_(self.code_embedding.weight, std=0.02)
        self.code_head = nn.Linear(width, codes, bias=False)
        self.number_encoder = NumberEncoder(config.numbers, width)
        self.cell_encoder = CellEncoder(width)

    # What a subclass implements

    @staticmethod
    @abstractmethod
    def part(name: str) -> str:
        """`vision` or `language`: what the parameter of this name belongs to. Empty: neither."""

    @abstractmethod
    def embed_text(self, ids: Tensor) -> Tensor:
        """(..., width): the embeddings of text tokens, int64 (...)."""

    @abstractmethod
    def text_logits(self, hidden: Tensor) -> Tensor:
        """(..., text tokens), from hidden states (..., width)."""

    @abstractmethod
    def encode_images(
        self, images: Sequence[np.ndarray], earlier: Sequence[Sequence[np.ndarray]] = ()
    ) -> tuple[list[Tensor], list[Any]]:
        """For each image, uint8 (H, W, 3): its rows (n, width), and its entry of Batch.grids.

        `earlier`: for each image, those of the same view before it in the context, the oldest
        first. Only an encoder that reads several together looks at them.
        """

    def shorten(self, rows: Tensor) -> Tensor:
        """What an image of an earlier step gets of its rows (n, width): all, or fewer."""
        return rows

    @abstractmethod
    def run_model(
        self, embeds: Tensor, mask: Tensor, positions: Tensor, cache: Any, last: int = 0
    ) -> tuple[Tensor, Any]:
        """(hidden states (B, T, width), the cache including these tokens).

        `embeds`: (B, T, width); `mask`: (B, L + T) including the L cached tokens; `cache`: what
        `new_cache` or an earlier call returned, or None if keys and values are not needed again.
        `last`: return the states of so many tokens from the end; 0: of all.
        """

    def last_hidden(
        self, embeds: Tensor, mask: Tensor, positions: Tensor, cache: Any
    ) -> tuple[Tensor, Any]:
        """As run_model, for acting: the hidden states of the last token only, (B, 1, width)."""
        hidden, cache = self.run_model(embeds, mask, positions, cache)
        return hidden[:, -1:], cache

    @abstractmethod
    def new_cache(self) -> Any:
        """An empty cache of keys and values."""

    @property
    @abstractmethod
    def last_block(self) -> nn.Module:
        """The last block of the language model, whose first argument are hidden states."""

    def text_states(self, ids: Tensor) -> Tensor:
        """(B, T, width): what the last block reads of texts, int64 (B, T), without padding.

        Of these states it makes keys and values. What it makes of a text itself reaches no answer.
        """
        found: list[Tensor] = []
        hook = self.last_block.register_forward_pre_hook(lambda _, given: found.append(given[0]))
        try:
            places = torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)
            self.run_model(self.embed_tokens(ids), torch.ones_like(ids), places, None)
        finally:
            hook.remove()
        return found[0]

    def positions(self, batch: Batch) -> Tensor:
        """int64 (B, L), or whatever shape the model expects instead."""
        return (batch.mask.cumsum(-1) - 1).clamp(min=0)

    # What all have in common

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.code_embedding.weight.device

    def encode_inputs(self, steps: Sequence[StepInputs], keep: bool) -> None:
        """Set `features` of all steps in one batch.

        "rows" is a list of (kind, rows), "past" what is left of it once the step is an earlier one,
        and "grids" has an entry for each image.

        `keep` leaves steps as they are that have features already; training encodes all again,
        since the encoders have changed.
        """
        # A step may occur several times, in the contexts of several prompts.
        pending = list(
            {id(each): each for each in steps if not (keep and "rows" in each.features)}.values()
        )
        images = [image for each in pending for image in each.images]
        earlier = [
            each.images_before(place) for each in pending for place in range(len(each.images))
        ]
        image_rows, grids = self.encode_images(images, earlier) if images else ([], [])
        number_rows = (
            self.number_encoder([each.numbers for each in pending], self.device)
            if pending
            else None
        )
        cell_rows = self.cell_encoder(
            [cell for each in pending for cell in each.cells], self.device
        )
        image = cell = 0
        for number, each in enumerate(pending):
            rows: list[tuple[int, Tensor]] = [
                (IMAGE, row) for row in image_rows[image : image + len(each.images)]
            ]
            each.features["grids"] = grids[image : image + len(each.images)]
            rows += [(OTHER, row) for row in cell_rows[cell : cell + len(each.cells)]]
            image, cell = image + len(each.images), cell + len(each.cells)
            if len(each.numbers):
                assert number_rows is not None
                rows.append((OTHER, number_rows[number : number + 1]))
            each.features["rows"] = rows
            each.features["past"] = [
                (kind, self.shorten(part) if kind == IMAGE else part) for kind, part in rows
            ]

    def collate(
        self, prompts: Sequence[Prompt], answers: Sequence[Sequence[int]] | None = None
    ) -> Batch:
        """A batch of prompts whose steps are encoded, each followed by its answer.

        Answers are padded on the right to the length of the longest one, so that all begin at the
        same index.
        """
        longest = max(map(len, answers)) if answers else 0
        sequences, features, grids = [], [], []
        for number, prompt in enumerate(prompts):
            ids, kinds = list(prompt.introduction), [TOKEN] * len(prompt.introduction)
            targets: list[int] = []
            for step, inputs in enumerate(prompt.steps):
                last = step == len(prompt.steps) - 1
                for kind, rows in inputs.features["rows" if last else "past"]:
                    ids += [PAD] * len(rows)
                    kinds += [kind] * len(rows)
                    features.append(rows)
                grids += inputs.features["grids"]
                # Earlier texts are shortened: a page of text at every step would not fit.
                text = inputs.text if last else inputs.text[: self.config.text_tokens // 4]
                action = () if last else prompt.actions[step]
                ids += [*text, *action]
                kinds += [TOKEN] * (len(text) + len(action))
                if not last and step in prompt.supervised:
                    targets += [IGNORED] * (len(ids) - len(action) - len(targets)) + list(action)
            mask = [1] * len(ids)
            targets += [IGNORED] * (len(ids) - len(targets))
            if answers is not None:
                padding = longest - len(answers[number])
                ids += [*answers[number], *[PAD] * padding]
                kinds += [TOKEN] * longest
                mask += [1] * len(answers[number]) + [0] * padding
                targets += [*answers[number], *[IGNORED] * padding]
            sequences.append((ids, mask, kinds, targets))
        length = max(len(sequence[0]) for sequence in sequences)
        table = np.zeros((4, len(sequences), length), np.int64)
        table[3] = IGNORED
        for number, sequence in enumerate(sequences):
            for part, values in zip(table, sequence):
                part[number, length - len(values) :] = values
        columns = torch.from_numpy(table).to(self.device)
        return Batch(columns[0], columns[1], columns[2], features, grids, columns[3])

    def embed(self, batch: Batch) -> Tensor:
        """(B, L, width): the embeddings of tokens, with the features in their places."""
        embedded = self.embed_tokens(batch.ids)
        if batch.features:
            rows = torch.cat(batch.features).to(embedded.dtype)
            embedded = embedded.masked_scatter((batch.kinds > TOKEN)[..., None], rows)
        return embedded

    def embed_tokens(self, ids: Tensor) -> Tensor:
        """(..., width): the embeddings of text tokens and action codes, int64 (...)."""
        size = self.text_tokenizer.size
        # Both tables are read at valid indices everywhere, and the one that applies is selected.
        text = self.embed_text(ids.clamp(max=size - 1))
        codes = self.code_embedding((ids - size).clamp(min=0)).to(text.dtype)
        return torch.where((ids >= size)[..., None], codes, text)

    def logits(self, hidden: Tensor) -> Tensor:
        """float32 (..., text tokens + codes), from hidden states (..., width)."""
        # Never in bfloat16: which of two close answers is more likely depends on the last digits.
        with torch.autocast(hidden.device.type, enabled=False):
            return torch.cat(
                [self.text_logits(hidden), self.code_head(hidden.to(self.code_head.weight.dtype))],
                -1,
            ).float()

    def hidden_states(
        self, prompts: Sequence[Prompt], answers: Sequence[Sequence[int]], *, past: bool = True
    ) -> tuple[Tensor, Batch]:
        """For training: hidden states (B, L, width) of prompts followed by their answers.

        Without `past`, only of the last token of the prompts and of the answers, (B, n + 1, width)
        where n is the length of the longest answer: from them the answers are predicted.
        """
        steps = [step for prompt in prompts for step in prompt.steps]
        self.encode_inputs(steps, keep=False)
        batch = self.collate(prompts, answers)
        for step in steps:
            step.features.clear()  # they would keep the whole graph in memory
        last = 0 if past else max(map(len, answers)) + 1
        hidden, _ = self.run_model(self.embed(batch), batch.mask, self.positions(batch), None, last)
        return hidden, batch
