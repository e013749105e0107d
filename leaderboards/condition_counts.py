"""Sums over the episodes of a perturbed run, for each task under each condition.

A run may have 100,000 tasks times conditions: counted one at a time, in Python, their rows would
take a minute.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

import numpy as np

from harness.stats import Estimate, Interval, paired_bounds, wilson
from harness.stats.intervals import rate_bounds
from leaderboards.perturbed_results import ERROR, FAILED, SUCCEEDED, CaseArrays, PlayedCondition
from leaderboards.ratio import ratio_of_counts
from leaderboards.shared_seeds import (
    designs_of_controls,
    designs_of_differences,
    designs_of_rates,
)

__all__ = ["ConditionCounts", "differences_of", "rates_of", "retentions_of"]

BLOCK = 200_000
"""Tasks whose intervals are computed together, which bounds the memory."""
_Scope = tuple[PlayedCondition, ...]
"""Tasks, each under a condition, whose figures are taken together."""


class ConditionCounts:
    """Counts of episodes; each is an array of shape (items, conditions)."""

    def __init__(self, arrays: CaseArrays) -> None:
        shape = len(arrays.state), len(arrays.plan.conditions)
        self.n, self.errors, self.agent_errors, self.wins = (np.zeros(shape, int) for _ in range(4))
        self.whole, self.steps = np.zeros(shape, int), np.zeros(shape, int)
        """Episodes that no error of the agent cut short, and their steps."""
        self.pairs, self.before, self.after, self.both = (np.zeros(shape, int) for _ in range(4))
        """Pairs of a case and its control, and in how many of them the control succeeded, the
        perturbed case, and both."""
        self.burst, self.recovered = np.zeros(shape, int), np.zeros(shape, int)
        """Pairs in which a burst took place and the control succeeded; and the case, too."""
        self.is_prefix = np.ones(shape, bool)
        """Whether the cases with a result are the first of the plan, and those of the control."""
        for item, state in enumerate(arrays.state):
            seen, won = state >= FAILED, state == SUCCEEDED
            if not seen.any() and not (state == ERROR).any():
                continue
            whole, paired = seen & ~arrays.agent_error[item], seen & seen[0]
            control, burst = paired & won[0], paired & won[0] & arrays.burst[item]
            for counts, found in (
                (self.n, seen),
                (self.errors, state == ERROR),
                (self.agent_errors, arrays.agent_error[item]),
                (self.wins, won),
                (self.whole, whole),
                (self.steps, np.where(whole, arrays.steps[item], 0)),
                (self.pairs, paired),
                (self.before, control),
                (self.after, paired & won),
                (self.both, control & won),
                (self.burst, burst),
                (self.recovered, burst & won),
            ):
                counts[item] = found.sum(axis=1)
            first = (seen[:, 1:] <= seen[:, :-1]).all(axis=1)
            self.is_prefix[item] = first & first[0]


_Designs = Callable[[CaseArrays, _Scope], np.ndarray]
"""The design effects of the tasks of a scope, shape (tasks,)."""


def rates_of(
    arrays: CaseArrays, counts: ConditionCounts, scopes: Iterable[_Scope]
) -> dict[_Scope, Interval]:
    """mean_of_rates of the tasks in each scope that have a result; Wilson's for a single one."""
    found: dict[_Scope, Interval] = {}
    for keys, (n, wins), designs in _blocks(
        arrays, scopes, (designs_of_rates,), counts.n, counts.wins
    ):
        rates = wins / n
        if n.shape[-1] == 1:
            found.update(zip(keys, map(_wilson, wins[:, 0].tolist(), n[:, 0].tolist())))
        else:
            bounds = rate_bounds(rates, n / designs)
            found.update(zip(keys, _intervals(rates.mean(axis=-1), *bounds)))
    return found


# Many tasks have the same counts, and then share an interval.
_wilson = functools.lru_cache(maxsize=1 << 16)(wilson)


