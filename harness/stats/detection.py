"""How likely a sample meets a changed episode, where whoever changed them chose the worst places.

Episodes lie in strata, one for each task. A sample takes a fixed number of each stratum, without
replacement and with equal chances. Whoever forges m episodes knows these numbers, but not which
episodes are drawn, and spreads the m over the strata so that the sample misses them most often.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

__all__ = ["allocate", "chance_to_catch", "forged_count"]


def forged_count(share: float, episodes: int) -> int:
    """The episodes that make up `share` of so many: rounded up, and at least one.

    Raises ValueError unless 0 < share <= 1 and there is an episode.
    """
    if not 0 < share <= 1 or episodes < 1:
        raise ValueError(f"a share of {share:g} of {episodes} episodes is none")
    # 1 % of 300 is 3, although 0.01 * 300 is a little more than that in binary.
    return max(1, math.ceil(share * episodes - 1e-9))


def allocate(sizes: Sequence[int], wanted: int) -> list[int]:
    """How many of each stratum are drawn: at least one, and then as equal a share as there can be.

    `sizes`: episodes of each stratum, all at least 1. The result sums to `wanted`, or to all
    episodes where there are fewer. Raises ValueError if `wanted` is less than one of each stratum.

    Example: `allocate([100, 10], 11) == [10, 1]`.
    """
    if wanted < len(sizes) or min(sizes, default=1) < 1:
        raise ValueError(f"{wanted} episodes are not one of each of {len(sizes)} tasks")
    drawn = [1] * len(sizes)
    # The next one goes where the share drawn is smallest, since that is where a forger would hide.
    smallest = [(1 / size, number) for number, size in enumerate(sizes) if size > 1]
    heapq.heapify(smallest)
    for _ in range(wanted - len(sizes)):
        if not smallest:
            break
        _, number = heapq.heappop(smallest)
        drawn[number] += 1
        if drawn[number] < sizes[number]:
            heapq.heappush(smallest, (drawn[number] / sizes[number], number))
    return drawn


def chance_to_catch(sizes: Sequence[int], drawn: Sequence[int], forged: int) -> float:
    """The chance that a sample meets at least one of `forged` episodes, placed in the worst way.

    The sample misses m of the N episodes of a stratum, n of which are drawn, with
    C(N - m, n) / C(N, n), whose logarithm is the sum of log(1 - n / (N - j)) over j < m. These
    terms fall with j, so giving each forged episode in turn to the stratum with the largest next
    term is the placement that is missed most often.

    Raises ValueError if there are not so many episodes.
    """
    if not 0 <= forged <= sum(sizes):
        raise ValueError(f"{forged} of {sum(sizes)} episodes cannot be forged")
    terms = [(-_term(size, count, 0), number, 0) for number, (size, count) in _pairs(sizes, drawn)]
    heapq.heapify(terms)
    log_missed = 0.0
    for _ in range(forged):
        term, number, placed = heapq.heappop(terms)
        log_missed -= term
        if placed + 1 < sizes[number]:
            following = -_term(sizes[number], drawn[number], placed + 1)
            heapq.heappush(terms, (following, number, placed + 1))
    return -math.expm1(log_missed)


def _pairs(sizes: Sequence[int], drawn: Sequence[int]) -> list[tuple[int, tuple[int, int]]]:
    return [(number, pair) for number, pair in enumerate(zip(sizes, drawn)) if pair[0]]


def _term(size: int, count: int, placed: int) -> float:
    """The logarithm of the chance that a sample that missed `placed` episodes misses one more."""
    left = size - placed
    return math.log1p(-count / left) if count < left else -math.inf
