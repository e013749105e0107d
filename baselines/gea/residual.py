"""The residual block of the eyes for games and for pages.

The names of modules are those of the tensors in model.safetensors.
"""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["GROUPS", "Residual"]

GROUPS = 8
"""Of the normalisation, which looks at one picture alone: an answer depends on no other one."""


class Residual(nn.Module):
    """Two convolutions of 3 x 3, each after a normalisation, added to what they are given."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.GroupNorm(GROUPS, channels), nn.GELU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.GroupNorm(GROUPS, channels), nn.GELU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )  # fmt: skip

    def forward(self, hidden: Tensor) -> Tensor:
        """Float (N, channels, H, W), of the same shape."""
        changed: Tensor = self.change(hidden)
        return hidden + changed
