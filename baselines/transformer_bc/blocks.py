"""The transformer's blocks, and what makes rows of a picture.

The names of modules and parameters are those of the tensors in model.safetensors.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Block", "PatchEncoder"]

PATCH = 8
"""Pixels per side of the part of a picture that becomes a row: a cell of MiniGrid's pictures."""


class Block(nn.Module):
    """Attention and an MLP, each after a LayerNorm and around a residual connection.

    The rows attend to themselves, or, given a `context`, to its rows alone.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key_value = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, rows: Tensor, mask: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, N, width) -> the same; `mask`, bool: which rows to attend to, one at least."""
        normed = self.before_attention(rows)
        keys, values = self.key_value(normed if context is None else context).chunk(2, -1)
        query, keys, values = (self._split(each) for each in (self.query(normed), keys, values))
        mixed = F.scaled_dot_product_attention(query, keys, values, attn_mask=mask[:, None, None])
        rows = rows + self.out(mixed.transpose(1, 2).flatten(2))
        result: Tensor = rows + self.mlp(self.before_mlp(rows))
        return result

    def _split(self, rows: Tensor) -> Tensor:
        """(B, N, width) -> (B, heads, N, width / heads)."""
        return rows.view(*rows.shape[:2], self.heads, -1).transpose(1, 2)


class PatchEncoder(nn.Module):
    """Pictures as rows: one for each PATCH x PATCH pixels, which then see their neighbours."""

    def __init__(self, pixels: int, width: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, PATCH, stride=PATCH)
        self.around = nn.Conv2d(width, width, 3, padding=1)
        self.place = nn.Parameter(0.02 * torch.randn((pixels // PATCH) ** 2, width))

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, n, width) of uint8 (N, pixels, pixels, 3)."""
        cells = self.patches(pictures.movedim(-1, 1).float() / 127.5 - 1)
        cells = cells + self.around(F.gelu(cells))
        rows: Tensor = cells.flatten(2).movedim(1, 2) + self.place
        return rows
