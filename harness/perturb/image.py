"""Pictures: noise, blur, light, colour, compression, occlusion, a camera that moved, frames that freeze or are lost.

All take and give uint8, (H, W) or (H, W, 3). Lengths are shares of the height, so that a severity means the same in any size. The noises,
blurs, brightness, contrast and JPEG qualities, and most of their levels, follow ImageNet-C (Hendrycks & Dietterich 2019, arXiv 1903.12261).
"""

from __future__ import annotations

import functools
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

__all__ = [
    "Blackout", "Brightness", "CameraShift", "CameraZoom", "Contrast", "DefocusBlur", "DroppedFrames", "FrozenFrames", "GaussianNoise", "Hue",
    "ImpulseNoise", "Jpeg", "MotionBlur", "Occlusion", "ShotNoise",
]  # fmt: skip

SPAN = 65536


class _Pictures(Effect):
    """Changes pictures."""

    def __init__(self, streams: RandomStreams, body: Body) -> None:
        super().__init__(streams, body)
        self._views = [
            name for name, spec in body.brief.observation.items() if self.fits(name, spec)
        ]
        if not self._views:
            raise NotApplicable(self.lacking)

    lacking = "there is no picture here"

    def fits(self, name: str, spec: Any) -> bool:
        """Whether it changes this view."""
        return is_picture(name, spec)

    def views(self) -> Sequence[str]:
        """The pictures on offer."""
        return self._views


class _Cameras(_Pictures):
    """Changes what a camera delivers: pictures and depth maps alike."""

    lacking = "there is no camera here"

    def fits(self, name: str, spec: Any) -> bool:
        """Pictures and depth."""
        return is_camera(name, spec)


