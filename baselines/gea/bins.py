"""The other action tokenizer: each element of an action in bins of equal width.

As in RT-1 (arXiv 2212.06817) and OpenVLA. Nothing is learned, so there is no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import nn

from baselines.gea.config import RVQConfig
from baselines.gea.rvq import ActionTokenizer

__all__ = ["BinTokenizer", "Tokenizer", "load_tokenizer"]


class BinTokenizer(nn.Module):
    """Actions in [-1, 1], float (N, dims), to codes, int64 (N, dims), and back.

    A code stands for the middle of its bin. An element that an action does not have is NaN, as
    `normalise_action` leaves it, and gets the code of 0.
    """

    def __init__(self, config: RVQConfig) -> None:
        super().__init__()
        self.config = config

    def encode(self, actions: np.ndarray) -> np.ndarray:
        """int64 (N, dims), from float (N, dims)."""
        values = np.nan_to_num(np.asarray(actions, np.float64), nan=0.0)
        bins = np.floor((values + 1) / 2 * self.config.codes).astype(np.int64)
        found: np.ndarray = np.clip(bins, 0, self.config.codes - 1)
        return found

    def decode(self, codes: Sequence[Sequence[int]] | np.ndarray) -> np.ndarray:
        """float32 (N, dims), from int (N, dims)."""
        middles = (np.asarray(codes, np.float64) + 0.5) / self.config.codes
        return (2 * middles - 1).astype(np.float32)

    def error(self, actions: np.ndarray) -> float:
        """The mean squared error of float (N, dims) after `encode` and `decode`."""
        return float(np.nanmean((self.decode(self.encode(actions)) - actions) ** 2))


Tokenizer = ActionTokenizer | BinTokenizer


def load_tokenizer(folder: Path, config: RVQConfig) -> Tokenizer:
    """The tokenizer of a configuration.

    Raises UserError where it was to be learned and was not.
    """
    if config.kind == "uniform":
        return BinTokenizer(config)
    return ActionTokenizer.load(folder, config)
