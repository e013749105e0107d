"""Learns an autoencoder with one or several codebooks from actions."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.core import UserError
from harness.probes.tokenizer.codecs import ActionRange, Layer, Residual
from harness.probes.tokenizer.variants import Variant

__all__ = ["Training", "check_packages", "learn"]

FIRST = 8192
"""Actions at most from which the first codes are made, by k-means."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """How the codecs are learned: a small form of the recipe of arXiv 2412.08442, appendix A."""

    steps: int = 1500
    batch: int = 512
    hidden: int = 128
    layers: int = 3
    """Linear layers of the encoder, and of the decoder."""
    code_dim: int = 32
    commitment: float = 1.0
    """Weight of the commitment loss."""
    lr: float = 1e-3
    """It falls to 0 by a cosine."""
    seed: int = 0


def check_packages() -> None:
    """Raises UserError where a package is missing."""
    try:
        import torch  # noqa: F401
        import vector_quantize_pytorch  # noqa: F401
    except ImportError as lack:
        raise UserError(
            f"learned codecs need the package {lack.name}: pip install 'generalist-bench[gea]', "
            "or --variants 'uniform-*'"
        ) from None


def learn(range: ActionRange, actions: np.ndarray, variant: Variant, how: Training) -> Residual:
    """Learn a codec from actions, (N, dims). On one thread, so that the same comes of the same."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(how.seed)
            return _learned(range, actions, variant, how)
    finally:
        torch.set_num_threads(threads)


def _learned(range: ActionRange, actions: np.ndarray, variant: Variant, how: Training) -> Residual:
    import torch
    from torch.nn import functional
    from vector_quantize_pytorch import ResidualVQ

    data = torch.as_tensor(2 * range.scale(actions) - 1, dtype=torch.float32)
    encoder = _network(range.dims, how.code_dim, how)
    decoder = _network(how.code_dim, range.dims, how)
    quantiser = ResidualVQ(
        dim=how.code_dim,
        num_quantizers=variant.codebooks,
        codebook_size=variant.codes,
        commitment_weight=how.commitment,
        kmeans_init=True,
        kmeans_iters=10,
        # A code that is used less than a tenth of its share is placed again.
        threshold_ema_dead_code=0.1 * how.batch / variant.codes,
    )
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=how.lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, how.steps)
    rng = np.random.default_rng(how.seed)
    with torch.no_grad():
        quantiser(encoder(data[rng.permutation(len(data))[:FIRST]]))
    for _ in itertools.repeat(None, how.steps):
        batch = data[rng.integers(0, len(data), how.batch)]
        quantised, _, commitment = quantiser(encoder(batch))
        loss = functional.mse_loss(decoder(quantised), batch) + commitment.sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    codebooks = quantiser.codebooks.detach().numpy().copy()
    return Residual(range, layers_of(encoder), codebooks, layers_of(decoder))


def _network(size: int, out: int, how: Training) -> Any:
    from torch import nn

    sizes = [size, *[how.hidden] * (how.layers - 1), out]
    parts: list[nn.Module] = []
    for a, b in itertools.pairwise(sizes):
        parts += [nn.Linear(a, b), nn.GELU()]
    return nn.Sequential(*parts[:-1])


def layers_of(network: Any) -> list[Layer]:
    """The linear layers of a torch Sequential."""
    return [
        (part.weight.detach().float().numpy().copy(), part.bias.detach().float().numpy().copy())
        for part in network
        if hasattr(part, "weight")
    ]
