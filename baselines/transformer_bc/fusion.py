"""Four ways in which an instruction meets what is seen.

Each is a module that takes the representation of the instruction (B, sentence), the rows of what is
seen (B, N, width) with their mask, bool (B, N), and returns (B, width), from which the action
follows. All have the same number of blocks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from baselines.transformer_bc.blocks import Block
from baselines.transformer_bc.config import Config

__all__ = ["make_fusion"]


def make_fusion(config: Config) -> nn.Module:
    """The module of `config.fusion`."""
    forms = {
        "early": Early,
        "late": Late,
        "cross-attention": CrossAttention,
        "mixture-of-experts": MixtureOfExperts,
    }
    return forms[config.fusion](config)


def _blocks(config: Config) -> nn.ModuleList:
    return nn.ModuleList(Block(config.width, config.heads) for _ in range(config.layers))


class _Summary(nn.Module):
    """A transformer over the rows of what is seen, and a learned row whose output sums them up."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.first = nn.Parameter(0.02 * torch.randn(config.width))
        self.blocks = _blocks(config)

    def forward(self, rows: Tensor, mask: Tensor) -> Tensor:
        """(B, width)."""
        rows = torch.cat([self.first.expand(len(rows), 1, -1), rows], 1)
        mask = torch.cat([torch.ones_like(mask[:, :1]), mask], 1)
        for block in self.blocks:
            rows = block(rows, mask)
        first: Tensor = rows[:, 0]
        return first


class Early(nn.Module):
    """The instruction is one more row: it is in the transformer from the first block on."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.row = nn.Linear(config.sentence, config.width)
        self.blocks = _blocks(config)

    def forward(self, sentence: Tensor, rows: Tensor, mask: Tensor) -> Tensor:
        rows = torch.cat([self.row(sentence)[:, None], rows], 1)
        mask = torch.cat([torch.ones_like(mask[:, :1]), mask], 1)
        for block in self.blocks:
            rows = block(rows, mask)
        return rows[:, 0]


class Late(nn.Module):
    """What is seen is summed up without the instruction; an MLP reads both."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.summary = _Summary(config)
        self.both = _both(config)

    def forward(self, sentence: Tensor, rows: Tensor, mask: Tensor) -> Tensor:
        joined: Tensor = self.both(torch.cat([self.summary(rows, mask), sentence], 1))
        return joined


class CrossAttention(nn.Module):
    """The rows attend to one another, then the instruction attends to them."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.row = nn.Linear(config.sentence, config.width)
        own = max(1, config.layers // 2)
        self.blocks = _blocks(config)[:own]
        self.across = _blocks(config)[: max(1, config.layers - own)]

    def forward(self, sentence: Tensor, rows: Tensor, mask: Tensor) -> Tensor:
        for block in self.blocks:
            rows = block(rows, mask)
        query = self.row(sentence)[:, None]
        for block in self.across:
            query = block(query, mask, rows)
        answer: Tensor = query[:, 0]
        return answer


class MixtureOfExperts(nn.Module):
    """What is seen is summed up without the instruction, which then chooses among MLPs that read
    both: their outputs are weighted by a softmax over the experts."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.summary = _Summary(config)
        self.gate = nn.Linear(config.sentence, config.experts)
        self.experts = nn.ModuleList(_both(config) for _ in range(config.experts))

    def forward(self, sentence: Tensor, rows: Tensor, mask: Tensor) -> Tensor:
        joined = torch.cat([self.summary(rows, mask), sentence], 1)
        outputs = torch.stack([expert(joined) for expert in self.experts], 1)
        weights = self.gate(sentence).softmax(-1)
        mixed: Tensor = (weights[..., None] * outputs).sum(1)
        return mixed


def _both(config: Config) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(config.width + config.sentence, 2 * config.width),
        nn.GELU(),
        nn.Linear(2 * config.width, config.width),
    )
