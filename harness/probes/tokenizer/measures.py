"""How much of an action a codec loses, on actions that it was not learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.probes.tokenizer.codecs import ActionRange, Codec

__all__ = ["Loss", "loss_of", "perplexity", "sign_flips"]


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What is lost. Errors are in parts of the range of their dimension."""

    actions: int
    mse: float
    """The mean over actions and dimensions of the squared error."""
    p99: tuple[float, ...]
    """Of each dimension, the 99th percentile of the absolute error."""
    flips: tuple[int, ...]
    """Of each dimension, the actions whose sign is lost."""
    signed: tuple[int, ...]
    """Of each dimension, the actions that have a sign."""
    perplexity: float
    """The mean over the codes of an action; see `perplexity`."""

    @property
    def worst_p99(self) -> float:
        """Of the worst dimension."""
        return max(self.p99)

    def flipped(self, dims: tuple[int, ...]) -> tuple[int, int]:
        """(flips, actions that have a sign) of these dimensions together."""
        return sum(self.flips[k] for k in dims), sum(self.signed[k] for k in dims)


def loss_of(codec: Codec, actions: np.ndarray) -> Loss:
    """What the codec loses of these actions, float64 (N, dims)."""
    codes = codec.encode(actions)
    left = codec.decode(codes)
    width = codec.range.high - codec.range.low
    errors = np.abs(left - actions) / width
    flips, signed = sign_flips(codec.range, actions, left)
    return Loss(
        actions=len(actions),
        mse=float(np.square(errors).mean()),
        p99=tuple(float(each) for each in np.quantile(errors, 0.99, axis=0)),
        flips=tuple(int(each) for each in flips),
        signed=tuple(int(each) for each in signed),
        perplexity=float(np.mean([perplexity(column) for column in codes.T])),
    )


def sign_flips(
    range: ActionRange, actions: np.ndarray, left: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(flips, actions that have a sign) of each dimension, (dims,).

    An action has a sign where it does not lie in the very middle of the range, and keeps it where
    what is left of it lies on the same side.
    """
    middle = (range.low + range.high) / 2
    before, after = np.sign(actions - middle), np.sign(left - middle)
    has = before != 0
    return (has & (before != after)).sum(axis=0), has.sum(axis=0)


def perplexity(codes: np.ndarray) -> float:
    """exp of the entropy of the codes in use, (N,): as many equally frequent codes tell as much."""
    _, counts = np.unique(codes, return_counts=True)
    shares = counts / counts.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))