def _uniform16(streams: RandomStreams, view: str, step: int, count: int) -> np.ndarray:
    """`count` independent uint16 from the step's stream, at a tenth of the price of as many normal numbers."""
    raw: np.ndarray = streams.step(step, view).bit_generator.random_raw(-(-count // 4))
    return raw.view(np.uint16)[:count]


@functools.lru_cache(maxsize=8)
def _normal_table(sigma: float) -> np.ndarray:
    """uint16 -> a normal deviate of standard deviation sigma * 255, rounded, as int16."""
    from scipy.special import ndtri

    table: np.ndarray = np.rint(ndtri((np.arange(SPAN) + 0.5) / SPAN) * sigma * 255).astype(
        np.int16
    )
    return table


class GaussianNoise(_Pictures):
    """Independent normal noise in every pixel and colour; `sigma` as a share of 255."""

    def __init__(self, streams: RandomStreams, body: Body, sigma: float) -> None:
        super().__init__(streams, body)
        self._table = _normal_table(sigma)

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        """Add and clip."""
        noise = self._table.take(_uniform16(self.streams, view, step, value.size)).reshape(
            value.shape
        )
        noise += value
        noisy: np.ndarray = np.clip(noise, 0, 255, out=noise).astype(np.uint8)
        return noisy


@functools.lru_cache(maxsize=8)
def _poisson_table(photons: float) -> np.ndarray:
    """[intensity * 256 + u]: the quantile (u + 1/2) / 256 of Poisson(photons * intensity / 255) * 255 / photons, as uint8."""
    from scipy.special import pdtr

    quantiles = (np.arange(256) + 0.5) / 256
    table = np.zeros((256, 256), np.uint8)
    for intensity in range(1, 256):
        mean = photons * intensity / 255
        counts = np.arange(int(mean + 8 * math.sqrt(mean) + 10))
        found = np.searchsorted(pdtr(counts, mean), quantiles)
        table[intensity] = np.clip(np.rint(found * 255 / photons), 0, 255)
    return table.ravel()


class ShotNoise(_Pictures):
    """The noise of few photons: Poisson, `photons` for white."""

    def __init__(self, streams: RandomStreams, body: Body, photons: float) -> None:
        super().__init__(streams, body)
        self._table = _poisson_table(photons)

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        """Look up a quantile for every pixel and colour."""
        raw: np.ndarray = self.streams.step(step, view).bit_generator.random_raw(
            -(-value.size // 8)
        )
        index = value.astype(np.uint16)
        index <<= 8
        index |= raw.view(np.uint8)[: value.size].reshape(value.shape)
        return self._table.take(index)


class ImpulseNoise(_Pictures):
    """Salt and pepper: a `share` of the pixels is black or white."""

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        self._pepper, self._salt = round(share / 2 * SPAN), round((1 - share / 2) * SPAN)

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        """Whole pixels."""
        draw = _uniform16(self.streams, view, step, value.shape[0] * value.shape[1]).reshape(
            value.shape[:2]
        )
        changed = value.copy()
        changed[draw < self._pepper] = 0
        changed[draw >= self._salt] = 255
        return changed


class MotionBlur(_Pictures):
    """The camera is shaken: the mean along a line, in a direction of the step's own; `length` as a share of the height."""

    def __init__(self, streams: RandomStreams, body: Body, length: float) -> None:
        super().__init__(streams, body)
        self._cv2, self._length = need(), length

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        """Filter with a line."""
        angle = float(self.streams.step(step).random()) * math.pi
        length = max(2.0, self._length * value.shape[0])
        half = length > 12
        return _filtered(self._cv2, value, _line(length / 2 if half else length, angle), half)


def _filtered(cv2: Any, value: np.ndarray, kernel: np.ndarray, half: bool) -> np.ndarray:
    """Filtered; at half the resolution where asked, which costs a fifth and shows nothing that the blur had left."""
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


def _line(length: float, angle: float) -> np.ndarray:
    """A filter that averages along a centred line of this length, in pixels, with shares for the pixels between which it runs."""
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


class DefocusBlur(_Pictures):
    """Out of focus: the mean over a disc; `radius` as a share of the height."""

    def __init__(self, streams: RandomStreams, body: Body, radius: float) -> None:
        super().__init__(streams, body)
        self._cv2, self._radius = need(), radius

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        """Filter with a disc."""
        radius = self._radius * value.shape[0]
        half = radius > 4
        return _filtered(self._cv2, value, _disc(radius / 2 if half else radius), half)


@functools.lru_cache(maxsize=16)
def _disc(radius: float) -> np.ndarray:
    """A filter that averages over a disc of this radius, in pixels, with shares for the pixels on its rim."""
    reach = math.ceil(radius)
    fine = (np.arange((2 * reach + 1) * 8) + 0.5) / 8 - reach - 0.5
    inside = fine[:, None] ** 2 + fine[None] ** 2 <= max(radius, 0.6) ** 2
    kernel = inside.reshape(2 * reach + 1, 8, 2 * reach + 1, 8).mean(axis=(1, 3))
    disc: np.ndarray = (kernel / kernel.sum()).astype(np.float32)
    return disc


class Brightness(_Pictures):
    """Lighter or darker, the episode's luck says which: `shift` as a share of 255."""

    def __init__(self, streams: RandomStreams, body: Body, shift: float) -> None:
        super().__init__(streams, body)
        sign = 1 if streams.episode().random() < 0.5 else -1
        self._table = np.clip(np.arange(256) + round(sign * shift * 255), 0, 255).astype(np.uint8)

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        """Add and clip."""
        return self._table.take(value)


class Contrast(_Pictures):
    """All differences from the picture's mean are multiplied by `factor`."""

    def __init__(self, streams: RandomStreams, body: Body, factor: float) -> None:
        super().__init__(streams, body)
        self._factor = factor

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        """Scale about the mean."""
        mean = int(value.sum(dtype=np.int64)) / value.size
        table = np.rint(mean + (np.arange(256) - mean) * self._factor).astype(np.uint8)
        changed: np.ndarray = table.take(value)
        return changed


class Hue(_Pictures):
    """Every hue is turned by `degrees` on the colour circle, the episode's luck says in which sense; greys stay."""

    lacking = "there is no picture in colour here"

    def __init__(self, streams: RandomStreams, body: Body, degrees: float) -> None:
        super().__init__(streams, body)
        sign = 1 if streams.episode().random() < 0.5 else -1
        self._cv2 = need()
        self._table = ((np.arange(256) + sign * round(degrees / 2)) % 180).astype(np.uint8)

    def fits(self, name: str, spec: Any) -> bool:
        """Pictures in colour."""
        return is_picture(name, spec) and spec.shape[2:] == (3,)

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        """By way of hue, saturation and value."""
        split = self._cv2.cvtColor(value, self._cv2.COLOR_RGB2HSV)
        split[..., 0] = self._table.take(split[..., 0])
        turned: np.ndarray = self._cv2.cvtColor(split, self._cv2.COLOR_HSV2RGB)
        return turned


class Jpeg(_Pictures):
    """Compressed as JPEG of this `quality` (0 to 100) and decompressed."""

    def __init__(self, streams: RandomStreams, body: Body, quality: int) -> None:
        super().__init__(streams, body)
        self._cv2, self._quality = need(), quality

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        """There and back. Its channels are named blue, green, red; here red comes first, which the same both ways makes no difference but to
        the weights of luma, so they are turned."""
        cv2 = self._cv2
        colour = value.ndim == 3
        _, data = cv2.imencode(
            ".jpg", value[..., ::-1] if colour else value, [cv2.IMWRITE_JPEG_QUALITY, self._quality]
        )
        back: np.ndarray = cv2.imdecode(data, cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE)
        return np.ascontiguousarray(back[..., ::-1]) if colour else back


class Occlusion(_Cameras):
    """Something grey before the camera hides a square of the picture, at the same place all through the episode: `area` is its share.

    The larger squares lie around the smaller ones. In a depth map it is 0, no hit.
    """

    def __init__(self, streams: RandomStreams, body: Body, area: float) -> None:
        super().__init__(streams, body)
        self._side = math.sqrt(area)

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        """Paint it."""
        across, down = self.streams.episode(view).random(2).tolist()
        height, width = value.shape[:2]
        rows, columns = round(height * self._side), round(width * self._side)
        top, left = round((height - rows) * down), round((width - columns) * across)
        changed = value.copy()
        changed[top : top + rows, left : left + columns] = 127 if value.dtype == np.uint8 else 0
        return changed


class CameraShift(_Cameras):
    """The camera looks aside, in one direction all through the episode: the picture moves by `share` of the height, its edge is repeated."""

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        angle = float(streams.episode().random()) * 2 * math.pi
        self._move = share * math.cos(angle), share * math.sin(angle)

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        """Whole pixels, nothing is resampled."""
        height, width = value.shape[:2]
        x, y = (round(part * height) for part in self._move)
        rows = np.clip(np.arange(height) - y, 0, height - 1)
        columns = np.clip(np.arange(width) - x, 0, width - 1)
        return value.take(rows, axis=0).take(columns, axis=1)


class CameraZoom(_Pictures):
    """The camera is nearer: the middle of the picture, enlarged by `factor`."""

    def __init__(self, streams: RandomStreams, body: Body, factor: float) -> None:
        super().__init__(streams, body)
        self._cv2, self._factor = need(), factor

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        """Crop and enlarge, linearly."""
        height, width = value.shape[:2]
        f = self._factor
        matrix = np.array([[f, 0, (1 - f) * (width - 1) / 2], [0, f, (1 - f) * (height - 1) / 2]])
        cv2 = self._cv2
        zoomed: np.ndarray = cv2.warpAffine(
            value, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return zoomed


class FrozenFrames(_Cameras):
    """At each step but the first, with probability `share`, a camera delivers the frame before once more."""

    remembers = True

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        self._share = share
        self._last: dict[str, np.ndarray] = {}

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        """The last frame that was delivered, or this one."""
        if view not in self._last or self.streams.step(step, view).random() >= self._share:
            self._last[view] = value
        return self._last[view]


class DroppedFrames(_Cameras):
    """At each step, with probability `share`, a camera delivers nothing: all zeros."""

    def __init__(self, streams: RandomStreams, body: Body, share: float) -> None:
        super().__init__(streams, body)
        self._share = share

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        """Zeros, or the frame."""
        return (
            np.zeros_like(value) if self.streams.step(step, view).random() < self._share else value
        )


class Blackout(_Cameras):
    """All cameras are dark for `steps` steps (None: for good), from a step between 0 and 9 on."""

    def __init__(self, streams: RandomStreams, body: Body, steps: int | None) -> None:
        super().__init__(streams, body)
        self._first = int(streams.episode().integers(10)) if steps is not None else 0
        self._end = math.inf if steps is None else self._first + steps

    def see(self, view: str, value: np.ndarray, step: int) -> np.ndarray:
        """Zeros, or the frame."""
        return np.zeros_like(value) if self._first <= step < self._end else value
