"""A small Llama (arXiv 2302.13971).

It computes the same as `transformers.LlamaModel`, and its weights have the same names. For a few
tokens at a time, that implementation spends most of its time between the operations, and it takes
seconds to import.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["EPSILON", "FusedBlock", "KVCache", "Llama"]

EPSILON = 1e-6
"""Of the root mean square normalisation."""
THETA = 10_000.0
"""Base of the rotary embedding's frequencies."""
INITIAL_STD = 0.02

KVCache = list[tuple[Tensor, Tensor]]
"""Keys and values of every layer, (B, heads, L, width / heads) each; an empty list at first.

The list is extended in place, its tensors are replaced: a copy of the list stays as it was.
"""


class Llama(nn.Module):
    """`layers` blocks of attention and a gated MLP, on embeddings of `width` channels."""

    inverse_frequencies: Tensor

    def __init__(self, words: int, width: int, layers: int, heads: int, mlp: int) -> None:
        """`words`: size of the vocabulary; `mlp`: hidden channels of each MLP."""
        super().__init__()
        self.embed_tokens = nn.Embedding(words, width)
        self.layers = nn.ModuleList(_Block(width, heads, mlp) for _ in range(layers))
        self.norm = _Norm(width)
        frequencies = 1 / THETA ** (
            torch.arange(0, width // heads, 2, dtype=torch.float32) / (width // heads)
        )
        self.register_buffer(
            "inverse_frequencies", torch.cat([frequencies, frequencies]), persistent=False
        )
        self.heads = heads
        self._block_weights: list[nn.Parameter] = []
        self._fused_state: list[tuple[int, int]] = []
        self._fused: list[FusedBlock] = []
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=INITIAL_STD)

    def last_hidden(
        self, embeds: Tensor, mask: Tensor, positions: Tensor, cache: KVCache
    ) -> Tensor:
        """For acting: the hidden states (B, 1, width) of the last of these tokens.

        It is what `forward` returns there, up to rounding, in a fifth of the time for one token:
        matrices that are multiplied by the same vector are one, and the last layer computes for the
        other tokens keys and values only.
        """
        angles = positions[..., None].to(self.inverse_frequencies.dtype) * self.inverse_frequencies
        cos, sin = angles.cos()[:, None], angles.sin()[:, None]
        allowed = _attention_mask(mask, embeds.shape[1])
        hidden = embeds
        blocks = self._fused_blocks()
        for number, block in enumerate(blocks):
            final = number == len(blocks) - 1
            normed = F.rms_norm(hidden, hidden.shape[-1:], None, EPSILON)
            mixed = F.linear(normed, block.qkv).view(*normed.shape[:2], 3, self.heads, -1)
            mixed = mixed.permute(2, 0, 3, 1, 4)
            turned, values = mixed[:2], mixed[2]
            one, other = turned.chunk(2, -1)
            queries, keys = turned * cos + torch.cat([-other, one], -1) * sin
            if number < len(cache):
                keys = torch.cat([cache[number][0], keys], 2)
                values = torch.cat([cache[number][1], values], 2)
                cache[number] = keys, values
            else:
                cache.append((keys, values))
            causal = allowed is None and queries.shape[2] > 1
            mask_here = allowed
            if final:
                queries, hidden, causal = queries[:, :, -1:], hidden[:, -1:], False
                mask_here = None if allowed is None else allowed[:, :, -1:]
            attended = F.scaled_dot_product_attention(
                queries, keys, values, mask_here, is_causal=causal
            )
            hidden = hidden + F.linear(attended.transpose(1, 2).flatten(2), block.out)
            normed = F.rms_norm(hidden, hidden.shape[-1:], None, EPSILON)
            gate, up = F.linear(normed, block.gate_up).chunk(2, -1)
            hidden = hidden + F.linear(F.silu(gate) * up, block.down)
        last: Tensor = self.norm(hidden[:, -1:])
        return last

    def train(self, mode: bool = True) -> Llama:
        """As in every module. The fused matrices are dropped: not every optimiser tells changes."""
        self._fused_state = []
        return super().train(mode)

    def _fused_blocks(self) -> list[FusedBlock]:
        """Made again whenever a weight has changed or moved."""
        # Walking through the modules would take as long as half a layer does.
        if not self._block_weights:
            self._block_weights = list(self.layers.parameters())
        state = [(each.data_ptr(), each._version) for each in self._block_weights]
        if self._fused_state != state:
            self._fused_state = state
            self._fused = [FusedBlock.of(block) for block in self.layers]
        return self._fused

    def forward(
        self,
        embeds: Tensor,
        mask: Tensor,
        positions: Tensor,
        cache: KVCache | None = None,
        *,
        last: int = 0,
    ) -> Tensor:
        """Hidden states (B, T, width) of `embeds` (B, T, width).

        `mask`: int64 (B, L + T), 0 where there is padding, for the L tokens in the cache and these.
        `positions`: int64 (B, T). `cache`: the keys and values of the tokens before; those of these
        tokens are added to it in place. `last`: the number of tokens at the end whose states are
        returned, 0 for all; the last layer computes for the others keys and values only.
        """
        angles = positions[..., None].to(self.inverse_frequencies.dtype) * self.inverse_frequencies
        rotation = angles.cos().to(embeds.dtype)[:, None], angles.sin().to(embeds.dtype)[:, None]
        count = embeds.shape[1]
        allowed = _attention_mask(mask, count)
        written_out = _writes_attention_out(embeds)
        if allowed is None and count > 1 and (written_out or last):
            allowed = torch.ones(1, 1, count, count, dtype=torch.bool, device=mask.device).tril()
        if written_out and allowed is not None:
            allowed = torch.zeros_like(allowed, dtype=torch.bfloat16).masked_fill(
                ~allowed, -torch.inf
            )
        hidden = embeds
        for number, layer in enumerate(self.layers):
            wanted = last if number == len(self.layers) - 1 else 0
            hidden = layer(hidden, rotation, allowed, cache, number, wanted)
        normed: Tensor = self.norm(hidden)
        return normed


