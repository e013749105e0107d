"""Refines what a scene's numbers are, by what its eyes found, without looking at it all again.

Where things are seen is learned within a few hundred updates; what follows from it, where they are
in the world, takes thousands, which cost little once each picture's parts are computed. So the
convolutions stay, and the layers behind them learn from all pictures' parts at once, with what
looks at the small squares around the things.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.gea.frames import Frames
from baselines.gea.reader import THINGS, Scene, squares_around
from baselines.gea.seeing_loss import SeeingLoss
from baselines.learning.learner import cosine_schedule

__all__ = ["refine"]

STEPS, BATCH, RATE, DECAY, WARMUP = 4000, 128, 2e-3, 0.05, 0.1
AT_ONCE = 32


def refine(
    loss: SeeingLoss,
    frames: Sequence[Frames],
    rng: np.random.Generator,
    say: Callable[[str], None],
) -> None:
    """Train `close` and `mix` of the scene's reader, and what tells numbers, on frames.

    The loss is the absolute error of the numbers, in units of how much they vary within a task.
    Parts are standardised while they are learned from, and the first layer takes that over at the
    end: some of them vary a hundred times as much as others.
    """
    scene = loss.reader.scene
    found = [_found(scene, each.pictures) for each in frames]
    parts, squares = (torch.cat(column) for column in zip(*found))
    numbers = torch.cat([loss.standardised(each.numbers) for each in frames])
    mean, std = parts.mean(0), parts.std(0) + 1e-3
    parts = (parts - mean) / std
    first = scene.mix[0]
    assert isinstance(first, nn.Linear)
    known = first.weight[:, : len(mean)]  # what follows them are details, which are learned too
    loss.told.reset_parameters()
    with torch.no_grad():
        first.bias.add_(known @ mean)
        known.mul_(std)
    learned = (scene.close, scene.mix, loss.told)
    weights = [weight for each in learned for weight in each.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=RATE, weight_decay=DECAY)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * cosine_schedule(step, STEPS, WARMUP)
        k = torch.as_tensor(rng.integers(len(parts), size=BATCH), device=parts.device)
        features = scene.mix(torch.cat([parts[k], scene.details(squares[k].float())], 1))
        total = F.l1_loss(loss.told(features)[:, : numbers.shape[1]], numbers[k])
        optimizer.zero_grad()
        torch.autograd.backward(total)
        optimizer.step()
        if step in (0, STEPS - 1):
            say(f"refined {step + 1}/{STEPS}  numbers {total.item():.4f}")
    with torch.no_grad():
        known.div_(std)
        first.bias.sub_(known @ mean)


@torch.no_grad()
def _found(scene: Scene, pictures: np.ndarray) -> tuple[Tensor, Tensor]:
    """(parts, squares) of uint8 (N, pixels, pixels, 3), in float32, as in play.

    The squares are kept in float16: a colour of 8 bits has an error of 0.03 of its steps there.
    """
    where = scene.present.device
    found = []
    for begin in range(0, len(pictures), AT_ONCE):
        some = torch.as_tensor(pictures[begin : begin + AT_ONCE], device=where).movedim(-1, 1)
        some = some.float() / 127.5 - 1
        parts = scene.parts(some)[0]
        found.append((parts, squares_around(some, parts[:, : 2 * THINGS]).half()))
    parts, squares = (torch.cat(column) for column in zip(*found))
    return parts, squares
