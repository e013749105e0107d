"""Several agents on the same cases: one test for all of them, and which cannot be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

__all__ = ["CochranQ", "cochran_q", "letters", "rank_bounds"]

DRAWS = 9_999
_SEED = 20_261_129
"""The test of one table gives one p, whenever it is computed."""


@dataclass(frozen=True)
class CochranQ:
    """Cochran's Q of k agents that played the same cases."""

    q: float
    """0 where no case tells the agents apart."""
    df: int
    """k - 1."""
    p_chi2: float
    """By the chi-square distribution: for many independent cases."""
    p: float
    """By permutation: the agents' labels are exchanged within each cluster of cases, so that cases
    that depend on one another count together. It holds for few cases too."""


def cochran_q(successes: np.ndarray, clusters: np.ndarray) -> CochranQ:
    """Whether k agents succeed equally often on the same cases (Cochran 1950, Biometrika 37:256).

    successes: bool, shape (cases, k), k >= 2. clusters: shape (cases,), equal where cases depend on
    one another.

        Q = (k - 1) (k sum of C_j^2 - N^2) / (k N - sum of R_i^2)

    with C_j the successes of an agent, R_i those in a case and N all of them.
    """
    table = np.asarray(successes, np.int64)
    _, k = table.shape
    rows = table.sum(1)
    spread = int(k * rows.sum() - np.square(rows).sum())
    if spread == 0:
        return CochranQ(0.0, k - 1, 1.0, 1.0)
    total = int(rows.sum())
    columns = table.sum(0)
    q = (k - 1) * (k * int(np.square(columns).sum()) - total**2) / spread
    _, where = np.unique(clusters, return_inverse=True)
    sums = np.zeros((where.max() + 1, k), np.int64)
    np.add.at(sums, where, table)
    # Clusters in which all agents succeed equally often stay as they are, however they are named.
    sums = sums[(sums != sums[:, :1]).any(1)]
    fixed = columns - sums.sum(0)
    observed = int(np.square(columns).sum())
    rng = np.random.default_rng(_SEED)
    as_large = 0
    for begin in range(0, DRAWS, 256):
        count = min(256, DRAWS - begin)
        drawn = rng.permuted(np.broadcast_to(sums, (count, *sums.shape)), axis=2).sum(1) + fixed
        as_large += int((np.square(drawn).sum(1) >= observed).sum())
    return CochranQ(q, k - 1, float(chi2.sf(q, k - 1)), (1 + as_large) / (1 + DRAWS))


def letters(differ: np.ndarray) -> tuple[str, ...]:
    """A compact letter display: agents that share a letter cannot be told apart.

    differ: bool, shape (k, k), symmetric. By insertion and absorption (Piepho 2004, J. Comput.
    Graph. Statist. 13:456). The letters run from a in the order of the agents, and after z follow
    A to Z and pairs.
    """
    k = len(differ)
    groups = [frozenset(range(k))]
    for i in range(k):
        for j in range(i + 1, k):
            if not differ[i, j]:
                continue
            split = [
                part
                for group in groups
                for part in ((group - {i}, group - {j}) if {i, j} <= group else (group,))
            ]
            groups = [
                group
                for number, group in enumerate(split)
                if not any(
                    group < other or (group == other and number > place)
                    for place, other in enumerate(split)
                )
            ]
    groups.sort(key=lambda group: (min(group), sorted(group)))
    return tuple(
        "".join(_letter(number) for number, group in enumerate(groups) if agent in group)
        for agent in range(k)
    )


_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _letter(number: int) -> str:
    if number < len(_ALPHABET):
        return _ALPHABET[number]
    high, low = divmod(number - len(_ALPHABET), len(_ALPHABET))
    return f"({_ALPHABET[high % len(_ALPHABET)]}{_ALPHABET[low]})"


def rank_bounds(better: Sequence[Sequence[bool]]) -> list[tuple[int, int]]:
    """For each agent the ranks, best 1, that it may have: (lowest number, highest number).

    better[i][j]: whether i was found to be better than j. Where all pairs are tested so that the
    chance of any false finding is at most alpha, all ranks lie in their bounds with a chance of at
    least 1 - alpha (Mogstad, Romano, Shaikh & Wilhelm 2024, Rev. Econ. Stud. 91:476).
    """
    found = np.asarray(better, bool)
    k = len(found)
    return [(1 + int(found[:, i].sum()), k - int(found[i].sum())) for i in range(k)]
