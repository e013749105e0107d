"""The one interface to a model: prompts in, hidden states out. Words, codes, pictures, cells and numbers become one sequence.

A prompt is laid out as: introduction, then for each step its pictures, cells, numbers, text, and the tokens of its action. Rows are padded on
the left, so that all answers begin at the same place, and positions count from each row's own first token.
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
from baselines.gea.prompt import Look, Prompt
from baselines.gea.words import Words

__all__ = ["Backbone", "Batch"]

PAD = 0
IGNORED = -100
"""As a target: nothing is learned there."""
FREQUENCIES = 6
"""Of the sine and cosine of each number, doubling: neighbouring values of a position are told apart."""
CODES = 16
"""More than any code of a cell."""
RARE = 3
"""Cells with the same codes, at most, that count as objects: walls, floors and what is not seen are more."""
SPOTS = 1024
"""Places of a grid that are told apart."""


@dataclass(frozen=True)
class Batch:
    """Rows laid out, padded on the left."""

    ids: Tensor
    """(B, L) int64; PAD where there is none or a feature."""
    mask: Tensor
    """(B, L) int64: 1 where something stands."""
    kinds: Tensor
    """(B, L) int64: 0 a token, 1 a row of a picture, 2 another feature."""
    features: list[Tensor]
    """Rows for the places with a kind above 0, in order, each (n, width)."""
    grids: list[Any]
    """Of each picture, in order; what the model needs to place its rows."""
    targets: Tensor
    """(B, L) int64: the token where one is to be learned, else IGNORED."""


class Backbone(nn.Module, ABC):
    """A causal language model with eyes. Subclasses set `width`, `words` and `model`, and look at pictures."""

    width: int
    words: Words
    shares_past = False
    """Whether a past is a list that can be copied and gone on from more than once."""

    def __init__(self, config: Config, width: int, codes: int) -> None:
        super().__init__()
        self.config, self.width = config, width
        self.code_embedding = nn.Embedding(codes, width)
        nn.init.normal_(self.code_embedding.weight, std=0.02)
        self.code_head = nn.Linear(width, codes, bias=False)
        self.number_encoder = _Numbers(config.numbers, width)
        self.cell_encoder = _Cells(width)

    # What a subclass gives

    @abstractmethod
    def embed(self, ids: Tensor) -> Tensor:
        """Embeddings of text tokens."""

    @abstractmethod
    def text_logits(self, hidden: Tensor) -> Tensor:
        """Logits over text tokens."""

    @abstractmethod
    def see(self, images: Sequence[np.ndarray]) -> tuple[list[Tensor], list[Any]]:
        """(rows (n, width), grid) of each picture."""

    @abstractmethod
    def lm(self, embeds: Tensor, mask: Tensor, positions: Tensor, past: Any) -> tuple[Tensor, Any]:
        """(hidden states, the past with these tokens); `past` is None where keys and values are not to be kept, else what was given back."""

    @abstractmethod
    def new_past(self) -> Any:
        """An empty past."""

    def positions(self, batch: Batch) -> Tensor:
        """(B, L), or what the model takes instead."""
        return (batch.mask.cumsum(-1) - 1).clamp(min=0)

    # What is common

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.code_embedding.weight.device

    def look_at(self, looks: Sequence[Look], keep: bool) -> None:
        """Fill `features` of the looks that lack them; `keep=False` fills all anew (in training)."""
        wanted = list(
            {id(each): each for each in looks if not (keep and "rows" in each.features)}.values()
        )
        images = [image for each in wanted for image in each.images]
        rows, grids = self.see(images) if images else ([], [])
        numbers = (
            self.number_encoder([each.numbers for each in wanted], self.device) if wanted else None
        )
        cells = self.cell_encoder([cell for each in wanted for cell in each.cells], self.device)
        seen = placed = 0
        for number, each in enumerate(wanted):
            blocks: list[tuple[int, Tensor]] = [
                (1, row) for row in rows[seen : seen + len(each.images)]
            ]
            each.features["grids"] = grids[seen : seen + len(each.images)]
            blocks += [(2, row) for row in cells[placed : placed + len(each.cells)]]
            seen, placed = seen + len(each.images), placed + len(each.cells)
            if len(each.numbers):
                assert numbers is not None
                blocks.append((2, numbers[number : number + 1]))
            each.features["rows"] = blocks

    def lay_out(
        self, prompts: Sequence[Prompt], answers: Sequence[Sequence[int]] | None = None
    ) -> Batch:
        """A batch of prompts, each with its answer behind it, padded on the right to the longest one."""
        longest = max(map(len, answers)) if answers else 0
        rows, features, grids = [], [], []
        for number, prompt in enumerate(prompts):
            ids, kinds = list(prompt.text), [0] * len(prompt.text)
            learned: list[int] = []
            for step, seen in enumerate(prompt.looks):
                for kind, block in seen.features["rows"]:
                    ids += [PAD] * len(block)
                    kinds += [kind] * len(block)
                    features.append(block)
                grids += seen.features["grids"]
                last = step == len(prompt.looks) - 1
                text = seen.text if last else seen.text[: self.config.text_tokens // 4]
                done = () if last else prompt.actions[step]
                ids += [*text, *done]
                kinds += [0] * (len(text) + len(done))
                if not last and step in prompt.learned:
                    learned += [IGNORED] * (len(ids) - len(done) - len(learned)) + list(done)
            mask = [1] * len(ids)
            learned += [IGNORED] * (len(ids) - len(learned))
            if answers is not None:
                spare = longest - len(answers[number])
                ids += [*answers[number], *[PAD] * spare]
                kinds += [0] * longest
                mask += [1] * len(answers[number]) + [0] * spare
                learned += [*answers[number], *[IGNORED] * spare]
            rows.append((ids, mask, kinds, learned))
        length = max(len(row[0]) for row in rows)
        table = np.zeros((4, len(rows), length), np.int64)
        table[3] = IGNORED
        for number, row in enumerate(rows):
            for part, values in zip(table, row):
                part[number, length - len(values) :] = values
        ids, mask, kinds, targets = torch.from_numpy(table).to(self.device)
        return Batch(ids, mask, kinds, features, grids, targets)

    def embeds(self, batch: Batch) -> Tensor:
        """(B, L, width)."""
        embedded = self.embed_tokens(batch.ids)
        if batch.features:
            rows = torch.cat(batch.features).to(embedded.dtype)
            embedded = embedded.masked_scatter((batch.kinds > 0)[..., None], rows)
        return embedded

    def embed_tokens(self, ids: Tensor) -> Tensor:
        """Embeddings of tokens, text or codes."""
        text = self.embed(ids.clamp(max=self.words.size - 1))
        codes = self.code_embedding((ids - self.words.size).clamp(min=0)).to(text.dtype)
        return torch.where((ids >= self.words.size)[..., None], codes, text)

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., tokens): text, then codes; float32."""
        with torch.autocast(
            hidden.device.type, enabled=False
        ):  # of two near answers the last digits tell which is likelier
            return torch.cat(
                [self.text_logits(hidden), self.code_head(hidden.to(self.code_head.weight.dtype))],
                -1,
            ).float()

    def forward(
        self, prompts: Sequence[Prompt], answers: Sequence[Sequence[int]]
    ) -> tuple[Tensor, Tensor]:
        """(logits (B, T, tokens) of each token of the answers, hidden (B, width) at the end of the prompts), to learn from."""
        hidden, batch = self.hidden(prompts, answers)
        begin = batch.ids.shape[1] - max(map(len, answers)) - 1
        return self.logits(hidden[:, begin:-1]), hidden[:, begin]

    def hidden(
        self, prompts: Sequence[Prompt], answers: Sequence[Sequence[int]]
    ) -> tuple[Tensor, Batch]:
        """Hidden states (B, L, width) of prompts with their answers, to learn from."""
        looks = [seen for prompt in prompts for seen in prompt.looks]
        self.look_at(looks, keep=False)
        batch = self.lay_out(prompts, answers)
        for seen in looks:
            seen.features.clear()  # else they would hold on to the whole graph
        return self.lm(self.embeds(batch), batch.mask, self.positions(batch), None)[0], batch


