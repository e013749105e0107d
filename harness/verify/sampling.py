"""Which of a run's episodes are played again.

`Stratified` draws from every task, by hashes of a seed that the checker drew after the run was
handed over. Whoever has the seed draws the same episodes again, with any version of numpy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from harness.records.plan import CaseIndex, Plan
from harness.stats.detection import allocate, chance_to_catch, forged_count

__all__ = ["SHARES", "Draw", "Stratified", "uniform"]

Draw = Callable[[Plan, Sequence[CaseIndex]], Sequence[CaseIndex]]
"""(the plan, its playable cases) -> those that are played again."""
SHARES = (0.01, 0.05, 0.1)
"""Of forged episodes, for which the chance to catch one is told."""


def uniform(
    playable: Sequence[CaseIndex], sample: int | None, rng: np.random.Generator
) -> list[CaseIndex]:
    """`sample` of the cases (None: all), each with the same chance."""
    ordered = sorted(playable)
    if sample is None or sample >= len(ordered):
        return ordered
    return [ordered[k] for k in sorted(rng.permutation(len(ordered))[:sample])]


class Stratified:
    """Draws `sample` cases (None: all), as equal a share of each task as there can be.

    A sample that has fewer cases than there are tasks cannot reach each of them: it is drawn from
    all cases with equal chances. Call it as a Draw; then it knows what it can have missed.
    """

    def __init__(self, seed: str, sample: int | None) -> None:
        self.seed = seed
        self._sample = sample
        self._sizes: list[int] = []
        self._drawn: list[int] = []
        self.by_task: dict[str, tuple[int, int]] = {}
        """Task id -> (drawn, playable)."""

    def __call__(self, plan: Plan, playable: Sequence[CaseIndex]) -> list[CaseIndex]:
        tasks: dict[int, list[CaseIndex]] = {}
        for index in sorted(playable):
            tasks.setdefault(index.item, []).append(index)
        wanted = len(playable) if self._sample is None else min(self._sample, len(playable))
        strata = list(tasks.values()) if wanted >= len(tasks) else [sorted(playable)]
        self._sizes = list(map(len, strata))
        self._drawn = allocate(self._sizes, wanted) if playable and wanted else [0] * len(strata)
        chosen = [
            index
            for cases, count in zip(strata, self._drawn)
            for index in sorted(cases, key=lambda index: self._rank(plan, index))[:count]
        ]
        for item, cases in tasks.items():
            drawn = sum(index.item == item for index in chosen)
            self.by_task[plan.items[item].task.id] = drawn, len(cases)
        return sorted(chosen)

    def _rank(self, plan: Plan, index: CaseIndex) -> bytes:
        place = f"{self.seed} {plan.items[index.item].task.id} {index.condition} {index.episode}"
        return hashlib.blake2b(place.encode(errors="surrogatepass"), digest_size=16).digest()

    def chances(self) -> list[dict[str, Any]]:
        """For each of SHARES: how many episodes that is, and the chance that one of them is drawn.

        At least this chance: whoever changed them knew how many of each task are drawn. A share
        that is the same number of episodes as a smaller one is left out.
        """
        total = sum(self._sizes)
        counts = dict.fromkeys(forged_count(share, total) for share in SHARES if total)
        return [
            {
                "episodes": count,
                "share": count / total,
                "caught": chance_to_catch(self._sizes, self._drawn, count),
            }
            for count in counts
        ]
