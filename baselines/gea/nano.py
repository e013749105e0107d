"""`nano`: a model of a few million parameters behind the same interface, trained from nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from baselines.gea.backbone import Backbone
from baselines.gea.config import Config
from baselines.gea.llama import Llama
from baselines.gea.words import Words

__all__ = ["Nano"]

CHANNELS = (32, 64, 96, 128)


class Nano(Backbone):
    """Four convolutions that halve a picture of `pixels` px, and a small Llama."""

    shares_past = True

    def __init__(self, config: Config, words: Words, codes: int) -> None:
        super().__init__(config, config.width, codes)
        self.words = words
        self.model = Llama(words.size, config.width, config.layers, config.heads, config.mlp)
        layers: list[nn.Module] = []
        for before, after in zip((3, *CHANNELS), CHANNELS):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.GELU()]
        side = -(-config.pixels // 2 ** len(CHANNELS))
        self.eyes = nn.Sequential(*layers, nn.Flatten(2))
        self.eye_out = nn.Linear(CHANNELS[-1], config.width)
        self.eye_place = nn.Parameter(0.02 * torch.randn(side * side, config.width))

    def embed(self, ids: Tensor) -> Tensor:
        """Embeddings of text tokens."""
        embedded: Tensor = self.model.embed_tokens(ids)
        return embedded

    def text_logits(self, hidden: Tensor) -> Tensor:
        """Tied to the embeddings."""
        return hidden @ self.model.embed_tokens.weight.T

    def see(self, images: Sequence[np.ndarray]) -> tuple[list[Tensor], list[Any]]:
        """Sixteen rows of a picture of 64 px."""
        pixels = (
            torch.as_tensor(np.stack(images), device=self.device).movedim(-1, 1).float() / 127.5 - 1
        )
        rows = self.eye_out(self.eyes(pixels).movedim(1, 2)) + self.eye_place
        return list(rows), [None] * len(images)

    def lm(self, embeds: Tensor, mask: Tensor, positions: Tensor, past: Any) -> tuple[Tensor, Any]:
        """One pass of the Llama."""
        return self.model(embeds, mask, positions, past), past

    def new_past(self) -> Any:
        """No keys and values yet."""
        return []
