"""Perturbed images: noise, blur, light, colour, compression, camera pose.

Images are uint8 (H, W) or (H, W, 3), RGB, and keep their shape. Lengths are fractions of the
height, so that a severity means the same at any resolution. Noise, blur, brightness, contrast and
JPEG, and most of their levels, follow ImageNet-C (Hendrycks & Dietterich 2019, arXiv 1903.12261).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.perturb.effects import (
    Body,
    Effect,
    NotApplicable,
    RandomStreams,
    is_camera,
    is_picture,
    need,
)
from harness.perturb.filters import (
    SPAN,
    disc_kernel,
    filtered,
    line_kernel,
    normal_table,
    poisson_table,
)

__all__ = [
    "Brightness", "CameraShift", "CameraZoom", "Contrast", "DefocusBlur", "GaussianNoise", "Hue",
    "ImpulseNoise", "Jpeg", "MotionBlur", "ShotNoise",
]  # fmt: skip


class _Pictures(Effect):
    """Base of effects on images."""

    def __init__(self, streams: RandomStreams, body: Body) -> None:
        super().__init__(streams, body)
        self._views = [
            name for name, spec in body.brief.observation.items() if self.fits(name, spec)
        ]
        if not self._views:
            raise NotApplicable(self.lacking)

    lacking = "there is no picture here"

    def fits(self, name: str, spec: Any) -> bool:
        """Whether the effect changes this view."""
        return is_picture(name, spec)

    def views(self) -> Sequence[str]:
        return self._views


class _Cameras(_Pictures):
    """Base of effects on whatever a camera delivers: images and depth maps."""

    lacking = "there is no camera here"

    def fits(self, name: str, spec: Any) -> bool:
        return is_camera(name, spec)


def _uniform16(streams: RandomStreams, view: str, step: int, count: int) -> np.ndarray:
    """`count` independent uniform uint16 from the step's stream.

    Raw bits of the generator, mapped through a table, cost a tenth of drawing as many Gaussian
    numbers, and noise is drawn for every pixel of every step.
    """
    raw: np.ndarray = streams.step(step, view).bit_generator.random_raw(-(-count // 4))
    return raw.view(np.uint16)[:count]


class GaussianNoise(_Pictures):
    """Independent Gaussian noise in every pixel and channel; `sigma` as a fraction of 255."""

    def __init__(self, streams: RandomStreams, body: Body, sigma: float) -> None:
        super().__init__(streams, body)
        self._table = normal_table(sigma)

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        noise = self._table.take(_uniform16(self.streams, view, step, value.size)).reshape(
            value.shape
        )
        noise += value
        noisy: np.ndarray = np.clip(noise, 0, 255, out=noise).astype(np.uint8)
        return noisy


class ShotNoise(_Pictures):
    """Poisson noise, as of few photons; a white pixel has `photons` on average."""

    def __init__(self, streams: RandomStreams, body: Body, photons: float) -> None:
        super().__init__(streams, body)
        self._table = poisson_table(photons)

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        # One random byte for each pixel and channel picks the quantile.
        raw: np.ndarray = self.streams.step(step, view).bit_generator.random_raw(
            -(-value.size // 8)
        )
        index = value.astype(np.uint16)
        index <<= 8
        index |= raw.view(np.uint8)[: value.size].reshape(value.shape)
        return self._table.take(index)


class ImpulseNoise(_Pictures):
    """Salt and pepper: each pixel is black or white with probability `share`, half of it each."""

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        self._pepper, self._salt = round(share / 2 * SPAN), round((1 - share / 2) * SPAN)

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        draw = _uniform16(self.streams, view, step, value.shape[0] * value.shape[1]).reshape(
            value.shape[:2]
        )
        changed = value.copy()
        changed[draw < self._pepper] = 0
        changed[draw >= self._salt] = 255
        return changed


class MotionBlur(_Pictures):
    """The mean along a line, as of a shaken camera; `length` as a fraction of the height.

    The direction is drawn for each step.
    """

    def __init__(self, streams: RandomStreams, body: Body, length: float) -> None:
        super().__init__(streams, body)
        self._cv2, self._length = need(), length

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        angle = float(self.streams.step(step).random()) * math.pi
        length = max(2.0, self._length * value.shape[0])
        half = length > 12
        return filtered(self._cv2, value, line_kernel(length / 2 if half else length, angle), half)


class DefocusBlur(_Pictures):
    """The mean over a disc, as out of focus; `radius` as a fraction of the height."""

    def __init__(self, streams: RandomStreams, body: Body, radius: float) -> None:
        super().__init__(streams, body)
        self._cv2, self._radius = need(), radius

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        radius = self._radius * value.shape[0]
        half = radius > 4
        return filtered(self._cv2, value, disc_kernel(radius / 2 if half else radius), half)


class Brightness(_Pictures):
    """Brighter or darker by `shift`, a fraction of 255; which of the two is drawn per episode."""

    def __init__(self, streams: RandomStreams, body: Body, shift: float) -> None:
        super().__init__(streams, body)
        sign = 1 if streams.episode().random() < 0.5 else -1
        self._table = np.clip(np.arange(256) + round(sign * shift * 255), 0, 255).astype(np.uint8)

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        return self._table.take(value)


class Contrast(_Pictures):
    """Differences from the mean over all pixels and channels are multiplied by `factor`."""

    def __init__(self, streams: RandomStreams, body: Body, factor: float) -> None:
        super().__init__(streams, body)
        self._factor = factor

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        mean = int(value.sum(dtype=np.int64)) / value.size
        table = np.rint(mean + (np.arange(256) - mean) * self._factor).astype(np.uint8)
        changed: np.ndarray = table.take(value)
        return changed


class Hue(_Pictures):
    """Hues are rotated by `degrees` on the colour circle; greys stay.

    The direction is drawn for each episode.
    """

    lacking = "there is no picture in colour here"

    def __init__(self, streams: RandomStreams, body: Body, degrees: float) -> None:
        super().__init__(streams, body)
        sign = 1 if streams.episode().random() < 0.5 else -1
        self._cv2 = need()
        # OpenCV counts hues in steps of 2 degrees, from 0 to 179.
        self._table = ((np.arange(256) + sign * round(degrees / 2)) % 180).astype(np.uint8)

    def fits(self, name: str, spec: Any) -> bool:
        return is_picture(name, spec) and spec.shape[2:] == (3,)

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        split = self._cv2.cvtColor(value, self._cv2.COLOR_RGB2HSV)
        split[..., 0] = self._table.take(split[..., 0])
        turned: np.ndarray = self._cv2.cvtColor(split, self._cv2.COLOR_HSV2RGB)
        return turned


class Jpeg(_Pictures):
    """Compressed as a JPEG of `quality` (0 to 100) and decompressed."""

    def __init__(self, streams: RandomStreams, body: Body, quality: int) -> None:
        super().__init__(streams, body)
        self._cv2, self._quality = need(), quality

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        cv2 = self._cv2
        colour = value.ndim == 3
        # OpenCV expects BGR: swap the channels, so that JPEG weighs the right ones in its luma.
        _, data = cv2.imencode(
            ".jpg", value[..., ::-1] if colour else value, [cv2.IMWRITE_JPEG_QUALITY, self._quality]
        )
        decoded: np.ndarray = cv2.imdecode(
            data, cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE
        )
        return np.ascontiguousarray(decoded[..., ::-1]) if colour else decoded


class CameraShift(_Cameras):
    """The camera points elsewhere: the image moves by `share` of its height, repeating its edge.

    The direction is drawn for each episode. Moves by whole pixels, so nothing is resampled.
    """

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        angle = float(streams.episode().random()) * 2 * math.pi
        self._move = share * math.cos(angle), share * math.sin(angle)

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        height, width = value.shape[:2]
        x, y = (round(part * height) for part in self._move)
        rows = np.clip(np.arange(height) - y, 0, height - 1)
        columns = np.clip(np.arange(width) - x, 0, width - 1)
        return value.take(rows, axis=0).take(columns, axis=1)


class CameraZoom(_Pictures):
    """The camera is nearer: the middle of the image, enlarged by `factor`, bilinearly."""

    def __init__(self, streams: RandomStreams, body: Body, factor: float) -> None:
        super().__init__(streams, body)
        self._cv2, self._factor = need(), factor

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        height, width = value.shape[:2]
        f = self._factor
        matrix = np.array([[f, 0, (1 - f) * (width - 1) / 2], [0, f, (1 - f) * (height - 1) / 2]])
        cv2 = self._cv2
        zoomed: np.ndarray = cv2.warpAffine(
            value, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return zoomed
