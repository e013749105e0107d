"""The gate's sequential test: whole rounds of one value a task come in, and after each it may say how it ends (see harness/stats/sequential.py)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.compare.pairs import TaskPairs
from harness.compare.verdict import Comparison, GroupRow, PairRow, compare_pairs, more_pairs, pool
from harness.stats import anytime_mean, holm
from harness.stats.sequential import FRACTIONS, log_stakes

__all__ = ["SequentialTest", "compare_anytime", "patience"]


class SequentialTest:
    """Paired differences in [-1, 1], a value a task and round. All three tests hold at every look, each at level alpha / 2:

    pass      the mean over tasks exceeds -margin
    regress   the mean over tasks is below 0
    worse     a task's own mean is below 0, corrected for the number of tasks by Holm

    A stake that once was large enough stays so. An early pass waits for two things, which can only make it rarer: the round in which a task that
    lost every case would have been found (`patience`), and every task that its own test, uncorrected, holds for worse.
    """

    def __init__(self, means: Sequence[bool], margin: float, alpha: float) -> None:
        """means: whether each task is in the mean; one with raw scores only has its own test alone."""
        self._means = np.asarray(means, dtype=bool)
        self._margin, self._alpha = margin, alpha
        self._stakes = {"pass": np.zeros(len(FRACTIONS)), "regress": np.zeros(len(FRACTIONS))}
        self._task_stakes = np.zeros((len(means), len(FRACTIONS)))
        self._most = {"pass": -math.inf, "regress": -math.inf}
        self._task_most = np.full(len(means), -math.inf)
        self._task_now = np.zeros(len(means))
        self._patience = patience(len(means), alpha)
        self.rounds = 0

    def add(self, differences: np.ndarray) -> None:
        """One whole round, shape (tasks,)."""
        values = (1 + np.asarray(differences, dtype=np.float64)) / 2
        self.rounds += 1
        own = values[self._means][None, :]
        if own.size:
            for name, side, mean in (
                ("pass", own, (1 - self._margin) / 2),
                ("regress", 1 - own, 0.5),
            ):
                self._stakes[name] += log_stakes(side, mean)[0]
                self._most[name] = max(self._most[name], float(_total(self._stakes[name])))
        self._task_stakes += log_stakes((1 - values)[:, None, None], np.full(len(values), 0.5))[
            :, 0
        ]
        self._task_now = _total(self._task_stakes)
        self._task_most = np.maximum(self._task_most, self._task_now)

    def task_p(self) -> np.ndarray:
        """One-sided p-values of a loss, by task, valid at every look."""
        p: np.ndarray = np.minimum(1.0, np.exp(-np.maximum(self._task_most, 0.0)))
        return p

    def worse(self) -> list[int]:
        """The tasks that are significantly worse after Holm."""
        return [task for task, p in enumerate(holm(self.task_p().tolist())) if p <= self._alpha / 2]

    def look(self, *, last: bool = False) -> str | None:
        """`pass` or `regress` if this round decides, or None; `last`: no further round will come, so a pass need not wait."""
        threshold = math.log(2 / self._alpha)
        if self.worse():
            return "regress"
        if self._most["pass"] >= threshold:
            waits = self.rounds < self._patience or bool(
                (self._task_now >= math.log(1 / self._alpha)).any()
            )
            return "pass" if last or not waits else None
        return "regress" if self._most["regress"] >= threshold else None


def _total(stakes: np.ndarray) -> np.ndarray:
    total: np.ndarray = np.logaddexp.reduce(stakes, axis=-1) - math.log(len(FRACTIONS))
    return total


def patience(tasks: int, alpha: float) -> int:
    """The round in which a task that lost every case of many is found to be worse."""
    rounds = 1
    while float(_total(rounds * np.log1p(FRACTIONS))) < math.log(2 * tasks / alpha):
        rounds += 1
    return rounds


def compare_anytime(
    tasks: Sequence[TaskPairs], differences: np.ndarray, margin: float, alpha: float, *, last: bool
) -> Comparison:
    """The comparison after whole rounds, shape (rounds, tasks), of which `tasks` holds the pairs; its intervals and p-values hold at every look."""
    fixed = compare_pairs(tasks, margin, alpha)
    means = [each.measure != "sign" for each in tasks]
    test = SequentialTest(means, margin, alpha)
    decided = None
    for each in differences:
        test.add(each)
        decided = decided or test.look()
    decided = decided or test.look(last=last)
    worse = test.worse()
    p, adjusted = test.task_p(), holm(test.task_p().tolist())
    rows = tuple(
        _task(row, differences[:, k], float(p[k]), adjusted[k], k in worse, margin, alpha)
        for k, row in enumerate(fixed.tasks)
    )
    chosen = {
        domain.name: [
            k for k, row in enumerate(fixed.tasks) if means[k] and row.domain == domain.name
        ]
        for domain in fixed.domains
    }
    overall = _mean(fixed.overall, differences[:, means], alpha) if fixed.overall else None
    low, high = (overall.low, overall.high) if overall else (-1.0, 1.0)
    if fixed.missing:
        verdict, why = "none", fixed.why
    elif decided == "regress" and worse:
        names = [rows[k].task for k in worse]
        verdict, why = (
            "regress",
            f"{f'{len(names)} tasks are' if len(names) > 1 else f'{names[0]} is'} significantly worse after correction",
        )
    elif decided == "regress":
        verdict, why = (
            "regress",
            f"the mean difference is below 0 ({100 * high:+.1f} points at most, at every look)",
        )
    elif decided == "pass":
        verdict, why = (
            "pass",
            f"the mean difference is above {-100 * margin:+.1f} points ({100 * low:+.1f} at least, at every look), no task is worse",
        )
    else:
        verdict, why = (
            "inconclusive",
            f"the mean difference may lie anywhere from {100 * low:+.1f} to {100 * high:+.1f} points",
        )
    pooled = pool(tasks)
    # Where the best fraction's stake grows by mean^2 / (2 spread) a pair, it takes so many standard errors.
    reach = math.sqrt(2 * math.log(2 * len(FRACTIONS) / alpha))
    return replace(
        fixed,
        verdict=verdict,
        why=why,
        method="anytime",
        overall=overall,
        domains=tuple(
            _mean(domain, differences[:, chosen[domain.name]], alpha) for domain in fixed.domains
        ),
        perturbations=(),
        improvement=None,
        tasks=rows,
        worse=tuple(rows[k].task for k in worse),
        more=more_pairs(pooled, margin, reach)
        if verdict == "inconclusive" and len(pooled)
        else None,
    )


def _task(
    row: PairRow,
    values: np.ndarray,
    p: float,
    adjusted: float,
    worse: bool,
    margin: float,
    alpha: float,
) -> PairRow:
    low, high = (2 * bound - 1 for bound in anytime_mean((1 + values) / 2, alpha))
    verdict = "worse" if worse else "no worse" if low > -margin else "open"
    return replace(
        row,
        low=low,
        high=high,
        p=min(1.0, 2 * p),
        adjusted=min(1.0, 2 * adjusted),
        verdict=verdict,
        detectable=None,
    )


def _mean(row: GroupRow, values: np.ndarray, alpha: float) -> GroupRow:
    low, high = (2 * bound - 1 for bound in anytime_mean((1 + values) / 2, alpha))
    p = min(1.0, 2 * math.exp(-_evidence(values)))
    return replace(row, low=low, high=high, p=p, wider=None)


def _evidence(values: np.ndarray) -> float:
    """The larger of the log stakes that bet on a gain and on a loss, at their best look."""
    from harness.stats import log_stake

    return (
        max(0.0, *(float(log_stake((1 + side * values) / 2, 0.5).max()) for side in (1, -1)))
        if len(values)
        else 0.0
    )
