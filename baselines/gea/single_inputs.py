"""The rows of one step's inputs for `nano` on a CPU, in few operations: see single.py.

What `Backbone.encode_inputs` computes for a batch by the encoders' own code, up to rounding.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.gea.nano import Nano
from baselines.gea.prompt import StepInputs
from baselines.learning.encoders import FREQUENCIES, RARE, SPOTS, CellEncoder, NumberEncoder
from baselines.learning.views import CODES

__all__ = ["InputRows"]


class InputRows:
    """Rows of inputs, of a model whose weights stay as they are."""

    def __init__(self, nano: Nano) -> None:
        self._nano = nano
        with torch.no_grad():
            self._numbers = _Numbers(nano.number_encoder)
            self._cells = _Cells(nano.cell_encoder)

    def of(self, step: StepInputs, past: bool) -> np.ndarray:
        """float32 (n, width): images, grids, numbers. They are made once for a step.

        `past`: as they are in the context of later steps.
        """
        known = step.features.get("single")
        if known is None:
            known = step.features["single"] = self._made(step)
        rows: np.ndarray = known[past]
        return rows

    def _made(self, step: StepInputs) -> tuple[np.ndarray, np.ndarray]:
        """The rows of a step, and what is left of them once the step is an earlier one."""
        others = [self._cells.rows(cells) for cells in step.cells]
        if len(step.numbers):
            others.append(self._numbers.row(step.numbers))
        if not step.images:
            rows = np.concatenate(others) if others else np.zeros((0, self._nano.width), np.float32)
            return rows, rows
        earlier = [step.images_before(place) for place in range(len(step.images))]
        images, _ = self._nano.encode_images(step.images, earlier)
        short = [self._nano.shorten(image) for image in images]
        return (
            np.concatenate([image.numpy() for image in images] + others),
            np.concatenate([image.numpy() for image in short] + others),
        )


class _Numbers:
    """A NumberEncoder that reads of its matrix only the columns of numbers that are there."""

    def __init__(self, encoder: NumberEncoder) -> None:
        first, _, second = encoder.net
        assert isinstance(first, nn.Linear)
        assert isinstance(second, nn.Linear)
        self._size = encoder.size
        # (blocks, size, made): features of a number stand in blocks of `size`
        self._first = first.weight.detach().view(len(first.weight), -1, encoder.size).clone()
        self._first_bias, self._second = first.bias, (second.weight, second.bias)
        scale = np.pi * 2.0 ** np.arange(FREQUENCIES)
        self._angles = scale.astype(np.float32)[:, None]
        # An episode's number of numbers never changes, and few tasks are played at a time.
        self._columns = functools.lru_cache(maxsize=8)(self._columns_of)

    def _columns_of(self, count: int) -> Tensor:
        return self._first[:, :, :count].flatten(1).contiguous()

    def row(self, numbers: np.ndarray) -> np.ndarray:
        """float32 (1, width), from float32 (n,)."""
        values = numbers[: self._size]
        count = len(values)
        features = np.empty((2 + 2 * FREQUENCIES, count), np.float32)
        np.divide(values, 1 + np.abs(values), out=features[0])
        features[1] = 1
        angles = values * self._angles
        np.sin(angles, out=features[2 : 2 + FREQUENCIES])
        np.cos(angles, out=features[2 + FREQUENCIES :])
        given = torch.from_numpy(features.reshape(1, -1))
        hidden = F.gelu(F.linear(given, self._columns(count), self._first_bias))
        row: np.ndarray = F.linear(hidden, *self._second).numpy()
        return row


class _Cells:
    """A CellEncoder whose convolutions are products of gathered cells."""

    def __init__(self, encoder: CellEncoder) -> None:
        convolutions = [each for each in encoder.net if isinstance(each, nn.Conv2d)]
        self._embedding = encoder.embedding.weight.detach().numpy().copy()
        self._convolutions = [
            (each.weight.detach().permute(0, 2, 3, 1).flatten(1).contiguous(), each.bias)
            for each in convolutions
        ]
        self._place, self._spot = (
            each.weight.detach().numpy().copy() for each in (encoder.place, encoder.spot)
        )
        self._out = encoder.out.weight.detach(), encoder.out.bias.detach()
        self._object = encoder.object.weight.detach(), encoder.object.bias.detach()

    def rows(self, cells: np.ndarray) -> np.ndarray:
        """float32 (n, width): surroundings, then objects, of uint8 (W, H, C)."""
        wide, high, channels = cells.shape
        codes = cells.reshape(-1, channels).astype(np.int64)
        embedded = self._embedding[codes + CODES * np.arange(channels)].sum(1)
        mixed = embedded
        for around, (weight, bias) in zip(_surroundings(wide, high), self._convolutions):
            gathered = torch.from_numpy(mixed[around].reshape(len(around), -1))
            mixed = F.gelu(F.linear(gathered, weight, bias)).numpy()
        mixed = mixed + self._place[np.arange(len(mixed)) % len(self._place)]
        keys = codes @ (CODES ** np.arange(channels))
        rare = np.flatnonzero((keys[:, None] == keys).sum(1) <= RARE)
        named = embedded[rare] + self._spot[rare % SPOTS]
        return np.concatenate(
            [
                F.linear(torch.from_numpy(mixed), *self._out).numpy(),
                F.linear(torch.from_numpy(named), *self._object).numpy(),
            ]
        )


@functools.lru_cache(maxsize=64)
def _surroundings(wide: int, high: int) -> tuple[np.ndarray, np.ndarray]:
    """int64 (n, 9) each: for two convolutions of 3 x 3 one after the other, which cells they read.

    Cells are counted along the second axis first.
    """
    found = []
    for _ in range(2):
        cells = np.arange(wide * high).reshape(wide, high)
        windows = np.lib.stride_tricks.sliding_window_view(cells, (3, 3))
        found.append(windows.reshape(-1, 9))
        wide, high = wide - 2, high - 2
    return found[0], found[1]
