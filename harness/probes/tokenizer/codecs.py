"""Actions as codes, and back: what is left of an action that a policy speaks in tokens.

Every codec works on actions scaled to [0, 1] by the range of each dimension. All of them are
arrays and a few lines of numpy, also those that were learned with torch: an agent that plays
through one needs numpy alone.
"""

from __future__ import annotations

import json
import math
import os
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.core import Box, UserError

__all__ = [
    "ActionRange", "Codec", "Continuous", "Layer", "Residual", "Uniform", "bounded", "decoded",
    "digest_of", "load_codec", "save_codec",
]  # fmt: skip

Layer = tuple[np.ndarray, np.ndarray]
"""The weight (out, in) and the bias (out,) of a linear layer, float32."""
BLOCK = 2048
"""Actions that are encoded at once: their distances to all codes must fit in memory."""


@dataclass(frozen=True, eq=False)
class ActionRange:
    """The range of each dimension, float64 (dims,)."""

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, spec: Box, actions: np.ndarray) -> ActionRange:
        """The spec's bounds; where there are none, the extremes of these actions, (N, dims)."""
        low, high = (limit.astype(np.float64).reshape(-1) for limit in spec.bounds())
        low = np.where(np.isfinite(low), low, actions.min(axis=0))
        high = np.where(np.isfinite(high), high, actions.max(axis=0))
        return cls(low, np.where(high > low, high, low + 1.0))

    @property
    def dims(self) -> int:
        """How many dimensions an action has."""
        return len(self.low)

    def scale(self, actions: np.ndarray) -> np.ndarray:
        """Float64 in [0, 1], from actions of shape (N, dims)."""
        scaled: np.ndarray = np.clip((actions - self.low) / (self.high - self.low), 0.0, 1.0)
        return scaled

    def unscale(self, values: np.ndarray) -> np.ndarray:
        """The inverse of `scale`."""
        found: np.ndarray = self.low + np.clip(values, 0.0, 1.0) * (self.high - self.low)
        return found


def bounded(spec: Box) -> bool:
    """Whether every dimension has finite bounds."""
    return all(bool(np.isfinite(limit).all()) for limit in spec.bounds())


class Codec(ABC):
    """Actions, float64 (N, dims), to codes, int64 (N, tokens), and back."""

    range: ActionRange
    tokens: int
    """Codes of an action."""
    codes: int
    """How many values a code can have; 0: any."""

    @property
    def bits(self) -> float:
        """Bits of an action."""
        return self.tokens * math.log2(self.codes)

    @abstractmethod
    def encode(self, actions: np.ndarray) -> np.ndarray:
        """The codes of these actions."""

    @abstractmethod
    def decode(self, codes: np.ndarray) -> np.ndarray:
        """The actions of these codes, inside the range."""

    def through(self, actions: np.ndarray) -> np.ndarray:
        """What is left of these actions."""
        return self.decode(self.encode(actions))

    @abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """What `save_codec` writes."""


