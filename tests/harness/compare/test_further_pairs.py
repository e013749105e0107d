"""What a number of pairs finds, and how many more would decide; also of unequal numbers."""

from __future__ import annotations

import numpy as np
import pytest

from harness.compare.further_pairs import reach_of, spread_of
from harness.stats import paired_bounds


def changes(sizes: tuple[int, ...], share: float) -> list[np.ndarray]:
    """Tasks with these numbers of pairs, of which this share differ, losses and wins alike."""
    return [
        np.repeat([-1.0, 1.0, 0.0], [half := round(n * share / 2), half, n - 2 * half])
        for n in sizes
    ]


@pytest.mark.parametrize(
    "sizes", [(50, 50, 50), (30, 45, 60), (50, 100), (20,) * 9 + (40,)], ids=str
)
def test_what_is_said_to_be_found_is_found(sizes: tuple[int, ...]) -> None:
    """In 80 of 100 repetitions."""
    spread = spread_of(changes(sizes, 0.2), 1.0)
    assert spread is not None
    loss = spread.detectable(0.05)
    rng = np.random.default_rng(0)
    lost, won = (spread.mean_square + loss) / 2, (spread.mean_square - loss) / 2
    counts = np.stack(
        [rng.multinomial(n, [lost, won, 1 - lost - won], size=600) for n in sizes], axis=1
    ).astype(float)
    _, high = paired_bounds(
        counts[..., 0], counts[..., 1], counts[..., 0] + counts[..., 1], np.array(sizes, float)
    )
    assert 0.74 < np.mean(high < 0) < 0.88


@pytest.mark.parametrize("sizes", [(30, 30), (30, 60)], ids=str)
def test_with_as_many_more_pairs_there_is_a_decision(sizes: tuple[int, ...]) -> None:
    """Also where the true difference is as far from a regress as from a pass."""
    spread = spread_of(changes(sizes, 0.2), 1.0)
    assert spread is not None
    more = spread.further_pairs(0.1, reach_of(0.05))
    assert more is not None
    rng = np.random.default_rng(0)
    grown = np.array([round(n * (1 + more / sum(sizes))) for n in sizes])
    for true in (-0.05, 0.0):
        lost, won = (0.2 - true) / 2, (0.2 + true) / 2
        drawn = [rng.multinomial(n, [lost, won, 0.8], size=400) for n in grown]
        losses, wins, _ = np.moveaxis(np.stack(drawn, axis=1).astype(float), -1, 0)
        low, high = paired_bounds(losses, wins, losses + wins, grown.astype(float))
        assert np.mean((low > -0.1) | (high < 0)) > 0.75


def test_of_very_unequal_numbers_nothing_is_said() -> None:
    assert spread_of(changes((10, 21), 0.2), 1.0) is None
    assert spread_of([], 1.0) is None


def test_shared_seeds_take_as_many_times_more() -> None:
    alone, shared = spread_of(changes((50, 50), 0.2), 1.0), spread_of(changes((50, 50), 0.2), 2.0)
    assert alone is not None
    assert shared is not None
    assert shared.pairs == alone.pairs / 2
    needed = [each.further_pairs(0.05, 2.8) or 0 for each in (alone, shared)]
    assert needed[1] + 100 == pytest.approx(2 * (needed[0] + 100), abs=2)