class _Numbers(nn.Module):
    """All numbers of a step as one row: each as it is (squashed) and as sines and cosines."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.size = size
        self.net = nn.Sequential(
            nn.Linear(size * (2 + 2 * FREQUENCIES), 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, width),
        )

    def forward(self, numbers: Sequence[np.ndarray], device: torch.device) -> Tensor:
        table = np.zeros((len(numbers), 2, self.size), np.float32)
        for row, values in zip(table, numbers):
            n = min(self.size, len(values))
            row[0, :n], row[1, :n] = values[:n], 1
        values, there = torch.from_numpy(table).to(device).unbind(1)
        angles = values[..., None] * (np.pi * 2.0 ** torch.arange(FREQUENCIES, device=device))
        parts = [
            values / (1 + values.abs()),
            there,
            *(there[..., None] * torch.cat([angles.sin(), angles.cos()], -1)).unbind(-1),
        ]
        return self.net(torch.cat(parts, -1).to(self.net[0].weight.dtype))


class _Cells(nn.Module):
    """A grid of codes as rows: two convolutions over a bag of embeddings (after BabyAI 1.1, arXiv 2007.12770), nine rows of a 7x7 grid, say how the place
    lies; and one row for each cell whose codes are rare in this grid, an object and where it is, so that words can be matched with it."""

    def __init__(self, width: int, inner: int = 64) -> None:
        super().__init__()
        self.embedding = nn.Embedding(4 * CODES, inner)
        self.net = nn.Sequential(
            nn.Conv2d(inner, inner, 3), nn.GELU(), nn.Conv2d(inner, inner, 3), nn.GELU()
        )
        self.place = nn.Embedding(64, inner)
        self.out = nn.Linear(inner, width)
        self.spot = nn.Embedding(SPOTS, inner)
        self.object = nn.Linear(inner, width)

    def forward(self, cells: Sequence[np.ndarray], device: torch.device) -> list[Tensor]:
        found: list[Tensor | None] = [None] * len(cells)
        for shape in {cell.shape for cell in cells}:
            which = [number for number, cell in enumerate(cells) if cell.shape == shape]
            codes = torch.as_tensor(
                np.stack([cells[number] for number in which]).astype(np.int64), device=device
            )
            embedded = self.embedding(codes + CODES * torch.arange(shape[2], device=device)).sum(-2)
            mixed = self.net(embedded.movedim(-1, 1)).flatten(2).movedim(1, 2)
            mixed = mixed + self.place(torch.arange(mixed.shape[1], device=device) % 64)
            rare = _rare(codes)
            named = self.object(
                embedded.flatten(1, 2)[rare] + self.spot(rare.nonzero()[:, 1] % SPOTS)
            )
            for number, rows, objects in zip(
                which, self.out(mixed), named.split(rare.sum(1).tolist())
            ):
                found[number] = torch.cat([rows, objects])
        return [rows for rows in found if rows is not None]


def _rare(codes: Tensor) -> Tensor:
    """(N, W * H) bool: the cells of grids (N, W, H, C) that few cells of theirs are equal to."""
    keys = (codes * CODES ** torch.arange(codes.shape[-1], device=codes.device)).sum(-1).flatten(1)
    return (keys[:, :, None] == keys[:, None]).sum(-1) <= RARE
