"""Randomness of torch for one turn: drawn by the turn, and without a trace after it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from harness.core import Turn

__all__ = ["torch_drawn_by"]


@contextlib.contextmanager
def torch_drawn_by(turn: Turn, device: str = "cpu") -> Iterator[int]:
    """Seed torch's global generator with the turn's, and restore it after; yields the seed.

    On another `device` than the CPU its generator is seeded, too, and not restored.
    `torch.manual_seed` would do more: without a GPU that is in use it puts down a stack trace at
    each call, for as long as the process lives.
    """
    import torch

    seed = int(turn.rng.integers(2**31))
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    if device != "cpu":
        torch.get_device_module(device).manual_seed_all(seed)
    try:
        yield seed
    finally:
        torch.set_rng_state(before)
