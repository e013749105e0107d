"""The critic: four layers on the state at the end of the prompt, and on the pictures' mean."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from baselines.gea.backbone import IMAGE, TOKEN, Batch
from baselines.gea.config import Config
from harness.core import DOMAINS

__all__ = ["critic_layers", "mean_images"]


def critic_layers(config: Config, width: int) -> tuple[nn.Sequential, nn.Linear]:
    """(three layers with GELU, the head: one value a domain, 0 at first), of a backbone's width."""
    hidden = config.critic_width or width
    sizes = [width * (2 if config.critic_images else 1), hidden, hidden, hidden]
    layers: list[nn.Module] = []
    for number in range(3):
        layers += [nn.Linear(sizes[number], sizes[number + 1]), nn.GELU()]
    head = nn.Linear(hidden, len(DOMAINS))
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return nn.Sequential(*layers), head


def mean_images(batch: Batch, like: Tensor) -> Tensor:
    """The mean of the rows of each prompt's images; 0 without any. `like`: (B, width)."""
    if not batch.features:
        return torch.zeros_like(like)
    places = batch.kinds == IMAGE
    rows = like.new_zeros((*batch.kinds.shape, like.shape[-1])).masked_scatter(
        (batch.kinds > TOKEN)[..., None], torch.cat(batch.features).to(like.dtype)
    )
    return (rows * places[..., None]).sum(1) / places.sum(1, keepdim=True).clamp(min=1)
