"""Sums over the episodes of a perturbed run, for each task under each condition.

A run may have 100,000 tasks times conditions: counted one at a time, in Python, their rows would
take a minute.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from harness.stats import Estimate, Interval, paired_bounds
from leaderboards.perturbed_results import ERROR, FAILED, SUCCEEDED, CaseArrays, PlayedCondition
from leaderboards.ratio import ratio_of_means

__all__ = ["ConditionCounts", "differences_of", "retention_of"]

BLOCK = 200_000
"""Tasks whose paired differences are computed together, which bounds the memory."""


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


@functools.lru_cache(maxsize=1 << 16)
def retention_of(pairs: int, before: int, after: int, both: int) -> Estimate | None:
    """ratio_of_means of one task, from its counts in ConditionCounts."""
    controls, perturbed = np.zeros(pairs), np.zeros(pairs)
    controls[:before] = perturbed[:both] = 1
    perturbed[before : before + after - both] = 1
    return ratio_of_means([controls], [perturbed])


def differences_of(
    counts: ConditionCounts, scopes: Iterable[Sequence[PlayedCondition]]
) -> Mapping[tuple[PlayedCondition, ...], Interval]:
    """paired_difference of each scope: of the success rates of the tasks in it that have pairs.

    scopes: the conditions of tasks that have a success. A scope without a pair is left out.
    """
    by_size: dict[int, dict[tuple[PlayedCondition, ...], list[PlayedCondition]]] = {}
    for scope in scopes:
        paired = [each for each in scope if counts.pairs[each]]
        if paired:
            by_size.setdefault(len(paired), {})[tuple(scope)] = paired
    found: dict[tuple[PlayedCondition, ...], Interval] = {}
    for size, several in by_size.items():
        keys, places = list(several), np.array(list(several.values()))
        block = max(1, BLOCK // size)
        for start in range(0, len(keys), block):
            items, conditions = np.moveaxis(places[start : start + block], -1, 0)
            pairs, before, after, both = (
                each[items, conditions].astype(np.float64)
                for each in (counts.pairs, counts.before, counts.after, counts.both)
            )
            losses, wins = before - both, after - both
            # The square of a difference is 1 for every loss and every win.
            low, high = paired_bounds(losses, wins, losses + wins, pairs)
            values = ((wins - losses) / pairs).mean(axis=-1)
            bounds = zip(values.tolist(), low.tolist(), high.tolist())
            found.update(zip(keys[start:], (Interval(*each) for each in bounds)))
    return found
