"""The stated chance of catching a forgery is the one that simulated forgers meet."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.detection import allocate, chance_to_catch, forged_count

SIZES = st.lists(st.integers(1, 30), min_size=1, max_size=6)


def missed(sizes: list[int], drawn: list[int], placed: tuple[int, ...]) -> float:
    """The product over strata of C(N - m, n) / C(N, n)."""
    return math.prod(
        math.comb(size - m, n) / math.comb(size, n) for size, n, m in zip(sizes, drawn, placed)
    )


def test_worked_examples() -> None:
    """200 of 5,000 in 50 equal tasks: one of each of 50 forged episodes escapes with 0.96."""
    drawn = allocate([100] * 50, 200)
    assert drawn == [4] * 50
    assert chance_to_catch([100] * 50, drawn, 50) == pytest.approx(1 - 0.96**50)
    assert chance_to_catch([10], [3], 2) == pytest.approx(1 - (7 * 6) / (10 * 9))
    assert chance_to_catch([10], [10], 1) == 1.0
    assert chance_to_catch([10, 10], [0, 5], 10) == 0.0, "all lie where nothing is drawn"
    assert chance_to_catch([10], [3], 0) == 0.0
    assert forged_count(0.01, 300) == 3
    assert forged_count(0.01, 20) == 1


@given(SIZES, st.integers(0, 60))
def test_every_task_is_drawn_from_and_no_share_lags_behind(sizes: list[int], more: int) -> None:
    wanted = len(sizes) + more
    drawn = allocate(sizes, wanted)
    assert sum(drawn) == min(wanted, sum(sizes))
    assert all(1 <= n <= size for n, size in zip(drawn, sizes))
    for (n, size), (other, larger) in itertools.product(zip(drawn, sizes), repeat=2):
        if other > 1 and n < size:
            assert n / size >= (other - 1) / larger, "one fewer there would be one more here"


@given(st.lists(st.integers(1, 6), min_size=1, max_size=3), st.integers(0, 9), st.integers(1, 4))
def test_no_other_placement_is_missed_more_often(sizes: list[int], more: int, forged: int) -> None:
    drawn = allocate(sizes, len(sizes) + more)
    forged = min(forged, sum(sizes))
    placements = itertools.product(*(range(size + 1) for size in sizes))
    worst = max(missed(sizes, drawn, each) for each in placements if sum(each) == forged)
    assert chance_to_catch(sizes, drawn, forged) == pytest.approx(1 - worst)


def test_a_thousand_simulated_checks_catch_as_often_as_stated() -> None:
    sizes, forged, times = [100] * 10 + [20] * 10, 24, 1000
    drawn = allocate(sizes, 120)
    stated = chance_to_catch(sizes, drawn, forged)
    spread = sorted(range(20), key=lambda k: drawn[k] / sizes[k])
    bad = {k: sum(spread[j % 20] == k for j in range(forged)) for k in range(20)}
    rng = np.random.default_rng(0)
    caught = sum(
        any(
            (rng.permutation(size)[:n] < bad[k]).any()
            for k, (size, n) in enumerate(zip(sizes, drawn))
        )
        for _ in range(times)
    )
    tolerance = 4 * math.sqrt(stated * (1 - stated) / times)
    assert abs(caught / times - stated) < tolerance


@pytest.mark.parametrize(("sizes", "wanted"), [([5, 5], 1), ([5, 0], 3)])
def test_what_cannot_be_drawn_is_refused(sizes: list[int], wanted: int) -> None:
    with pytest.raises(ValueError, match="one of each"):
        allocate(sizes, wanted)
    with pytest.raises(ValueError, match="cannot be forged"):
        chance_to_catch([5], [1], 6)
    with pytest.raises(ValueError, match="is none"):
        forged_count(0.0, 5)
