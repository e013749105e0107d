"""How often the p-values and intervals of `bench probe alignment` are wrong.

    python -m calibration.alignment        in the folder tests; five minutes of one core

Independent embeddings, of which both tell the group of a sentence: how often is p at most 0.05?
Then two sides that are a reference plus noise: how often does the interval of the difference of
their precisions hold what other sentences reach that go through the same maps?
"""

from __future__ import annotations

import numpy as np

from harness.probes.alignment.measures import align, design_of, hits
from harness.stats import paired_difference

TRIALS = 300
FRESH = 40
"""Further sets of sentences that go through the maps of a trial, for each fold."""


def level(n: int, widths: tuple[int, int], within: bool) -> dict[str, float]:
    """How often p is at most 0.05, by figure."""
    wrong: dict[str, list[bool]] = {"P@1": [], "RSA": [], "CKA": []}
    names = [f"{k % 3}" for k in range(n)]
    for seed in range(TRIALS):
        rng = np.random.default_rng([seed, n, *widths])
        told = 5.0 * np.eye(3)[[k % 3 for k in range(n)]] if within else np.zeros((n, 3))
        x, y = (np.hstack([told, rng.normal(size=(n, width))]) for width in widths)
        design = design_of(names, within=within, permutations=39, seed=seed)
        found = align(x, y, design, (1,), 50)
        figures = (found.precision[1], found.rsa, found.cka)
        for name, figure in zip(wrong, figures):
            assert figure is not None
            wrong[name].append(figure.p <= 0.05)
    return {name: float(np.mean(each)) for name, each in wrong.items()}


def coverage(n: int, width: int, noises: tuple[float, float], k: int) -> float:
    """How often the interval holds the difference that other sentences reach with these maps."""
    held = []
    for seed in range(TRIALS):
        rng = np.random.default_rng([seed, n, width])
        reference, sides = _drawn(rng, n, width, noises)
        change, truth = np.empty(n), []
        for fold in range(5):
            out = np.arange(n) % 5 == fold
            maps = []
            for side in sides:
                left, _, right = np.linalg.svd(side[~out].T @ reference[~out])
                maps.append(left @ right)
            change[out] = _difference(maps, [side[out] for side in sides], reference[out], k)
            for _ in range(FRESH):
                others, theirs = _drawn(rng, int(out.sum()), width, noises)
                truth.append(_difference(maps, theirs, others, k).mean())
        found = paired_difference([change])
        held.append(found.low <= np.mean(truth) <= found.high)
    return float(np.mean(held))


def _drawn(
    rng: np.random.Generator, n: int, width: int, noises: tuple[float, float]
) -> tuple[np.ndarray, list[np.ndarray]]:
    reference = rng.normal(size=(n, width))
    return reference, [reference + noise * rng.normal(size=(n, width)) for noise in noises]


def _difference(
    maps: list[np.ndarray], sides: list[np.ndarray], reference: np.ndarray, k: int
) -> np.ndarray:
    one, other = (hits(_unit(side @ map) @ _unit(reference).T, k) for side, map in zip(sides, maps))
    return one - other


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


if __name__ == "__main__":
    for n, widths, within in (
        (24, (5, 40), False), (24, (5, 40), True), (60, (60, 60), False), (60, (60, 60), True)
    ):  # fmt: skip
        print("level", n, widths, "within" if within else "across", level(n, widths, within))
    for n, width, noises, k in (
        (50, 8, (1.0, 1.0), 1), (50, 8, (0.6, 1.5), 1), (50, 8, (1.0, 30.0), 1),
        (50, 40, (1.0, 1.0), 1), (150, 20, (0.6, 1.5), 1), (150, 20, (1.0, 1.0), 10),
    ):  # fmt: skip
        print("coverage", n, width, noises, f"P@{k}", coverage(n, width, noises, k), flush=True)
