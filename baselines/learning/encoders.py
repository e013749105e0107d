"""Encoders of numbers and of grids: what is observed that is neither text nor an image.

The names of modules and parameters are those of the tensors in model.safetensors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from baselines.learning.views import CODES

__all__ = ["CellEncoder", "NumberEncoder", "rare_cells"]

FREQUENCIES = 6
"""Sines and cosines per number, at frequencies that double: close values become distinguishable."""
RARE = 3
"""A cell counts as an object if at most this many cells of its grid have the same codes.

Walls, floor and what is out of sight are more.
"""
SPOTS = 1024
"""Cells of a grid whose positions are distinguished."""


class NumberEncoder(nn.Module):
    """All numbers of a step as one row.

    The features of a number x are x / (1 + |x|), a flag that it is present, and sin(2^k pi x) and
    cos(2^k pi x) for k < FREQUENCIES.
    """

    def __init__(self, size: int, width: int) -> None:
        """`size`: how many numbers are read; any further ones are cut."""
        super().__init__()
        self.size = size
        self.net = nn.Sequential(
            nn.Linear(size * (2 + 2 * FREQUENCIES), 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, width),
        )

    def forward(self, numbers: Sequence[np.ndarray], device: torch.device) -> Tensor:
        """(N, width), from N arrays of float32 (n,)."""
        table = np.zeros((len(numbers), 2, self.size), np.float32)
        for row, given in zip(table, numbers):
            n = min(self.size, len(given))
            row[0, :n], row[1, :n] = given[:n], 1
        values, present = torch.from_numpy(table).to(device).unbind(1)
        angles = values[..., None] * (np.pi * 2.0 ** torch.arange(FREQUENCIES, device=device))
        parts = [
            values / (1 + values.abs()),
            present,
            *(present[..., None] * torch.cat([angles.sin(), angles.cos()], -1)).unbind(-1),
        ]
        rows: Tensor = self.net(torch.cat(parts, -1).to(next(self.net.parameters()).dtype))
        return rows


class CellEncoder(nn.Module):
    """A grid of codes as rows, of two sorts.

    Two convolutions over a bag of embeddings (as in BabyAI 1.1, arXiv 2007.12770) say what the
    surroundings look like: nine rows for a 7 x 7 grid. Each cell whose codes are rare in this grid
    is an object and gets one more row, with its codes and position, so that attention can match it
    with the words of the instruction.
    """

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
        """(n, width) for each grid, uint8 (W, H, C) with up to 4 codes per cell."""
        found: list[Tensor | None] = [None] * len(cells)
        for shape in {cell.shape for cell in cells}:  # grids of one shape form a batch
            which = [number for number, cell in enumerate(cells) if cell.shape == shape]
            codes = torch.as_tensor(
                np.stack([cells[number] for number in which]).astype(np.int64), device=device
            )
            # Each channel has its own range of the table; a cell is the sum of its codes.
            embedded = self.embedding(codes + CODES * torch.arange(shape[2], device=device)).sum(-2)
            mixed = self.net(embedded.movedim(-1, 1)).flatten(2).movedim(1, 2)
            mixed = mixed + self.place(torch.arange(mixed.shape[1], device=device) % 64)
            rare = rare_cells(codes)
            objects = self.object(
                embedded.flatten(1, 2)[rare] + self.spot(rare.nonzero()[:, 1] % SPOTS)
            )
            for number, surroundings, named in zip(
                which, self.out(mixed), objects.split(rare.sum(1).tolist())
            ):
                found[number] = torch.cat([surroundings, named])
        return [rows for rows in found if rows is not None]


def rare_cells(codes: Tensor) -> Tensor:
    """bool (N, W * H): the cells of grids (N, W, H, C) that occur at most RARE times."""
    keys = (codes * CODES ** torch.arange(codes.shape[-1], device=codes.device)).sum(-1).flatten(1)
    return (keys[:, :, None] == keys[:, None]).sum(-1) <= RARE
