"""A small Llama (arXiv 2302.13971). Its weights have the names of `transformers.LlamaModel`, which computes the same; for a few tokens at a time
that one spends most of its time between the operations, and seconds on being imported."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Llama", "Past"]

EPSILON = 1e-6
THETA = 10_000.0
INITIAL = 0.02

Past = list[tuple[Tensor, Tensor]]
"""Keys and values, (B, heads, L, width / heads) each, of every layer; empty at first."""


class Llama(nn.Module):
    """`layers` blocks of attention and a gated MLP over embeddings of `width` channels."""

    def __init__(self, words: int, width: int, layers: int, heads: int, mlp: int) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(words, width)
        self.layers = nn.ModuleList(_Block(width, heads, mlp) for _ in range(layers))
        self.norm = _Norm(width)
        turns = 1 / THETA ** (
            torch.arange(0, width // heads, 2, dtype=torch.float32) / (width // heads)
        )
        self.register_buffer("turns", torch.cat([turns, turns]), persistent=False)
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=INITIAL)

    def forward(
        self, embeds: Tensor, mask: Tensor, positions: Tensor, past: Past | None = None
    ) -> Tensor:
        """Hidden states (B, T, width) of `embeds` (B, T, width) behind what `past` holds, to which their keys and values are added.

        `mask` (B, L + T): 1 where something stands; `positions` (B, T).
        """
        angles = positions[..., None].to(self.turns.dtype) * self.turns
        rotation = angles.cos().to(embeds.dtype)[:, None], angles.sin().to(embeds.dtype)[:, None]
        allowed = _allowed(mask, embeds.shape[1])
        hidden = embeds
        for number, layer in enumerate(self.layers):
            hidden = layer(hidden, rotation, allowed, past, number)
        return self.norm(hidden)


def _allowed(mask: Tensor, count: int) -> Tensor | None:
    """(B, 1, count, L) bool: which token looks at which; None where each looks at all before it. What is padding looks at itself, or it would look
    at nothing."""
    if bool(mask.all()) and count in (1, mask.shape[1]):
        return None
    length = mask.shape[1]
    causal = torch.ones(count, length, dtype=torch.bool, device=mask.device).tril(length - count)
    itself = torch.eye(length, dtype=torch.bool, device=mask.device)[length - count :]
    return ((mask[:, None, None, :] > 0) & causal) | itself


class _Norm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, values: Tensor) -> Tensor:
        return F.rms_norm(values, (values.shape[-1],), self.weight, EPSILON)


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, mlp: int) -> None:
        super().__init__()
        self.self_attn = _Attention(width, heads)
        self.mlp = _MLP(width, mlp)
        self.input_layernorm = _Norm(width)
        self.post_attention_layernorm = _Norm(width)

    def forward(
        self,
        hidden: Tensor,
        rotation: tuple[Tensor, Tensor],
        allowed: Tensor | None,
        past: Past | None,
        number: int,
    ) -> Tensor:
        hidden = hidden + self.self_attn(
            self.input_layernorm(hidden), rotation, allowed, past, number
        )
        return hidden + self.mlp(self.post_attention_layernorm(hidden))


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self._heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (
            nn.Linear(width, width, bias=False) for _ in range(4)
        )

    def forward(
        self,
        hidden: Tensor,
        rotation: tuple[Tensor, Tensor],
        allowed: Tensor | None,
        past: Past | None,
        number: int,
    ) -> Tensor:
        shape = (*hidden.shape[:2], self._heads, -1)
        queries, keys, values = (
            part(hidden).view(shape).transpose(1, 2)
            for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        queries, keys = _turned(queries, rotation), _turned(keys, rotation)
        if past is not None:
            if number < len(past):
                keys, values = (
                    torch.cat([past[number][0], keys], 2),
                    torch.cat([past[number][1], values], 2),
                )
                past[number] = keys, values
            else:
                past.append((keys, values))
        mixed = F.scaled_dot_product_attention(
            queries, keys, values, allowed, is_causal=allowed is None and queries.shape[2] > 1
        )
        return self.o_proj(mixed.transpose(1, 2).flatten(2))


def _turned(values: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary positions (arXiv 2104.09864), the halves of a head's channels as pairs."""
    one, other = values.chunk(2, -1)
    return values * rotation[0] + torch.cat([-other, one], -1) * rotation[1]


class _MLP(nn.Module):
    def __init__(self, width: int, mlp: int) -> None:
        super().__init__()
        self.gate_proj, self.up_proj = (nn.Linear(width, mlp, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(mlp, width, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(hidden)) * self.up_proj(hidden))