class Continuous(Codec):
    """Nothing is lost: the actions as 32-bit floats. What the others are compared with."""

    codes = 1 << 32

    def __init__(self, range: ActionRange) -> None:
        self.range, self.tokens = range, range.dims

    def encode(self, actions: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(actions, np.float32).view(np.int32).astype(np.int64)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        bits = np.ascontiguousarray(codes, np.int32)
        return bits.view(np.float32).astype(np.float64)

    def arrays(self) -> dict[str, np.ndarray]:
        return {}


class Uniform(Codec):
    """Each dimension in K bins of equal width; a code stands for the middle of its bin."""

    def __init__(self, range: ActionRange, codes: int) -> None:
        self.range, self.tokens, self.codes = range, range.dims, codes

    def encode(self, actions: np.ndarray) -> np.ndarray:
        bins = np.floor(self.range.scale(actions) * self.codes).astype(np.int64)
        found: np.ndarray = np.minimum(bins, self.codes - 1)
        return found

    def decode(self, codes: np.ndarray) -> np.ndarray:
        return self.range.unscale((codes + 0.5) / self.codes)

    def arrays(self) -> dict[str, np.ndarray]:
        return {"codes": np.array(self.codes)}


class Residual(Codec):
    """An encoder, codebooks of which each quantises what those before left over, and a decoder.

    The encoder reads an action in [-1, 1], padded with 0 to its width; of the decoder's output the
    padding is cut off. Between linear layers stands GELU. One codebook is a VQ autoencoder (arXiv
    1711.00937), several are a residual one (arXiv 2107.03312, algorithm 1).
    """

    def __init__(
        self,
        range: ActionRange,
        encoder: Sequence[Layer],
        codebooks: np.ndarray,
        decoder: Sequence[Layer],
    ) -> None:
        """codebooks: float32 (codebooks, codes, width of a code)."""
        self.range, self.encoder, self.decoder = range, tuple(encoder), tuple(decoder)
        self.codebooks = codebooks
        self.tokens, self.codes = codebooks.shape[:2]
        self._squares = np.square(codebooks).sum(axis=-1)

    def encode(self, actions: np.ndarray) -> np.ndarray:
        found = np.empty((len(actions), self.tokens), np.int64)
        for begin in range(0, len(actions), BLOCK):
            values = self.range.scale(actions[begin : begin + BLOCK])
            inputs = np.zeros((len(values), self.encoder[0][0].shape[1]), np.float32)
            inputs[:, : self.range.dims] = 2 * values - 1
            left = _forward(self.encoder, inputs)
            for number, book in enumerate(self.codebooks):
                # |left - code|^2 without |left|^2, which all codes have in common.
                nearest = (self._squares[number] - 2 * left @ book.T).argmin(axis=1)
                found[begin : begin + BLOCK, number] = nearest
                left = left - book[nearest]
        return found

    def decode(self, codes: np.ndarray) -> np.ndarray:
        total = np.zeros((len(codes), self.codebooks.shape[2]), np.float32)
        for number, book in enumerate(self.codebooks):
            total += book[codes[:, number]]
        values = _forward(self.decoder, total)[:, : self.range.dims].astype(np.float64)
        return self.range.unscale((values + 1) / 2)

    def arrays(self) -> dict[str, np.ndarray]:
        layers = {
            f"{part}{number}{kind}": array
            for part, each in (("encoder", self.encoder), ("decoder", self.decoder))
            for number, layer in enumerate(each)
            for kind, array in zip("wb", layer)
        }
        return {"codebooks": self.codebooks, **layers}


def _forward(layers: Sequence[Layer], values: np.ndarray) -> np.ndarray:
    from scipy.special import ndtr

    for number, (weight, bias) in enumerate(layers):
        values = values @ weight.T + bias
        if number < len(layers) - 1:
            values = values * ndtr(values)  # GELU
    return values


def decoded(codec: Codec, spec: Box, actions: np.ndarray) -> np.ndarray:
    """What is left of actions of the spec's shape, (N, *shape), as actions that can be executed."""
    flat = np.asarray(actions, np.float64).reshape(len(actions), -1)
    left = codec.through(flat).astype(spec.dtype).reshape(len(actions), *spec.shape)
    # Clipped: rounding to the spec's dtype may step over a bound.
    return np.clip(left, *spec.bounds())


KINDS: Mapping[str, type[Codec]] = {kind.__name__: kind for kind in (Continuous, Uniform, Residual)}


def save_codec(codec: Codec, file: Path) -> None:
    """Write a codec, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(f".{os.getpid()}.new")
    with temporary.open("wb") as opened:
        np.savez(
            opened,
            kind=np.array(type(codec).__name__),
            low=codec.range.low,
            high=codec.range.high,
            **codec.arrays(),
        )
    os.replace(temporary, file)


def load_codec(file: str | os.PathLike[str]) -> Codec:
    """The codec that `save_codec` wrote. Raises UserError where the file is none."""
    try:
        with open(file, "rb") as raw, np.load(raw, allow_pickle=False) as opened:
            found = {name: opened[name] for name in opened.files}
        limits = ActionRange(found.pop("low"), found.pop("high"))
        kind = KINDS[str(found.pop("kind"))]
        if kind is Uniform:
            return Uniform(limits, int(found["codes"]))
        if kind is Residual:
            parts = (_layers(found, "encoder"), found["codebooks"], _layers(found, "decoder"))
            return Residual(limits, *parts)
        return Continuous(limits)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as wrong:
        raise UserError(
            f"{file} is no codec of `bench probe tokenizer` ({wrong}): remove it, and the same "
            "command makes it again"
        ) from None


def _layers(arrays: Mapping[str, Any], part: str) -> list[Layer]:
    count = sum(name.startswith(part) for name in arrays) // 2
    return [(arrays[f"{part}{k}w"], arrays[f"{part}{k}b"]) for k in range(count)]


def digest_of(*parts: Any) -> bytes:
    """Bytes that differ where any of these JSON values or arrays differs."""
    found = []
    for part in parts:
        if isinstance(part, np.ndarray):
            found += [str((part.dtype, part.shape)).encode(), part.tobytes()]
        else:
            found.append(json.dumps(part, sort_keys=True).encode())
    return b"\0".join(found)
