"""The mean success rate of several tasks with its interval, computed once for the same counts."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from harness.stats import Interval, mean_of_rates, wilson

__all__ = ["mean_rate"]


def mean_rate(successes: Sequence[int], counts: Sequence[int], level: float = 0.95) -> Interval:
    """mean_of_rates; for one task that is Wilson's interval, which is 50 times as fast."""
    return _mean_rate(tuple(successes), tuple(counts), level)


# The controls of a perturbed run are the same under every perturbation.
@functools.lru_cache(maxsize=1 << 12)
def _mean_rate(successes: tuple[int, ...], counts: tuple[int, ...], level: float) -> Interval:
    if len(counts) == 1:
        return wilson(successes[0], counts[0], level)
    return mean_of_rates(successes, counts, level)
