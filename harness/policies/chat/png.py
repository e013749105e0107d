"""Images as PNG data URLs: standard library and numpy only.

The format is that of https://www.w3.org/TR/png-3/, with 8 bits a sample and no filter.
"""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

__all__ = ["data_url", "encode_png", "shrunk"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KINDS = {1: 0, 3: 2, 4: 6}
"""Channels -> the colour type."""


def shrunk(image: np.ndarray, most: int) -> np.ndarray:
    """`image`, uint8 (H, W) or (H, W, C), with at most `most` px on each side.

    It is divided into squares of the smallest whole size that does, each of which becomes its mean;
    what is left over at the right and at the bottom is cut off.
    """
    factor = -(-max(image.shape[:2]) // most)
    if factor <= 1:
        return image
    height, width = (max(size // factor, 1) for size in image.shape[:2])
    tall, wide = min(factor, image.shape[0]), min(factor, image.shape[1])
    cut = image[: height * tall, : width * wide]
    squares = cut.reshape(height, tall, width, wide, *image.shape[2:])
    return np.asarray(squares.mean(axis=(1, 3)).round(), np.uint8)


def encode_png(image: np.ndarray) -> bytes:
    """A PNG file of a uint8 image: (H, W) or (H, W, 1) gray, (H, W, 3) RGB, (H, W, 4) RGBA.

    Raises ValueError for anything else.
    """
    channels = 1 if image.ndim == 2 else image.shape[-1]
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or channels not in _KINDS:
        raise ValueError(f"an image of {image.dtype} and shape {image.shape} has no PNG")
    height, width = image.shape[:2]
    rows = np.ascontiguousarray(image).reshape(height, width * channels)
    data = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, _KINDS[channels], 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(data, 6)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(name, content) for name, content in parts)


def data_url(image: np.ndarray, most: int) -> str:
    """`data:image/png;base64,...` of an image of at most `most` px on each side."""
    return "data:image/png;base64," + base64.b64encode(encode_png(shrunk(image, most))).decode()


def _chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )
