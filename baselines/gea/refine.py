"""Refines how a scene's row is made of what its eyes found, without looking again.

Where things are seen is learned within a few hundred updates; what follows from it, where they are
in the world, takes thousands, which cost little once each picture's parts are computed. So the
convolutions stay, and the layers behind them learn from all pictures' parts at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.gea.frames import Frames
from baselines.gea.reader import Scene
from baselines.gea.seeing_loss import SeeingLoss
from baselines.learning.learner import cosine_schedule

__all__ = ["refine"]

STEPS, BATCH, RATE, DECAY, WARMUP = 3000, 128, 3e-3, 0.05, 0.1
AT_ONCE = 32
NUMBERS = 3.0
"""Weight of the errors of numbers beside that of the row."""


def refine(
    loss: SeeingLoss,
    frames: Sequence[Frames],
    rng: np.random.Generator,
    say: Callable[[str], None],
) -> None:
    """Train `mix` and `out` of the scene's reader, and what tells numbers, on the parts of frames.

    The loss is the squared error of rows in units of their variance within a task, plus the
    absolute error of numbers. Parts are standardised while they are learned from, and the first
    layer takes that over at the end: some of them vary a hundred times as much as others.
    """
    scene = loss.reader.scene
    parts = torch.cat([_parts(scene, each.pictures) for each in frames])
    rows = torch.cat([loss.wanted(each.numbers) for each in frames])
    numbers = torch.cat([loss.standardised(each.numbers) for each in frames])
    mean, std = parts.mean(0), parts.std(0) + 1e-3
    parts = (parts - mean) / std
    first = scene.mix[0]
    assert isinstance(first, nn.Linear)
    loss.told.reset_parameters()
    with torch.no_grad():
        first.bias.add_(first.weight @ mean)
        first.weight.mul_(std)
    weights = [*scene.mix.parameters(), *scene.out.parameters(), *loss.told.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=RATE, weight_decay=DECAY)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * cosine_schedule(step, STEPS, WARMUP)
        k = torch.as_tensor(rng.integers(len(parts), size=BATCH), device=parts.device)
        features = scene.mix(parts[k])
        row = ((scene.out(features) - rows[k]) ** 2).mean() / loss.row_variance
        total = row + NUMBERS * F.l1_loss(loss.told(features)[:, : numbers.shape[1]], numbers[k])
        optimizer.zero_grad()
        torch.autograd.backward(total)
        optimizer.step()
        if step in (0, STEPS - 1):
            say(f"refined {step + 1}/{STEPS}  row {row.item():.4f}")
    with torch.no_grad():
        first.weight.div_(std)
        first.bias.sub_(first.weight @ mean)


@torch.no_grad()
def _parts(scene: Scene, pictures: np.ndarray) -> Tensor:
    """(N, P): what the eyes find in uint8 (N, pixels, pixels, 3), in float32, as in play."""
    where = scene.out.weight.device
    found = []
    for begin in range(0, len(pictures), AT_ONCE):
        some = torch.as_tensor(pictures[begin : begin + AT_ONCE], device=where).movedim(-1, 1)
        found.append(scene.parts(some.float() / 127.5 - 1)[0])
    return torch.cat(found)
