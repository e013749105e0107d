"""Reads the pictures of games: what an agent sees in the first person, and screens of consoles.

A map or a scene has a state that a picture can be read into (baselines/gea/reader.py). A game has
none that all games share, so its pictures become rows that learned nothing but to make the rest of
the model, which stays as it is, answer as a teacher does (baselines/gea/games.py).

The names of modules and parameters are those of the tensors in model.safetensors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.gea.residual import GROUPS, Residual

__all__ = ["COLOURS", "FEATURES", "PIXELS", "ROWS", "GameEyes", "colours", "stacked"]

PIXELS = 84
"""Side at which games are read."""
FRAMES = 3
"""Pictures that are read together: what moves is in no single one (arXiv 1312.5602 takes four)."""
ROWS = 4
"""Rows that are made of them; neither a map nor a scene has as many."""
CHANNELS = (32, 48, 64)
SQUEEZED, FEATURES = 32, 256
DOUBT = 3.0
"""A map or a scene that is read as a game is nonsense. With the included weights 13 of 20,762
pictures of games have a lower logit, and none of 118,205 of no game that were learned exceeds
-1.8."""
COLOURS = 14
"""Places per side of the picture whose mean colours tell a game from a map and from a scene."""


class GameEyes(nn.Module):
    """Four rows of `width` channels from three pictures of 84 x 84, in 40 million multiplications.

    Convolutions that halve the picture four times, residual blocks of two between them, and a layer
    that sees all places at once.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        small, middle, large = CHANNELS
        self.kind = nn.Sequential(nn.Linear(3 * COLOURS**2, 64), nn.GELU(), nn.Linear(64, 1))
        self.look = nn.Sequential(
            nn.Conv2d(3 * FRAMES, small, 4, stride=2, padding=1), nn.GELU(),
            nn.Conv2d(small, middle, 3, stride=2, padding=1),
            Residual(middle),
            nn.Conv2d(middle, large, 3, stride=2, padding=1),
            Residual(large),
            nn.Conv2d(large, large, 3, stride=2, padding=1),
            nn.GroupNorm(GROUPS, large), nn.GELU(),
            nn.Conv2d(large, SQUEEZED, 1), nn.Flatten(), nn.GELU(),
            nn.Linear(SQUEEZED * 36, FEATURES), nn.GELU(),
        )  # fmt: skip
        self.out = nn.Linear(FEATURES, ROWS * width)

    def is_game(self, pictures: Tensor) -> Tensor:
        """(N,): the logit of a game less a doubt, of float (N, 3, H, W) in [-1, 1]."""
        return self.game_logit(colours(pictures)) - DOUBT

    def game_logit(self, colours: Tensor) -> Tensor:
        """(N,), from the colours of pictures."""
        logits: Tensor = self.kind(colours)[:, 0]
        return logits

    def rows(self, features: Tensor) -> Tensor:
        """(N, ROWS, width), from what `look` made of stacks."""
        rows: Tensor = self.out(features).unflatten(1, (ROWS, -1))
        return rows

    def forward(self, stacks: Tensor) -> Tensor:
        """(N, ROWS, width), from float (N, 9, PIXELS, PIXELS) in [-1, 1]: see `stacked`."""
        return self.rows(self.look(stacks.contiguous(memory_format=torch.channels_last)))


def colours(pictures: Tensor) -> Tensor:
    """(N, 3 * COLOURS^2): mean colours by places, of float (N, 3, H, W)."""
    return F.adaptive_avg_pool2d(pictures, COLOURS).flatten(1)


def stacked(picture: np.ndarray, earlier: Sequence[np.ndarray]) -> Tensor:
    """float32 (9, PIXELS, PIXELS) in [-1, 1]: a picture behind the two before it.

    Each uint8 (H, W, 3), H and W multiples of PIXELS, the oldest first. Where there are fewer, the
    oldest one counts again: nothing has moved.
    """
    pictures = [*earlier, picture][-FRAMES:]
    pictures = [pictures[0]] * (FRAMES - len(pictures)) + pictures
    stack = torch.as_tensor(np.concatenate(pictures, 2)).movedim(-1, 0).float() / 127.5 - 1
    return F.avg_pool2d(stack, stack.shape[1] // PIXELS) if stack.shape[1] > PIXELS else stack
