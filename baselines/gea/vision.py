"""Encoder of pictures for `nano`: residual convolutions, a row for each place, and a summary.

The names of modules and parameters are those of the tensors in model.safetensors.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["SUMMARY", "PictureEncoder"]

CHANNELS = (48, 96, 128)
"""Of the three stages; the first has an eighth of a picture's side in half of its places."""
SUMMARY, SQUEEZED = 4, 32
"""Rows of the summary, and the channels of each place that go into it."""
GROUPS = 8
"""Of the normalisation, which looks at one picture alone: an answer depends on no other one."""


class PictureEncoder(nn.Module):
    """Rows of `width` channels from pictures of `pixels` x `pixels`.

    A convolution of 5 x 5 with stride 4, then for each stage a residual block of two convolutions
    of 3 x 3, and between stages a convolution of 3 x 3 with stride 2. 84 x 84 pixels become 36
    rows, in 50 million multiplications. Four more rows, the last ones, are linear in all places at
    once: where things are relative to each other stands in them from the start, while attention
    has to learn first where to look.
    """

    def __init__(self, pixels: int, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, CHANNELS[0], 5, stride=4, padding=2)
        self.blocks = nn.ModuleList(_Residual(channels) for channels in CHANNELS)
        self.down = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=2, padding=1)
            for before, after in itertools.pairwise(CHANNELS)
        )
        self.norm = nn.GroupNorm(GROUPS, CHANNELS[-1])
        self.out = nn.Linear(CHANNELS[-1], width)
        side = -(-pixels // 4)
        for _ in self.down:
            side = -(-side // 2)
        self.side = side
        """Rows per side."""
        self.place = nn.Parameter(0.02 * torch.randn(side * side, width))
        self.squeeze = nn.Conv2d(CHANNELS[-1], SQUEEZED, 1)
        self.summary = nn.Linear(SQUEEZED * side * side, SUMMARY * width)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, side * side + SUMMARY, width), from float (N, 3, pixels, pixels) in [-1, 1]."""
        hidden = self.stem(pictures.contiguous(memory_format=torch.channels_last))
        for number, block in enumerate(self.blocks):
            if number:
                hidden = self.down[number - 1](hidden)
            hidden = block(hidden)
        hidden = self.norm(hidden)
        places = self.out(hidden.flatten(2).movedim(1, 2)) + self.place
        summary = self.summary(F.gelu(self.squeeze(hidden)).flatten(1))
        return torch.cat([places, summary.view(len(places), SUMMARY, -1)], 1)


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.GroupNorm(GROUPS, channels) for _ in range(2))
        self.convolutions = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2)
        )

    def forward(self, hidden: Tensor) -> Tensor:
        changed = hidden
        for norm, convolution in zip(self.norms, self.convolutions):
            changed = convolution(F.gelu(norm(changed)))
        return hidden + changed
