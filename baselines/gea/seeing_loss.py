"""The loss of the stage `see`: how far what a reader makes of frames is from what is known of them.

It is the sum of

    cross-entropies of: whether it is a map, also of pictures that are none; its cells per side,
    where the agent is, where it looks, and each code of each cell that the agent sees
    the squared error of where in its place the agent is
    the divergence of where the hand, an object and the goal are seen in other pictures
    the error of the numbers that they tell, in units of how much these vary within a task
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.gea.frames import Frames
from baselines.gea.nano import Nano
from baselines.gea.reader import DIRECTIONS, SCENE, Glance, PictureReader, side_of
from baselines.learning.encoders import rare_cells

__all__ = ["SeeingLoss", "shown", "spread", "turned"]

OBJECTS = 5
"""How much more the cells of objects count; the first trainings here counted all cells alike."""
JITTER = 0.08
"""Of the glimpse in training, in cells: it will be taken where the agent was found."""
NOTHING = (1, 0, 0)
"""The codes of an empty cell."""
LEAST = 1e-2
"""The smallest unit in which errors of numbers are measured: 1 cm, where they are in metres."""


class SeeingLoss(nn.Module):
    """The reader of a policy, with what it needs to learn."""

    number_mean: Tensor
    number_std: Tensor
    """float32 (n,): of the numbers of scenes."""

    def __init__(self, backbone: Nano, frames: Sequence[Frames]) -> None:
        """`frames`: whose numbers say in what units errors are measured."""
        super().__init__()
        assert backbone.reader is not None
        self.reader: PictureReader = backbone.reader
        scenes = [each for each in frames if each.cells.ndim != 4]
        self._size = min((each.numbers.shape[1] for each in scenes), default=0)
        self.told = nn.Linear(SCENE, max(1, self._size))
        """The numbers, standardised, from features of a scene; `tell` gives them to the reader."""
        mean, std = np.zeros(self._size), np.ones(self._size)
        if scenes:
            # What varies within a task has to be seen, not what tells tasks apart.
            numbers = [each.numbers[:, : self._size] for each in scenes]
            mean = np.mean([each.mean(0) for each in numbers], 0)
            std = np.sqrt(np.mean([each.var(0) for each in numbers], 0)).clip(LEAST)
        for name, part in (("number_mean", mean), ("number_std", std)):
            self.register_buffer(name, torch.as_tensor(part, dtype=torch.float32), persistent=False)

    def forward(self, frames: Frames, rng: np.random.Generator) -> dict[str, Tensor]:
        """The parts of the loss by name, of frames that are all maps or all scenes."""
        pictures = self.pictures(frames)
        if frames.cells.ndim != 4:
            return self._of_scenes(frames, pictures)
        if self.training:
            frames, pictures = turned(frames, pictures, int(rng.integers(4)))
        glance = self.reader.glance(pictures)
        told = F.binary_cross_entropy_with_logits(
            glance.is_map.float(), torch.ones_like(glance.is_map.float())
        )
        return {"map": told, **self._of_maps(frames, pictures, glance, rng)}

    def of_no_map(self, frames: Frames) -> Tensor:
        """How much scenes are taken for maps."""
        is_map = self.reader.glance(self.pictures(frames)).is_map.float()
        return F.binary_cross_entropy_with_logits(is_map, torch.zeros_like(is_map))

    def pictures(self, frames: Frames) -> Tensor:
        """Float (N, 3, pixels, pixels) in [-1, 1], as the reader takes them."""
        told = torch.as_tensor(frames.pictures, device=self.told.weight.device)
        return told.movedim(-1, 1).float() / 127.5 - 1

    def _of_maps(
        self, frames: Frames, pictures: Tensor, glance: Glance, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        where = pictures.device
        pose = torch.as_tensor(frames.pose, device=where)
        directions = torch.as_tensor(
            np.rint((frames.numbers[:, 0] + 1) / 2 * (DIRECTIONS - 1)).astype(np.int64),
            device=where,
        )
        count = int(glance.places.shape[1] ** 0.5)
        middle = pose[:, :2] * count
        column, row = middle.long().clamp(0, count - 1).unbind(1)
        place = row * count + column
        one = place[:, None, None]
        looks = glance.directions.gather(2, one.expand(-1, DIRECTIONS, 1))[..., 0]
        offset = glance.offsets.gather(2, one.expand(-1, 2, 1))[..., 0]
        inside = middle - torch.stack([column, row], 1) - 0.5
        jitter = torch.as_tensor(rng.normal(0, JITTER, pose[:, :2].shape), device=where)
        moved = torch.cat([pose[:, :2] + jitter.float() * pose[:, 2:], pose[:, 2:]], 1)
        codes = self.reader.read_cells(pictures, moved, directions)
        wanted = torch.as_tensor(shown(frames.cells).astype(np.int64), device=where)
        sides = side_of(pose[:, 2])
        return {
            "sides": F.cross_entropy(glance.sides.float(), sides),
            "place": F.cross_entropy(glance.places.float(), place),
            "direction": F.cross_entropy(looks.float(), directions),
            "offset": ((offset.float() - inside) ** 2).mean(),
            "cells": _of_cells(codes.float(), wanted),
        }

    def _of_scenes(self, frames: Frames, pictures: Tensor) -> dict[str, Tensor]:
        features, places = self.reader.scene.features(pictures)
        losses = {
            # Not squared: what tells tasks apart is large in these units.
            "numbers": F.smooth_l1_loss(
                self.told(features).float()[:, : self._size], self.standardised(frames.numbers)
            ),
        }
        points = torch.as_tensor(frames.points, device=pictures.device)
        known = points.isfinite().all(-1)
        if known.any():
            logits = places.float()[known].flatten(1)
            wanted = spread(points[known], places.shape[2]).flatten(1)
            # Nothing is lost where the logits say exactly what is wanted.
            least = torch.special.entr(wanted).sum(1)
            losses["points"] = (F.cross_entropy(logits, wanted, reduction="none") - least).mean()
        return losses

    def standardised(self, numbers: np.ndarray) -> Tensor:
        """(N, n): numbers of scenes in the units of their errors."""
        told = torch.as_tensor(numbers[:, : self._size], device=self.number_mean.device)
        return (told - self.number_mean) / self.number_std

    @torch.no_grad()
    def tell(self) -> None:
        """Make the reader tell numbers as `told` does, in their own units."""
        scene = self.reader.scene
        scene.present.zero_()[: self._size] = 1
        scene.numbers.weight[: self._size] = self.told.weight * self.number_std[:, None]
        scene.numbers.bias[: self._size] = self.told.bias * self.number_std + self.number_mean


def shown(cells: np.ndarray) -> np.ndarray:
    """The codes of grids (N, W, H, C) as a picture can tell them.

    A grid tells in the agent's own cell what it carries, which no picture shows: here, nothing.
    """
    told = cells.copy()
    told[:, told.shape[1] // 2, -1] = NOTHING
    return told


def spread(points: Tensor, count: int) -> Tensor:
    """(N, count, count), by [row, column]: shares of the four places around each of N points.

    Their mean place is the point. `points`: (N, 2), x and y in parts of a picture's side; a point
    beyond the middle of the outermost places counts as there.
    """
    middle = torch.arange(count, device=points.device)
    near = (points * count - 0.5).clamp(0, count - 1)
    x, y = ((1 - (near[:, k, None] - middle).abs()).clamp(min=0) for k in (0, 1))
    return y[:, :, None] * x[:, None]


def _of_cells(codes: Tensor, wanted: Tensor) -> Tensor:
    """The cross-entropy of a cell, of logits (N, W, H, C, CODES) for codes (N, W, H, C).

    Objects, few among walls and floor, count OBJECTS times.
    """
    losses = F.cross_entropy(codes.flatten(0, 3), wanted.flatten(), reduction="none")
    weights = 1.0 + (OBJECTS - 1) * rare_cells(wanted)
    per_cell = losses.view_as(wanted).sum(-1).flatten(1)
    return (weights * per_cell).sum() / weights.sum()


def turned(frames: Frames, pictures: Tensor, quarters: int) -> tuple[Frames, Tensor]:
    """Maps turned counterclockwise, and what they show: the agent sees the same as before."""
    pose, looks = frames.pose.copy(), frames.numbers.copy()
    direction = np.rint((looks[:, 0] + 1) / 2 * (DIRECTIONS - 1))
    for _ in range(quarters):
        pose[:, 0], pose[:, 1] = pose[:, 1].copy(), 1 - pose[:, 0]
    looks[:, 0] = (direction - quarters) % DIRECTIONS / (DIRECTIONS - 1) * 2 - 1
    changed = dataclasses.replace(frames, pose=pose, numbers=looks)
    return changed, torch.rot90(pictures, quarters, (2, 3))
