"""The chance of success over all axes, by Gaussian-process classification, and where to look next.

The classifier is scikit-learn's (Laplace's approximation, Rasmussen and Williams 2006, ch. 3), with
a Matern kernel whose length along each axis follows from the outcomes. The next places are those
that straddle the border (Bryan et al. 2005): the largest 1.96 s(x) - |m(x) - level|, with m and s
the mean and spread of the latent function. The level alternates between the rate and one on either
side of it: right at a gentle border an episode says least about which side it lies on.
"""

from __future__ import annotations

import functools
import itertools
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit

from harness.core import UserError

__all__ = ["BATCH", "Surface", "check_package", "next_places", "spread_places", "surface_of"]

BATCH = 12
"""Episodes between two looks. It depends on nothing, so that workers change no result."""
CANDIDATES = {1: 128, 2: 1024}
MANY = 2048
"""Candidates with three axes and more."""
WORTH = 20.0
"""The levels beside the rate lie so far from it that the episodes so far could tell them apart."""
NOISE = 4.0
"""The variance of the latent function that one more episode brings: 1 / (p (1 - p)) at p = 1/2."""
SETTLED = 1.959964


def check_package() -> None:
    """Raises UserError where scikit-learn is not installed."""
    try:
        import sklearn.gaussian_process  # noqa: F401
    except ImportError:
        raise UserError(
            "bench probe region needs the package scikit-learn: pip install "
            "'generalist-bench[region]'"
        ) from None


@dataclass(frozen=True)
class Surface:
    """The chance of success over all places."""

    model: Any
    """A fitted GaussianProcessClassifier; None where all outcomes are the same."""
    successes: int
    episodes: int

    def latent(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(mean, standard deviation) of the log-odds of success at places of shape (n, axes)."""
        if self.model is None:
            # All that is known of outcomes that are all the same: the share, with Jeffreys' prior.
            share = (self.successes + 0.5) / (self.episodes + 1)
            spread = 1 / np.sqrt((self.episodes + 1) * share * (1 - share))
            return np.full(len(places), logit(share)), np.full(len(places), spread)
        with _one_thread():
            mean, variance = self.model.latent_mean_and_variance(places)
        return mean, np.sqrt(np.maximum(variance, 1e-9))

    def chance(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(chance of success, low, high) at places of shape (n, axes): a band of 95 % each."""
        mean, spread = self.latent(places)
        bounds = (expit(mean - SETTLED * spread), expit(mean + SETTLED * spread))
        return expit(mean), *bounds

    def lengths(self, axes: int) -> np.ndarray:
        """Over which part of each range the chance changes; a short one is an influential axis."""
        if self.model is None:
            return np.ones(axes)
        return np.broadcast_to(self.model.kernel_.k2.length_scale, axes)


def surface_of(places: np.ndarray, successes: np.ndarray) -> Surface:
    """Fit it to episodes at places of shape (episodes, axes)."""
    from sklearn.gaussian_process import GaussianProcessClassifier
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern

    won = int(successes.sum())
    if not 0 < won < len(successes):
        return Surface(None, won, len(successes))
    axes = places.shape[1]
    kernel = ConstantKernel(4.0, (0.5, 50.0)) * Matern([0.3] * axes, [(0.05, 2.0)] * axes, nu=2.5)
    with _one_thread(), warnings.catch_warnings():
        # A length at its bound is told as a warning, and is what an idle axis has.
        warnings.simplefilter("ignore")
        model = GaussianProcessClassifier(kernel, random_state=0).fit(places, successes.astype(int))
    return Surface(model, won, len(successes))


def spread_places(axes: int, seed: int, first: int, count: int) -> np.ndarray:
    """Places number `first` and on of a sequence that fills all ranges evenly: (count, axes).

    The additive recurrence of the generalised golden ratio (Roberts 2018), shifted by the seed.
    """
    ratio = 2.0
    for _ in range(40):
        ratio = (1 + ratio) ** (1 / (axes + 1))
    steps = ratio ** -np.arange(1.0, axes + 1)
    start = np.random.default_rng(seed).random(axes)
    places: np.ndarray = (start + steps * np.arange(first, first + count)[:, None]) % 1.0
    return places


def next_places(
    places: np.ndarray, successes: np.ndarray, rate: float, seed: int, batch: int
) -> np.ndarray:
    """Where to play batch number `batch`, shape (BATCH, axes), given the episodes before it.

    `places` has the shape (episodes, axes). The same episodes give the same places.
    """
    axes = places.shape[1]
    surface = surface_of(places, successes) if len(places) else Surface(None, 0, 0)
    if surface.model is None:
        return spread_places(axes, seed, batch * BATCH, BATCH)
    candidates = _candidates(axes, seed)
    mean, spread = surface.latent(candidates)
    variance = spread**2
    apart = np.sqrt(WORTH * rate * (1 - rate) / len(places))
    levels = logit(np.clip([rate - apart, rate, rate + apart], 0.05, 0.95))
    chosen: list[int] = []
    for level in itertools.islice(itertools.cycle(levels), BATCH):
        # Rounded, so that the last bits of a processor's arithmetic choose nothing.
        score = np.round(SETTLED * np.sqrt(variance) - np.abs(mean - level), 6)
        score[chosen] = -np.inf
        best = int(np.argmax(score))
        chosen.append(best)
        shared = surface.model.kernel_(candidates, candidates[[best]])[:, 0]
        shared = shared / surface.model.kernel_.k1.constant_value
        covariance = shared * np.sqrt(variance * variance[best])
        variance = np.maximum(variance - covariance**2 / (variance[best] + NOISE), 1e-9)
    return candidates[chosen]


def _candidates(axes: int, seed: int) -> np.ndarray:
    count = CANDIDATES.get(axes, MANY)
    if axes == 1:
        return ((np.arange(count) + 0.5) / count)[:, None]
    return spread_places(axes, seed, 0, count)


def _one_thread() -> Any:
    """Small matrices are fastest so, and the arithmetic is the same on every machine's cores."""
    return _controller().limit(limits=1)


@functools.cache
def _controller() -> Any:
    """Found once: to look for the libraries takes longer than to use them."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