def _attention_mask(mask: Tensor, count: int) -> Tensor | None:
    """bool (B, 1, count, L): which of L tokens each of the last `count` tokens attends to.

    None where no mask is needed, for which attention has faster kernels: without padding, a single
    token attends to all, and a whole sequence is plainly causal.
    """
    if bool(mask.all()) and count in (1, mask.shape[1]):
        return None
    length = mask.shape[1]
    causal = torch.ones(count, length, dtype=torch.bool, device=mask.device).tril(length - count)
    # Padding attends to itself: a softmax over nothing would be NaN.
    itself = torch.eye(length, dtype=torch.bool, device=mask.device)[length - count :]
    return ((mask[:, None, None, :] > 0) & causal) | itself


def _writes_attention_out(embeds: Tensor) -> bool:
    """Whether `_attend` computes attention itself, without PyTorch's kernel.

    The gradient of that kernel takes ten times as long, in bfloat16 on a CPU.
    """
    return (
        torch.is_grad_enabled()
        and embeds.device.type == "cpu"
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
    )


def _attend(queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None) -> Tensor:
    """(B, heads, T, channels): what T queries attend to.

    `allowed`: (B or 1, 1, T, L): bool, or in bfloat16 what is added to the scores.
    """
    if allowed is None or allowed.dtype == torch.bool:
        return F.scaled_dot_product_attention(
            queries, keys, values, allowed, is_causal=allowed is None and queries.shape[2] > 1
        )
    scores = (queries * queries.shape[-1] ** -0.5) @ keys.transpose(-1, -2) + allowed
    attended: Tensor = scores.softmax(-1) @ values
    return attended


class _Norm(nn.Module):
    """Root mean square normalisation (arXiv 1910.07467)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, values: Tensor) -> Tensor:
        return F.rms_norm(values, (values.shape[-1],), self.weight, EPSILON)


@dataclass(frozen=True)
class FusedBlock:
    """The matrices of a block; those that read the same normalised vector are one.

    The weights of the normalisation are part of them.
    """

    qkv: Tensor
    out: Tensor
    gate_up: Tensor
    down: Tensor

    @classmethod
    def of(cls, block: Any) -> FusedBlock:
        attention, mlp = block.self_attn, block.mlp
        parts = (attention.q_proj, attention.k_proj, attention.v_proj)
        return cls(
            torch.cat([part.weight for part in parts]) * block.input_layernorm.weight,
            attention.o_proj.weight,
            torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight])
            * block.post_attention_layernorm.weight,
            mlp.down_proj.weight,
        )


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
        cache: KVCache | None,
        number: int,
        last: int,
    ) -> Tensor:
        """`last` as in `Llama.forward`."""
        hidden = hidden[:, -last:] + self.self_attn(
            self.input_layernorm(hidden), rotation, allowed, cache, number, last
        )
        output: Tensor = hidden + self.mlp(self.post_attention_layernorm(hidden))
        return output


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
        cache: KVCache | None,
        number: int,
        last: int,
    ) -> Tensor:
        queries, keys, values = (
            channels.unflatten(-1, (self._heads, -1)).transpose(1, 2)
            for channels in (
                self.q_proj(hidden[:, -last:]),
                self.k_proj(hidden),
                self.v_proj(hidden),
            )
        )
        cos, sin = rotation
        queries = _rotate(queries, (cos[:, :, -last:], sin[:, :, -last:]))
        keys = _rotate(keys, rotation)
        if allowed is not None:
            allowed = allowed[:, :, -last:]
        if cache is not None:
            if number < len(cache):
                keys, values = (
                    torch.cat([cache[number][0], keys], 2),
                    torch.cat([cache[number][1], values], 2),
                )
                cache[number] = keys, values
            else:
                cache.append((keys, values))
        mixed = _attend(queries, keys, values, allowed)
        output: Tensor = self.o_proj(mixed.transpose(1, 2).flatten(2))
        return output


def _rotate(values: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary position embedding (arXiv 2104.09864, equation 34), on (B, heads, T, channels).

    Channel i is paired with channel i + channels / 2, as in `transformers`; the paper pairs
    neighbours. `rotation`: cosine and sine, (B, 1, T, channels) each.
    """
    one, other = values.chunk(2, -1)
    return values * rotation[0] + torch.cat([-other, one], -1) * rotation[1]


class _MLP(nn.Module):
    """SwiGLU (arXiv 2002.05202)."""

    def __init__(self, width: int, mlp: int) -> None:
        super().__init__()
        self.gate_proj, self.up_proj = (nn.Linear(width, mlp, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(mlp, width, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        output: Tensor = self.down_proj(F.silu(self.gate_proj(hidden)) * self.up_proj(hidden))
        return output
