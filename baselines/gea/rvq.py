"""The action tokenizer: a residual vector-quantised autoencoder (arXiv 2412.08442, appendix A).

An action is scaled to [-1, 1] by its spec's bounds (elements without finite bounds by
x / (1 + |x|)), padded or cut to `dims` elements, encoded, and quantised to one code of each
codebook: the first codebook quantises the encoding, each further one the residual of those before
(arXiv 2107.03312, algorithm 1). The quantiser is that of vector-quantize-pytorch.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from vector_quantize_pytorch import ResidualVQ

from baselines.gea.config import RVQConfig
from harness.core import Box, UserError

__all__ = ["FILE", "ActionTokenizer", "denormalise_action", "normalise_action"]

FILE = "actions.safetensors"


def normalise_action(spec: Box, action: np.ndarray, dims: int) -> np.ndarray:
    """float32 (dims,) in [-1, 1], from an action of the spec's shape.

    Spec bounds low and high, both finite: 2 (x - low) / (high - low) - 1; otherwise x / (1 + |x|).
    Elements that the action does not have are NaN: the encoder reads 0 there, and what is decoded
    there is no error.
    """
    flat = np.asarray(action, np.float64).reshape(-1)[:dims]
    low, high = (limit.astype(np.float64).reshape(-1)[:dims] for limit in spec.limits)
    bounded = np.isfinite(low) & np.isfinite(high) & (high > low)
    width = np.where(bounded, high - low, 1.0)
    inside = 2 * (flat - np.where(bounded, low, 0.0)) / width - 1
    values = np.where(bounded, inside, flat / (1 + np.abs(flat)))
    padded = np.full(dims, np.nan, np.float32)
    padded[: len(values)] = np.clip(values, -1, 1)
    return padded


def denormalise_action(spec: Box, values: np.ndarray) -> np.ndarray:
    """The inverse of `normalise_action`: an action of the spec's shape, dtype and bounds.

    `values`: float (dims,). Elements of the action beyond `dims` are those of the no-op.
    """
    size = int(np.prod(spec.shape))
    flat = spec.noop().astype(np.float64).reshape(-1)
    given = np.clip(np.asarray(values, np.float64)[:size], -1, 1)
    n = len(given)
    low, high = (limit.astype(np.float64).reshape(-1) for limit in spec.limits)
    bounded = (np.isfinite(low) & np.isfinite(high))[:n]
    inside = np.where(bounded, low[:n], 0.0) + (given + 1) / 2 * np.where(
        bounded, (high - low)[:n], 1.0
    )
    squashed = np.clip(given, -0.999, 0.999)  # 1 would stand for infinity
    flat[:n] = np.where(bounded, inside, squashed / (1 - np.abs(squashed)))
    if np.dtype(spec.dtype).kind in "iu":
        flat = np.rint(flat)
    # Clipped once more: rounding to the spec's dtype may step over a bound.
    return np.clip(flat.astype(spec.dtype).reshape(spec.shape), *spec.limits).astype(spec.dtype)


class ActionTokenizer(nn.Module):
    """Actions in [-1, 1], float (N, dims), to codes, int64 (N, codebooks), and back.

    An element that an action does not have is NaN, as `normalise_action` leaves it.

    The names of its modules are those of the tensors in actions.safetensors.
    """

    def __init__(self, config: RVQConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = _mlp(config.dims, config.hidden, config.code_dim, config.layers)
        self.decoder = _mlp(config.code_dim, config.hidden, config.dims, config.layers)
        self.quantiser = ResidualVQ(
            dim=config.code_dim,
            num_quantizers=config.codebooks,
            codebook_size=config.codes,
            commitment_weight=config.commitment,
            kmeans_init=True,  # of the first batch: random codes would mostly stay unused
            kmeans_iters=10,
            threshold_ema_dead_code=2,  # a code that hardly any action uses is placed again
        )

    def losses(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        """(mean squared reconstruction error, commitment loss) of a batch, float (N, dims).

        The error is the mean over the elements that the actions have: over padding, which is easy
        to reconstruct, it would be the smaller the shorter the actions are. In training mode this
        also updates the codebooks, which are moving averages of the encodings (arXiv 1711.00937,
        appendix A.1). The encoder's gradient passes the quantiser by the rotation trick (arXiv
        2410.06424).
        """
        quantised, _, commitment = self.quantiser(self.encoder(actions.nan_to_num(0.0)))
        had = ~actions.isnan()
        return F.mse_loss(self.decoder(quantised)[had], actions[had]), commitment.sum()

    def error(self, actions: np.ndarray) -> float:
        """The mean squared error of float (N, dims) after `encode` and `decode`, as in `losses`."""
        return float(np.nanmean((self.decode(self.encode(actions)) - actions) ** 2))

    @torch.no_grad()
    def encode(self, actions: np.ndarray) -> np.ndarray:
        """int64 (N, codebooks), from float (N, dims).

        What the quantiser does when it does not learn, which takes it ten times as long for one
        action: the code nearest to what the codebooks before have left.
        """
        rest = _through(self.encoder, self._tensor(actions).nan_to_num(0.0))
        found = []
        for codebook in self._codebooks():
            # |code|^2 - 2 rest code: |rest - code|^2 without what is the same for all codes
            squares = torch.linalg.vecdot(codebook, codebook)
            nearest = torch.addmm(squares, rest, codebook.t(), alpha=-2).argmin(1)
            rest = rest - codebook[nearest]
            found.append(nearest)
        return np.asarray(torch.stack(found, 1).cpu(), np.int64)

    @torch.no_grad()
    def decode(self, codes: Sequence[Sequence[int]] | np.ndarray) -> np.ndarray:
        """float32 (N, dims), from int (N, codebooks)."""
        codebooks = self._codebooks()
        indices = torch.from_numpy(np.asarray(codes, np.int64)).to(codebooks[0].device)
        chosen = [codebook[column] for codebook, column in zip(codebooks, indices.unbind(1))]
        decoded = _through(self.decoder, torch.stack(chosen).sum(0))
        return np.asarray(decoded.float().cpu(), np.float32)

    def _codebooks(self) -> list[Tensor]:
        """(codes, code_dim) each."""
        return [layer._codebook.embed[0] for layer in self.quantiser.layers]

    def _tensor(self, actions: np.ndarray) -> Tensor:
        return torch.as_tensor(
            np.asarray(actions, np.float32), device=next(self.parameters()).device
        )

    def save(self, folder: Path) -> None:
        """Write actions.safetensors."""
        save_file(
            {name: value.contiguous().clone() for name, value in self.state_dict().items()},
            folder / FILE,
        )
        (folder / FILE).chmod(0o644)  # safetensors writes files that only their owner can read

    @classmethod
    def load(cls, folder: Path, config: RVQConfig) -> ActionTokenizer:
        """The tokenizer that `save` wrote, ready to use. Raises UserError when there is none."""
        if not (folder / FILE).is_file():
            raise UserError(
                f"{folder} has no {FILE}: "
                f"bench train gea --stage tokenizer --data DATA --out {folder}"
            )
        tokenizer = cls(config)
        tokenizer.load_state_dict(load_file(folder / FILE))
        return tokenizer.eval()


def _through(layers: nn.Sequential, values: Tensor) -> Tensor:
    """`layers(values)`, without what PyTorch does at the call of a module."""
    for layer in layers:
        values = layer.forward(values)
    return values


def _mlp(size: int, hidden: int, out: int, layers: int) -> nn.Sequential:
    """`layers` linear layers with GELU between them."""
    sizes = [size, *[hidden] * (layers - 1), out]
    parts: list[nn.Module] = []
    for number, (a, b) in enumerate(itertools.pairwise(sizes)):
        parts += [nn.Linear(a, b), *([nn.GELU()] if number < layers - 1 else [])]
    return nn.Sequential(*parts)