def differences_of(
    arrays: CaseArrays, counts: ConditionCounts, scopes: Iterable[_Scope]
) -> dict[_Scope, Interval]:
    """paired_difference of the success rates of the tasks in each scope that have pairs."""
    found: dict[_Scope, Interval] = {}
    every = counts.pairs, counts.before, counts.after, counts.both
    kinds = (designs_of_differences,)
    for keys, (pairs, before, after, both), designs in _blocks(arrays, scopes, kinds, *every):
        losses, wins = before - both, after - both
        scaled = losses / designs, wins / designs, pairs / designs
        low, high = _of_different(_difference_bounds, *scaled)
        found.update(zip(keys, _intervals(((wins - losses) / pairs).mean(axis=-1), low, high)))
    return found


def retentions_of(
    arrays: CaseArrays, counts: ConditionCounts, scopes: Iterable[_Scope]
) -> dict[_Scope, Estimate]:
    """ratio_of_counts of the tasks in each scope that have pairs, unless no control succeeds.

    Its counts are divided by the largest of three design effects: of the controls, of the perturbed
    cases and of their differences.
    """
    found: dict[_Scope, Estimate] = {}
    every = counts.pairs, counts.before, counts.after, counts.both
    kinds = (designs_of_controls, designs_of_rates, designs_of_differences)
    for keys, counted, designs in _blocks(arrays, scopes, kinds, *every):
        figures = _of_different(ratio_of_counts, *(each / designs for each in counted))
        rows = zip(*(each.tolist() for each in figures))
        for key, (ratio, low, high) in zip(keys, rows):
            if not math.isnan(ratio):
                found[key] = Estimate(ratio, low, None if math.isnan(high) else high)
    return found


def _difference_bounds(
    losses: np.ndarray, wins: np.ndarray, pairs: np.ndarray
) -> tuple[np.ndarray, ...]:
    # The square of a difference is 1 for every loss and every win.
    return paired_bounds(losses, wins, losses + wins, pairs)


def _of_different(
    compute: Callable[..., tuple[np.ndarray, ...]], *counts: np.ndarray
) -> list[np.ndarray]:
    """What `compute` gives for counts of shape (scopes, tasks), computed once for equal scopes.

    Many single tasks have the same counts.
    """
    if counts[0].shape[-1] > 1:
        return list(compute(*counts))
    rows, which = np.unique(np.concatenate(counts, axis=-1), axis=0, return_inverse=True)
    return [each[which.ravel()] for each in compute(*np.split(rows, len(counts), axis=-1))]


def _intervals(*figures: np.ndarray) -> Iterator[Interval]:
    return (Interval(*row) for row in zip(*(each.tolist() for each in figures)))


def _blocks(
    arrays: CaseArrays, scopes: Iterable[_Scope], kinds: Sequence[_Designs], *counts: np.ndarray
) -> Iterator[tuple[list[_Scope], list[np.ndarray], np.ndarray]]:
    """(scopes of equally many tasks, their counts, their largest design effects).

    Both of shape (scopes, tasks). Tasks whose first count is 0 are left out.
    """
    by_size: dict[int, dict[_Scope, _Scope]] = {}
    for scope in scopes:
        counted = tuple(each for each in scope if counts[0][each])
        if counted:
            by_size.setdefault(len(counted), {})[scope] = counted
    for size, several in by_size.items():
        flat = chain.from_iterable(chain.from_iterable(several.values()))
        keys, places = list(several), np.fromiter(flat, int).reshape(-1, size, 2)
        designs = np.ones((len(keys), size))
        if size > 1:
            for row, counted in zip(designs, several.values()):
                row[:] = np.max([each(arrays, counted) for each in kinds], axis=0)
        block = max(1, BLOCK // size)
        for start in range(0, len(keys), block):
            chosen = slice(start, start + block)
            items, conditions = np.moveaxis(places[chosen], -1, 0)
            yield keys[chosen], [each[items, conditions] for each in counts], designs[chosen]
