"""Noise tables and blur kernels of the image perturbations: pure functions."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

__all__ = ["SPAN", "disc_kernel", "filtered", "line_kernel", "normal_table", "poisson_table"]

SPAN = 65536
"""The number of different uint16 values."""


@functools.lru_cache(maxsize=8)
def normal_table(sigma: float) -> np.ndarray:
    """Quantiles of the normal distribution with standard deviation sigma * 255.

    int16 (65536,): entry u is the quantile (u + 1/2) / 65536, rounded.
    """
    from scipy.special import ndtri

    table: np.ndarray = np.rint(ndtri((np.arange(SPAN) + 0.5) / SPAN) * sigma * 255).astype(
        np.int16
    )
    return table


@functools.lru_cache(maxsize=8)
def poisson_table(photons: float) -> np.ndarray:
    """Quantiles of the Poisson distribution for each intensity.

    uint8 (65536,): entry intensity * 256 + u is the quantile (u + 1/2) / 256 of
    Poisson(photons * intensity / 255), times 255 / photons, clipped to 255.
    """
    from scipy.special import pdtr

    quantiles = (np.arange(256) + 0.5) / 256
    table = np.zeros((256, 256), np.uint8)
    for intensity in range(1, 256):
        mean = photons * intensity / 255
        counts = np.arange(int(mean + 8 * math.sqrt(mean) + 10))
        found = np.searchsorted(pdtr(counts, mean), quantiles)
        table[intensity] = np.clip(np.rint(found * 255 / photons), 0, 255)
    return table.ravel()


def filtered(cv2: Any, value: np.ndarray, kernel: np.ndarray, half: bool) -> np.ndarray:
    """The filtered image, of the same shape.

    `half`: filter at half the resolution; `kernel` must then be half as large. This costs a fifth,
    and the detail that is lost would not have survived the blur.
    """
    height, width = value.shape[:2]
    small = (
        cv2.resize(value, (-(-width // 2), -(-height // 2)), interpolation=cv2.INTER_AREA)
        if half
        else value
    )
    blurred: np.ndarray = cv2.filter2D(small, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    whole: np.ndarray = (
        cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR) if half else blurred
    )
    return whole


def line_kernel(length: float, angle: float) -> np.ndarray:
    """A kernel, float32, that averages along a centred line of `length` px at `angle` radians.

    Points of the line between pixels are distributed over them bilinearly.
    """
    reach = math.ceil(length / 2) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    along = np.linspace(-length / 2, length / 2, 2 * math.ceil(length) + 1)
    x, y = reach + along * math.cos(angle), reach + along * math.sin(angle)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for right, down in ((0, 0), (0, 1), (1, 0), (1, 1)):
        weight = (x - left if right else left + 1 - x) * (y - top if down else top + 1 - y)
        np.add.at(kernel, (top + down, left + right), weight)
    line: np.ndarray = (kernel / kernel.sum()).astype(np.float32)
    return line


@functools.lru_cache(maxsize=16)
def disc_kernel(radius: float) -> np.ndarray:
    """A kernel, float32, that averages over a disc of `radius` px.

    Pixels on the rim weigh as much as the part of them that lies inside, on an 8 x 8 grid.
    """
    reach = math.ceil(radius)
    fine = (np.arange((2 * reach + 1) * 8) + 0.5) / 8 - reach - 0.5
    inside = fine[:, None] ** 2 + fine[None] ** 2 <= max(radius, 0.6) ** 2
    kernel = inside.reshape(2 * reach + 1, 8, 2 * reach + 1, 8).mean(axis=(1, 3))
    disc: np.ndarray = (kernel / kernel.sum()).astype(np.float32)
    return disc
