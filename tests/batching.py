"""Torch agents whose answers depend, or do not, on the batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from harness.core import Agent, Box, Turn


class Network(Agent):
    """A random network over the state, in single precision.

    Another batch size runs other kernels, which round differently; `gain` amplifies that.
    `disease`: none; `batchnorm` (statistics of the batch, as in training mode); `noise` (randomness
    that is not the turn's); `switch` (another policy for a batch of one turn).
    """

    reads = ("state",)

    def __init__(self, disease: str = "none", gain: float = 1.0, width: int = 256) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(0)
        self.disease, self.gain = disease, gain
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(4, width),
            torch.nn.Tanh(),
            torch.nn.Linear(width, width),
            torch.nn.Tanh(),
            torch.nn.Linear(width, 5),
        )
        self.norm = torch.nn.BatchNorm1d(5)

    @torch.no_grad()
    def act(self, turns: Sequence[Turn]) -> list[Any]:
        said = self.layers(torch.as_tensor(np.stack([turn.observation["state"] for turn in turns])))
        if self.disease == "batchnorm" and len(turns) > 1:
            said = self.norm(said)
        if self.disease == "noise":
            said = said + torch.randn_like(said)
        if self.disease == "switch" and len(turns) == 1:
            said = -said
        if isinstance(turns[0].brief.action, Box):
            return [np.tanh(self.gain * row[:2]).astype(np.float32) for row in said.numpy()]
        return said.argmax(dim=1).tolist()
