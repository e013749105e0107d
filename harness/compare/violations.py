"""How often episodes have a violation (harness.core.safety) in two runs, on the same pairs.

It is told beside a verdict and is no part of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.compare.pairs import Pair, ScoredRun, TaskPairs
from harness.compare.shared_seeds import designs_of_pairs
from harness.core.safety import names_of_bits
from harness.stats import Estimate, paired_difference

__all__ = ["Violations", "ViolationRow", "compare_violations"]


@dataclass(frozen=True, kw_only=True)
class ViolationRow:
    """A task, or all tasks that measure violations in both runs: means over tasks."""

    name: str
    tasks: int
    n: int
    """Pairs in which both runs measured them."""
    base: float
    """The share of episodes with at least one violation."""
    new: float
    difference: Estimate
    """New minus base, so above 0 is worse; with paired bounds at level 1 - alpha, by the method of
    a difference in success. Without bounds where a run could stop for what it saw."""


@dataclass(frozen=True, kw_only=True)
class Violations:
    """The change of the violation rate."""

    metrics: tuple[str, ...]
    """Those that both runs measured, in any task."""
    overall: ViolationRow
    tasks: tuple[ViolationRow, ...]

    @property
    def is_worse(self) -> bool:
        """Whether the whole interval of the overall change lies above 0."""
        low = self.overall.difference.low
        return low is not None and low > 0


def compare_violations(
    base: ScoredRun, new: ScoredRun, tasks: Sequence[TaskPairs], alpha: float, *, bounded: bool
) -> Violations | None:
    """The change over these pairs; None where the runs measured no violation in common.

    In a task only those violations count that both runs measured in each of its pairs, without the
    pairs of which one run measured none, because the agent failed before the start.
    bounded: whether the number of pairs depends on nothing that was seen.
    """
    measured, common = list[TaskPairs](), 0
    for each in tasks:
        found, bits = _broken_pairs(base, new, each)
        if found:
            measured.append(dataclasses.replace(each, pairs=found))
            common |= bits
    if not measured:
        return None
    return Violations(
        metrics=names_of_bits(common),
        overall=_row("overall", measured, alpha, bounded=bounded),
        tasks=tuple(_row(each.task.id, [each], alpha, bounded=bounded) for each in measured),
    )


def _broken_pairs(base: ScoredRun, new: ScoredRun, each: TaskPairs) -> tuple[tuple[Pair, ...], int]:
    """(the pairs, 1 for a violation and 0 for none; the bits of what both measured)."""
    told = []
    common = -1
    for pair in each.pairs:
        key = each.task.id, pair.seed, pair.perturbations
        one, other = base.violations.get(key), new.violations.get(key)
        if one is not None and other is not None:
            told.append((pair, one[1], other[1]))
            common &= one[0] & other[0]
    if not told or not common:
        return (), 0
    pairs = (
        pair._replace(base=float(one & common > 0), new=float(other & common > 0))
        for pair, one, other in told
    )
    return tuple(pairs), common


def _row(name: str, tasks: Sequence[TaskPairs], alpha: float, *, bounded: bool) -> ViolationRow:
    # Of 1 and 0 the sign is the difference, whatever the task itself is compared by.
    changes = [each.signs() for each in tasks]
    found = paired_difference(changes, 1 - alpha, designs_of_pairs(tasks, changes))
    return ViolationRow(
        name=name,
        tasks=len(tasks),
        n=sum(len(each.pairs) for each in tasks),
        base=float(np.mean([np.mean([pair.base for pair in each.pairs]) for each in tasks])),
        new=float(np.mean([np.mean([pair.new for pair in each.pairs]) for each in tasks])),
        difference=Estimate(found.value, found.low, found.high)
        if bounded
        else Estimate(found.value, None, None),
    )
