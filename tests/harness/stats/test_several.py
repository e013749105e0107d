"""Several agents on the same cases."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.stats.contingency_tables import cochrans_q

from harness.stats.several import cochran_q, letters, rank_bounds


def test_q_is_that_of_statsmodels() -> None:
    rng = np.random.default_rng(3)
    table = rng.random((60, 4)) < [0.4, 0.5, 0.6, 0.7]
    ours, theirs = cochran_q(table, np.arange(60)), cochrans_q(table)
    assert ours.q == pytest.approx(theirs.statistic)
    assert ours.df == theirs.df == 3
    assert ours.p_chi2 == pytest.approx(theirs.pvalue)
    assert ours.p == pytest.approx(theirs.pvalue, abs=0.01)


def test_of_two_agents_p_is_that_of_mcnemar() -> None:
    table = np.zeros((40, 2), bool)
    table[:9, 0] = table[9:11, 1] = table[20:, :] = True
    assert cochran_q(table, np.arange(40)).p == pytest.approx(
        binomtest(2, 11, 0.5).pvalue, abs=0.01
    )


def test_nothing_tells_equal_agents_apart() -> None:
    found = cochran_q(np.ones((5, 3), bool), np.arange(5))
    assert (found.q, found.p, found.p_chi2) == (0.0, 1.0, 1.0)


def test_cases_of_one_cluster_count_once() -> None:
    table = np.zeros((30, 3), bool)
    table[:, 0] = True
    assert cochran_q(table, np.arange(30)).p < 0.001
    assert cochran_q(table, np.zeros(30)).p == pytest.approx(1 / 3 + 2 / 3, abs=0.01)


def test_the_level_holds_where_cases_depend_on_one_another() -> None:
    rng = np.random.default_rng(8)
    clusters = np.repeat(np.arange(20), 6)
    below = 0
    for _ in range(300):
        table = (rng.random((20, 3)) < 0.6).repeat(6, axis=0)
        flips = rng.random(table.shape) < 0.05
        below += cochran_q(table ^ flips, clusters).p <= 0.05
    assert binomtest(below, 300, 0.05, alternative="greater").pvalue > 0.001


@pytest.mark.parametrize(
    ("pairs", "k", "wanted"),
    [
        ([], 3, ("a", "a", "a")),
        ([(0, 2)], 3, ("a", "ab", "b")),
        ([(0, 1), (0, 2), (1, 2)], 3, ("a", "b", "c")),
        # Eight agents whose pairs overlap.
        ([(0, 6), (0, 7), (1, 6), (1, 7), (2, 6), (2, 7), (3, 6), (3, 7), (4, 6), (5, 6), (5, 7),
          (0, 4)], 8, None),
    ],
)  # fmt: skip
def test_agents_share_a_letter_where_nothing_tells_them_apart(
    pairs: list[tuple[int, int]], k: int, wanted: tuple[str, ...] | None
) -> None:
    differ = np.zeros((k, k), bool)
    for i, j in pairs:
        differ[i, j] = differ[j, i] = True
    found = letters(differ)
    for i in range(k):
        assert found[i]
        for j in range(i + 1, k):
            assert bool(set(found[i]) & set(found[j])) == (not differ[i, j])
    assert wanted is None or found == wanted


def test_random_displays_are_right_and_have_no_idle_letter() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        k = int(rng.integers(2, 9))
        upper = np.triu(rng.random((k, k)) < 0.5, 1)
        differ = upper | upper.T
        found = letters(differ)
        groups = {
            letter: frozenset(i for i in range(k) if letter in found[i])
            for letter in "".join(found)
        }
        for i in range(k):
            for j in range(i + 1, k):
                assert bool(set(found[i]) & set(found[j])) == (not differ[i, j])
        assert not any(a < b for a in groups.values() for b in groups.values())


def test_ranks_lie_between_those_that_are_better_and_worse() -> None:
    better = [[False, True, True], [False, False, False], [False, False, False]]
    assert rank_bounds(better) == [(1, 1), (2, 3), (2, 3)]
    assert rank_bounds([[False] * 4] * 4) == [(1, 4)] * 4
